"""How many experts to keep, by hand."""

from __future__ import annotations

import pytest

from w2sg.ensemble.prefix import fewest_best


@pytest.mark.parametrize(
    ("right", "kept"),
    [
        ([3], 1),
        ([2, 5, 4], 2),
        ([2, 4, 5], 3),
        ([4, 3, 4], 1),
        ([3, 3, 3], 1),
        ([0, 0], 1),
        ([2, 5, 4, 5], 2),
    ],
    ids=["one", "middle", "all", "as good as one", "equal", "none right", "the fewer of two"],
)
def test_the_fewest_of_the_best_are_kept(right: list[int], kept: int) -> None:
    assert fewest_best(right) == kept


def test_there_must_be_an_expert() -> None:
    with pytest.raises(ValueError, match="no expert"):
        fewest_best([])
