"""What the schema of `results.json` is made of: the base of its parts, and the parts about rewriting students, about
the confidence of labels and about the rungs of cascades."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from w2sg.metrics.rewrites import Choice
from w2sg.schedules.base import Below

ResultStratum = Literal["all", "id", "ood"]
Stage = Literal["stated", "calibrated"]


CostPart = Literal[
    "training of supervisors",
    "supervisor's samples",
    "samples to calibrate by",
    "solutions for gold without reasoning",
    "statements of doubt",
    "student's attempts",
    "student's rewrites",
    "supervisor's judgements",
    "training of the judged model",
    "answers to the test",
    "the rest",
]


WhyUntaught = Literal[
    "questions without an answer",
    "questions without a right try",
    "rewrites unfinished",
    "rewrites with no room in the context",
    "rewrites empty",
    "rewrites unreadable",
    "rewrites that are a bare answer",
    "texts over max_length",
]


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
    own: float | None
    """The share on which the student's own first answer is right; null where it made none."""
    learnt: float
    """The share on which the learnt answer is right."""


class RewriteRow(Part):
    """What one method's student made of what it was shown, graded after the fact, all seeds together."""

    task: str
    """The task's name."""
    method: str
    """The method."""
    rung: int = 1
    """Which rung, counted from 1, of a cascade."""
    of: int = 1
    """How many rungs there are; 1 where there is no cascade."""
    seeds: int
    """Seeds put together."""
    n: int
    """Transfer questions with gold."""
    taught: int
    """Those that the student learnt from; the shares below are of these."""
    bypassed: int
    """Those on which it learnt the demonstration as it is, the supervisor's samples being agreed."""
    shown: float | None
    """Share of shown answers that are right; of several supervisors that of the first that gave one, here and below."""
    own: float | None
    """Share of the student's own first answers that are right; null where it made none."""
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


class WhyRow(Part):
    """One reason why questions were not taught."""

    reason: WhyUntaught
    """Of questions: no supervisor gave an answer that can be read, or none of the model's own tries is right. Of
    rewrites, the first that holds: cut at the token limit, nothing written as the request filled the model's context,
    blank, without a readable answer, or without the reasoning that the demonstration holds. Of texts: left out in
    training, their prompts being too long."""
    count: float
    """How many questions, rewrites or texts; mean over the seeds in which they were counted."""


class TaughtRow(Part):
    """How many questions one model was tuned on, of those there were; means over seeds."""

    task: str
    """The task's name."""
    method: str
    """The method or control."""
    rung: int = 1
    """Which rung, counted from 1, of a cascade."""
    of: int = 1
    """How many rungs there are; 1 where there is no cascade."""
    seeds: int
    """Seeds with a tuned model."""
    taught: float
    """Questions that it learnt from; of an ensemble the expert that learnt from the fewest."""
    questions: float
    """Questions there were to learn from: those of its role, or of its part of them."""
    rewrites: float | None = None
    """Rewrites that the student wrote, in all turns; null where it rewrites nothing."""
    cut: float | None = None
    """Those of them that are unfinished, for whatever reason."""
    why: tuple[WhyRow, ...] = ()
    """Why no more were taught; counted in the seeds in which fewer than half were, or most rewrites were cut."""


class Measured(Part):
    """A number with its interval."""

    value: float
    """The number."""
    low: float
    """Lower end of the 95 % bootstrap interval."""
    high: float
    """Upper end of the 95 % bootstrap interval."""


class ReliabilityBin(Part):
    """Labels of like confidence."""

    low: float
    """Confidence above this (0 included in the first bin)."""
    high: float
    """Confidence up to this."""
    n: int
    """Labels in the bin."""
    confidence: float
    """Their mean confidence."""
    accuracy: float
    """The share of them that is right."""


class RiskPoint(Part):
    """A point of the risk-coverage curve."""

    coverage: float
    """The share of labels kept, the most confident ones."""
    risk: float
    """The share of the kept ones that is wrong."""


