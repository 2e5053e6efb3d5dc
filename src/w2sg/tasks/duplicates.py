"""Finds rows that ask the same: exactly (one text) or nearly (most word triples shared). `splits` decides what follows.

Near duplicates are sought with MinHash signatures in an LSH index (datasketch) and then verified by their true Jaccard
similarity, so that none is reported by chance.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from w2sg.records import Example, Role

ALIKE = 0.8
"""Jaccard similarity of word triples from which two questions are near duplicates."""

_PERMUTATIONS = 128
_BANDS, _BAND_LENGTH = 21, 6  # finds 99.8 % of the pairs at 0.8 and proposes 28 % of those at 0.5 for verifying
_SHINGLE_WORDS = 3
_ENOUGH_ALIKE = 32


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
    """An index of placed examples in which near duplicates are found in time that hardly grows with its size."""

    def __init__(self) -> None:
        from datasketch import MinHash, MinHashLSH

        self._blank = MinHash(num_perm=_PERMUTATIONS, hashfunc=int)
        self._index = MinHashLSH(num_perm=_PERMUTATIONS, params=(_BANDS, _BAND_LENGTH))
        self._entries: dict[str, tuple[frozenset[int], Role]] = {}

    def add(self, example: Example, role: Role) -> None:
        """Index an example; one with many look-alikes of its role in the index already is left out, because
        templated rows would fill a bucket and make every later search as long as the table."""
        own = shingles(example)
        signature = self._signature(own)
        if sum(1 for _ in islice(self._verified(own, signature, {role}), _ENOUGH_ALIKE)) < _ENOUGH_ALIKE:
            self._entries[example.id] = own, role
            self._index.insert(example.id, signature, check_duplication=False)

    def find(self, example: Example, roles: Collection[Role]) -> Like | None:
        """Return an indexed near duplicate of one of `roles`, or None."""
        if not self._entries:
            return None
        own = shingles(example)
        return next(self._verified(own, self._signature(own), roles), None)

    def _signature(self, own: frozenset[int]) -> Any:
        signature = self._blank.copy()
        signature.update_batch(sorted(own))
        return signature

    def _verified(self, own: frozenset[int], signature: Any, roles: Collection[Role]) -> Iterator[Like]:
        for other in sorted(self._index.query(signature)):
            theirs, role = self._entries[other]
            if role in roles and (similarity := jaccard(own, theirs)) >= ALIKE:
                yield Like(other, role, similarity)
