"""How many experts of an ensemble to keep, by what its first one, first two, ... first T get right."""

from __future__ import annotations

from collections.abc import Sequence


def fewest_best(right: Sequence[int]) -> int:
    """Return how many experts get the most right, of equals the fewest: an expert that adds nothing costs its share of
    every later token.

    Args:
        right: how many answers are right with the first expert alone, with the first two, and so on.

    Raises:
        ValueError: there is none.
    """
    if not right:
        raise ValueError("there is no expert to choose from")
    return right.index(max(right)) + 1
