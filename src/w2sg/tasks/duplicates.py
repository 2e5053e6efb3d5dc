"""Finds rows that ask the same: exactly (one text) or nearly (most word triples shared). `splits` decides what follows.

The search is exact: none is reported by chance, and none is missed however many rows a template made.
"""

from __future__ import annotations

import re
import zlib
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain
from math import ceil

from w2sg.records import ROLES, Example, Role

ALIKE = 0.8
"""Jaccard similarity of word triples from which two questions are near duplicates."""

_SHINGLE_WORDS = 3
_ROUNDING = 1e-9


def exact_key(example: Example) -> str:
    """Return the text that two rows share when they ask exactly the same: question and options, in any order of
    options, whatever the case and spacing."""
    question, *options = (" ".join(part.casefold().split()) for part in (example.question, *example.choices))
    return "\x1f".join((question, *sorted(options)))


def shingles(example: Example) -> frozenset[int]:
    """Return the hashes of all runs of three words or signs in question and options; of the whole when shorter."""
    words = re.findall(r"\w+|[^\w\s]", " ".join((example.question, *example.choices)).casefold())
    runs = max(1, len(words) - _SHINGLE_WORDS + 1)
    return frozenset(
        zlib.crc32("\x1f".join(words[start : start + _SHINGLE_WORDS]).encode("utf-8", "replace"))
        for start in range(runs)
    )


def jaccard(a: frozenset[int], b: frozenset[int]) -> float:
    """Return the size of the intersection over that of the union."""
    return len(a & b) / len(a | b) if a or b else 1.0


@dataclass(frozen=True)
class Like:
    """An indexed row that is like the one asked for, its role, and how like it is, in [0, 1]."""

    id: str
    role: Role
    similarity: float


class LookAlikes:
    """An index of placed examples that finds every near duplicate, whatever their number.

    An exact similarity join with prefix filter and positional bound (Xiao et al., "Efficient similarity joins for
    near duplicate detection", 2008, sections 3 and 4): with shingles in order of rarity, two sets as alike as `ALIKE`
    share a shingle among their rarest ones. Text that a template repeats is common and so never looked up.
    """

    def __init__(self, examples: Iterable[Example]) -> None:
        """Take all examples that will be added or sought, because their shingles are put in order of rarity."""
        found: dict[str, frozenset[int]] = {}
        for example in examples:
            if example.id not in found:
                found[example.id] = shingles(example)
        counts = Counter(chain.from_iterable(found.values()))
        order = sorted(counts, key=lambda shingle: (counts[shingle], shingle))
        rank = {shingle: place for place, shingle in enumerate(order)}
        self._ranks = {id: tuple(sorted(rank[shingle] for shingle in own)) for id, own in found.items()}
        self._placed: dict[Role, _Index] = {}

    def add(self, example: Example, role: Role) -> None:
        """Index an example in its role."""
        self._placed.setdefault(role, _Index()).add(example.id, self._ranks[example.id])

    def find(self, example: Example, roles: Collection[Role]) -> Like | None:
        """Return an indexed near duplicate of one of `roles`, or None when there is none."""
        own = self._ranks[example.id]
        for role in ROLES:
            if role in roles and role in self._placed and (like := self._placed[role].like(own)):
                return Like(like[0], role, like[1])
        return None


class _Index:
    """The indexed sets of one role, each a rising tuple of ranks; equal sets count once, by their first id."""

    def __init__(self) -> None:
        self._ids: dict[tuple[int, ...], str] = {}
        self._sets: list[tuple[int, ...]] = []
        self._holders: dict[int, array[int]] = {}

    def add(self, id: str, own: tuple[int, ...]) -> None:
        if own in self._ids:
            return
        for shingle in own[: _prefix(len(own))]:
            self._holders.setdefault(shingle, array("q")).append(len(self._sets))
        self._ids[own] = id
        self._sets.append(own)

    def like(self, own: tuple[int, ...]) -> tuple[str, float] | None:
        """The id and similarity of a set as alike as `ALIKE`, of those that share most rare shingles the first."""
        if own in self._ids:
            return self._ids[own], 1.0
        wanted, shared_least = frozenset(own), _least(len(own))
        for other, shared in self._sharing(own):
            theirs = self._sets[other]
            if shared < shared_least.get(len(theirs), shared + 1):
                continue
            common = len(wanted.intersection(theirs))
            if (similarity := common / (len(own) + len(theirs) - common)) >= ALIKE:
                return self._ids[theirs], similarity
        return None

    def _sharing(self, own: tuple[int, ...]) -> Iterator[tuple[int, int]]:
        """The indexed sets that share enough rare shingles for some size of set, and how many, most first."""
        import numpy as np

        holders = [self._holders[shingle] for shingle in own[: _prefix(len(own))] if shingle in self._holders]
        if not holders:
            return iter(())
        shared = np.bincount(np.concatenate([np.frombuffer(places, dtype=np.int64) for places in holders]))
        places = np.flatnonzero(shared >= max(1, min(_least(len(own)).values())))
        places = places[np.argsort(-shared[places], kind="stable")]
        return zip(places.tolist(), shared[places].tolist(), strict=True)


def _prefix(size: int) -> int:
    """How many of its rarest shingles are kept of a set, so that every set like it shares one of them."""
    return size - ceil(ALIKE * size - _ROUNDING) + 1


@cache
def _least(size: int) -> dict[int, int]:
    """How many of the kept shingles a set of `size` must at least share with a set like it, by the latter's size.

    Every shared shingle up to the smaller of the two last kept ones is kept in both sets; beyond it, one set has only
    its unkept shingles left.
    """
    least = {}
    for other in range(ceil(ALIKE * size - _ROUNDING), int(size / ALIKE + _ROUNDING) + 1):
        common = ceil(ALIKE / (1 + ALIKE) * (size + other) - _ROUNDING)
        least[other] = common - max(size - _prefix(size), other - _prefix(other))
    return least
