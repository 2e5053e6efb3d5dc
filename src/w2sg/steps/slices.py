"""Slices of a role's questions: disjoint parts of about equal size, cut by question, the same in every run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

from pydantic import Field, model_validator

from w2sg.config import Config
from w2sg.errors import DataError
from w2sg.records import Example
from w2sg.seeding import derive


class Slice(Config):
    """One of several disjoint parts."""

    part: int = Field(ge=0)
    """Which part, counted from 0."""
    of: int = Field(ge=1)
    """How many parts there are."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if self.part >= self.of:
            raise ValueError(f"part {self.part} of {self.of} does not exist; parts are counted from 0")
        return self


def in_slice(examples: Sequence[Example], wanted: Slice | None) -> list[Example]:
    """Return the examples of one slice, in their order; all of them for None.

    Questions of one group stay together. Groups are dealt out in the order of a hash of their names, so that no slice
    is easier than another by the order of the data, and the parts' sizes in groups differ by one at most.

    Raises:
        DataError: there are fewer groups than parts.
    """
    if wanted is None:
        return list(examples)
    groups = sorted({_group(example) for example in examples}, key=lambda group: derive(0, "slice", group))
    if len(groups) < wanted.of:
        raise DataError(
            f"There are {len(groups)} transfer questions to be cut in {wanted.of} parts, one for each rung of a "
            "cascade. Raise split.transfer, name fewer intermediates, or let the rungs share their questions "
            "(schedule.questions: reuse)."
        )
    members = set(groups[wanted.part :: wanted.of])
    return [example for example in examples if _group(example) in members]


def _group(example: Example) -> str:
    return example.group or example.id