class ReliabilityRow(Part):
    """How far the confidence of one set of labels of transfer questions can be trusted, graded after the fact, all
    seeds together. Intervals are over questions."""

    task: str
    """The task's name."""
    used_by: tuple[str, ...]
    """The methods, controls and rungs of cascades that learnt from these labels; the second and further supervisors
    of one are named beside it."""
    stage: Stage
    """`stated`: as the supervisor's samples gave it; `calibrated`: after calibration on `validate`, as it was used."""
    seeds: int
    """Seeds put together."""
    n: int
    """Labels that state a confidence; one without a readable answer counts as wrong."""
    accuracy: float
    """The share of them that is right."""
    confidence: float
    """Their mean confidence: above `accuracy`, the supervisor is too sure of itself."""
    error: Measured | None
    """Expected calibration error, over ten bars of equal width."""
    mass_error: Measured | None
    """The same over ten bars of about equally many labels."""
    brier: Measured | None
    """Brier score: the mean squared difference between confidence and outcome."""
    auroc: Measured | None
    """Chance that a wrong label is less confident than a right one; null where all are right or all wrong."""
    area: Measured | None
    """Area under the risk-coverage curve: the mean share of wrong labels among the most confident ones; without any
    information it is 1 - `accuracy`."""
    best_area: float
    """What that area would be, had every right label been more confident than every wrong one."""
    bins: tuple[ReliabilityBin, ...]
    """The reliability diagram's bars."""
    curve: tuple[RiskPoint, ...]
    """The risk-coverage curve, the most confident labels first, at a hundred points at most."""


class CostRow(Part):
    """What one kind of work cost an arm, means over seeds. The parts of an arm add up to its cost in `rows`."""

    task: str
    """The task's name."""
    method: str
    """The method's or control's name."""
    part: CostPart
    """What was done. Supervisors are also the lower rungs of a cascade; the rest are tasks, labels and grades."""
    tokens_sampled: float
    """Tokens sampled."""
    tokens_trained: float
    """Tokens trained on, padding left out."""
    seconds: float
    """Seconds that it took when it was computed."""
    experts: float = 1.0
    """Models that read and wrote each token sampled, where an ensemble answered: `tokens_sampled` counts it once. The
    most, where several models did this work."""


class RungAccuracy(Part):
    """The accuracy of one rung of a cascade, or of the ensemble of the first few experts, on one part of the test."""

    stratum: ResultStratum
    """As in `rows`."""
    accuracy: float
    """Mean over seeds."""
    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end of the 95 % interval."""
    n: int
    """Test items per seed."""
    gain: Measured | None = None
    """By how much it is above the first rung, or above the first expert alone, items and seeds paired; null for this
    one itself."""


class RungRow(Part):
    """One rung of a cascade, or the ensemble of the first few experts, over all seeds; the last rung, or that of all
    experts, is what is compared with other methods."""

    task: str
    """The task's name."""
    method: str
    """The cascade, or the method that judges an ensemble."""
    kind: Below = "rung"
    """`rung`: a rung of a cascade; `prefix`: no rung, but the ensemble of the first `rung` experts of `of`."""
    rung: int
    """Which rung, counted from 1, of a cascade, whose supervisor teaches the first; of a `prefix`, how many experts."""
    of: int
    """How many rungs there are; of a `prefix`, how many experts."""
    student: str
    """The model that is tuned on this rung; of a `prefix`, the one that the experts were made from."""
    seeds: int
    """Seeds with results."""
    unparsed_share: float
    """Share of its answers to the test that could not be read, mean over seeds."""
    accuracies: tuple[RungAccuracy, ...]
    """Its accuracy by stratum, `all` last."""
    labels: int
    """Graded labels that it learnt from, of all seeds together; the first supervisor's where there are several."""
    labels_right: Measured | None
    """The share of them that is right; null where none is graded."""
