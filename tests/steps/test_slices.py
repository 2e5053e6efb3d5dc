"""Slices of questions: disjoint, whole, by group, the same in every run."""

from __future__ import annotations

import pytest

from w2sg.errors import ConfigError, DataError
from w2sg.records import Example
from w2sg.steps.slices import Slice, in_slice

EXAMPLES = [Example(f"q{number}", f"Question {number}", group=f"g{number // 2}") for number in range(20)]


@pytest.mark.parametrize("of", [1, 3, 10])
def test_parts_are_disjoint_whole_and_of_equal_size(of: int) -> None:
    parts = [in_slice(EXAMPLES, Slice(part=part, of=of)) for part in range(of)]
    ids = [example.id for part in parts for example in part]
    assert sorted(ids) == sorted(example.id for example in EXAMPLES)
    assert len(set(ids)) == 20
    sizes = {len({example.group for example in part}) for part in parts}
    assert max(sizes) - min(sizes) <= 1
    groups = [{example.group for example in part} for part in parts]
    assert all(not a & b for place, a in enumerate(groups) for b in groups[:place])


def test_a_question_stays_in_its_part_when_the_order_changes() -> None:
    first = Slice(part=0, of=4)
    assert {one.id for one in in_slice(EXAMPLES, first)} == {one.id for one in in_slice(EXAMPLES[::-1], first)}
    assert [one.id for one in in_slice(EXAMPLES, first)] == sorted(
        (one.id for one in in_slice(EXAMPLES, first)), key=lambda id: int(id[1:])
    )


def test_no_slice_is_everything() -> None:
    assert in_slice(EXAMPLES, None) == EXAMPLES


def test_more_parts_than_groups_are_refused() -> None:
    with pytest.raises(DataError, match="There are 10 transfer questions to be cut in 11 parts"):
        in_slice(EXAMPLES, Slice(part=0, of=11))


def test_a_part_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match="part 3 of 3 does not exist"):
        Slice.parse({"part": 3, "of": 3}, "The test")
