"""Finds rows that ask the same: exactly (one text) or nearly (most word triples shared). `splits` decides what follows.

Near duplicates are sought with MinHash signatures in an LSH index (datasketch) and then verified by their true Jaccard
similarity, so that none is reported by chance.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from w2sg.records import Example

ALIKE = 0.8
"""Jaccard similarity of word triples from which two questions are near duplicates."""

_PERMUTATIONS = 64
_SHINGLE_WORDS = 3
_ENOUGH_ALIKE = 32


def exact_key(example: Example) -> str:
    """Return the text that two rows share when they ask exactly the same: question and options, in any order of
    options, whatever the case and spacing."""
    parts = [example.question, *sorted(example.choices)]
    return "\x1f".join(" ".join(part.casefold().split()) for part in parts)


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
    """An indexed row that is like the one asked for, and how like, in [0, 1]."""

    id: str
    similarity: float


class LookAlikes:
    """An index of examples in which near duplicates are found in time that hardly grows with its size."""

    def __init__(self) -> None:
        from datasketch import MinHash, MinHashLSH

        self._blank = MinHash(num_perm=_PERMUTATIONS, hashfunc=int)
        # Missing a true near duplicate is worse than verifying a false candidate.
        self._index = MinHashLSH(threshold=ALIKE, num_perm=_PERMUTATIONS, weights=(0.1, 0.9))
        self._shingles: dict[str, frozenset[int]] = {}

    def add(self, example: Example) -> None:
        """Index an example; one with many look-alikes in the index already is left out, because templated rows
        would fill a bucket and make every later search as long as the table."""
        own = shingles(example)
        signature = self._signature(own)
        if len(self._verified(own, signature, _ENOUGH_ALIKE)) < _ENOUGH_ALIKE:
            self._shingles[example.id] = own
            self._index.insert(example.id, signature, check_duplication=False)

    def find(self, example: Example) -> Like | None:
        """Return the first found indexed near duplicate, or None."""
        if not self._shingles:
            return None
        own = shingles(example)
        found = self._verified(own, self._signature(own), 1)
        return found[0] if found else None

    def _signature(self, own: Iterable[int]) -> Any:
        signature = self._blank.copy()
        signature.update_batch(sorted(own))
        return signature

    def _verified(self, own: frozenset[int], signature: Any, at_most: int) -> list[Like]:
        found: list[Like] = []
        for other in sorted(self._index.query(signature)):
            similarity = jaccard(own, self._shingles[other])
            if similarity >= ALIKE:
                found.append(Like(other, similarity))
                if len(found) == at_most:
                    break
        return found
