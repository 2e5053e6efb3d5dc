"""What the schema of `results.json` is made of: the base of its parts, and the parts about rewriting students."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from w2sg.metrics.rewrites import Choice


class Part(BaseModel):
    """Base of the schema: immutable; NaN is refused, fields of later versions are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, use_attribute_docstrings=True)


class FlipRow(Part):
    """How often a rewriting student chose one way, and what came of it."""

    choice: Choice
    """`agreed`: its own first answer was the shown one, and stays; `kept`: it stays with its own against the shown one;
    `adopted`: it gives up its own for the shown one; `new`: another answer, or none that can be read."""
    right: int
    """Questions on which the learnt answer is right."""
    wrong: int
    """Questions on which it is wrong."""
    own_right: int
    """Of both, those on which its own first answer was right."""
    shown_right: int
    """Of both, those on which the shown answer was right."""


class ConfidenceRow(Part):
    """Questions of like confidence of the supervisor."""

    low: float
    """Confidence above this (0 included in the first)."""
    high: float
    """Confidence up to this."""
    n: int
    """Questions."""
    shown: float
    """The share on which the shown answer is right."""
    own: float
    """The share on which the student's own first answer is right."""
    learnt: float
    """The share on which the learnt answer is right."""


class RewriteRow(Part):
    """What one method's student made of what it was shown, graded after the fact, all seeds together."""

    task: str
    """The task's name."""
    method: str
    """The method."""
    seeds: int
    """Seeds put together."""
    n: int
    """Transfer questions with gold."""
    taught: int
    """Those that the student learnt from; the shares below are of these."""
    bypassed: int
    """Those on which it learnt the demonstration as it is, the supervisor's samples being agreed."""
    shown: float | None
    """Share of shown answers that are right."""
    own: float | None
    """Share of the student's own first answers that are right."""
    learnt: float | None
    """Share of learnt answers that are right."""
    flips: tuple[FlipRow, ...]
    """What it did with what it was shown."""
    bins: tuple[ConfidenceRow, ...]
    """Shares right by the supervisor's confidence; empty where none is stated."""
    inherited: float | None
    """Of the questions whose shown answer is wrong, the share that learns that very answer."""
    corrected: float | None
    """Of the same questions, the share that learns a right answer."""
    broken: float | None
    """Of the questions whose shown answer is right, the share that learns a wrong one."""
