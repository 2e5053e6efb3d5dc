"""The form of `zoo-check.json`: what `w2sg zoo check` found. `zoo_check` fills it, `zoo_check_text` shows it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import JsonValue, ValidationError

from w2sg.errors import StoreError
from w2sg.report.criteria import Status
from w2sg.report.results import Part, ResultStratum
from w2sg.storage import read_json, write_json

SCHEMA_VERSION = 1

Unit = Literal["points", "share"]


class Figure(Part):
    """One number of a criterion, with its 95 % interval, all shares; null where it could not be measured."""

    name: str
    """What was measured."""
    unit: Unit
    """`points`: a difference of shares; `share`: a share."""
    value: float | None
    """The point estimate."""
    low: float | None
    """The interval's lower end."""
    high: float | None
    """The interval's upper end."""
    basis: str
    """What the interval covers."""
    wanted: str
    """The bounds in words; empty for a figure that stands beside the others for the reader alone."""
    status: Status | None
    """Whether it keeps to the bounds; null where there are none."""


class Criterion(Part):
    """One criterion on one kind of questions; its status is the worst of its figures'."""

    number: int
    """Its number, from 1."""
    title: str
    """What it says."""
    status: Status
    """Whether it is met, and by the whole interval or the point estimate alone."""
    figures: tuple[Figure, ...]
    """What it rests on."""


class Accuracy(Part):
    """The accuracy of one arm on the test questions of one stratum, over its seeds."""

    arm: str
    """teacher, untuned, imitation or ceiling."""
    stratum: ResultStratum
    """`id`, `ood`, or `all`."""
    value: float
    """Share answered correctly."""
    low: float
    """The interval's lower end."""
    high: float
    """The interval's upper end."""
    n: int
    """Questions."""


class KindCheck(Part):
    """The check on one kind of questions."""

    task: str
    """The kind."""
    seeds: tuple[int, ...]
    """Seeds of training; the questions are the same."""
    accuracy: tuple[Accuracy, ...]
    """The arms on the test."""
    criteria: tuple[Criterion, ...]
    """The six."""


class Opening(Part):
    """A step that opened sealed gold."""

    step: str
    """Its fingerprint in the store."""
    label: str
    """What it is."""
    reasons: tuple[str, ...]
    """`score` (grading), `ceiling` (the ceiling's training texts), `probe` (shown, to probe what is read)."""


class CheckResults(Part):
    """Everything that a check found."""

    schema_version: int = SCHEMA_VERSION
    """Of this file's form."""
    plan: str
    """Fingerprint of all that the figures rest on."""
    command: str
    """The command that made it."""
    created: str | None
    """When, in ISO 8601."""
    w2sg_version: str
    """The version of w2sg."""
    versions: dict[str, str]
    """Python and the packages that decide results."""
    hardware: dict[str, JsonValue]
    """The machine."""
    settings: dict[str, JsonValue]
    """The complete settings."""
    resamples: int
    """Bootstrap resamples behind every interval."""
    teacher: str
    """The weak model."""
    student: str
    """The strong model."""
    kinds: tuple[KindCheck, ...]
    """One per kind of questions."""
    seconds: float
    """What the steps took when they were computed, added up over workers."""
    opened: tuple[Opening, ...]
    """Every step that opened sealed gold, with its reasons."""

    def save(self, path: Path) -> None:
        """Write the file, atomically."""
        write_json(path, self.model_dump(mode="json"))

    @classmethod
    def standing(cls, path: Path, plan: str) -> CheckResults | None:
        """Read a file that `save` wrote for the same plan; None where there is none that can be read."""
        try:
            found = cls.model_validate(read_json(path))
        except (StoreError, ValidationError):
            return None
        return found if found.plan == plan else None
