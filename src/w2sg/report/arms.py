"""What the runs layer hands to `collect`: graded arms, the steps behind them, and what is known of run and tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from w2sg.ensemble.config import Errors, Measured
from w2sg.records import ItemScore, LabelScore, RewriteScore
from w2sg.report.schema import CostPart, WhyUntaught
from w2sg.report.schema_rounds import HeavyToken, SeedRound
from w2sg.schedules.base import Below
from w2sg.steps.choose import PrefixScore


@dataclass(frozen=True)
class ExpertPair:
    """Two experts of one seed by their rounds; correlations as in `schema_rounds.PairRow`."""

    first: int
    second: int
    correlation: float | None
    unlearnt: float | None


@dataclass(frozen=True)
class ChoiceMade:
    """How many first experts were kept with one seed, and what every first few made of `validate`; `name` is the
    fingerprint of the step that chose."""

    name: str
    kept: int
    prefixes: tuple[PrefixScore, ...]


@dataclass(frozen=True)
class RoundsMade:
    """The rounds behind one ensemble with one seed, read from what they wrote.

    `names` are the fingerprints of all rounds, also of those that only a failed one calls for; `rounds` are those in
    which an expert was trained, `why` says why no other was; `heaviest` are the heaviest tokens that the last of them
    was trained under; `choice` is how many of the experts an arm's supervisor has, where that was chosen. The other
    fields are as in `schema_rounds.RoundsRow`.
    """

    names: tuple[str, ...]
    asked: int
    model: str
    measured: Measured
    errors: Errors
    reweighted: bool
    n: int
    rounds: tuple[SeedRound, ...]
    final_tokens: float | None = None
    unit: Literal["tokens", "questions"] = "tokens"
    why: str = ""
    pairs: tuple[ExpertPair, ...] = ()
    heaviest: tuple[HeavyToken, ...] = ()
    choice: ChoiceMade | None = None


@dataclass(frozen=True)
class PartCost:
    """What one kind of work cost an arm; `part` and `experts` as in `schema.CostRow`."""

    part: CostPart
    tokens_sampled: int
    tokens_trained: int
    seconds: float
    experts: float = 1.0


@dataclass(frozen=True)
class TaughtMade:
    """How many questions one model was tuned on; fields as in `schema.TaughtRow`, of one seed."""

    taught: int
    questions: int
    rewrites: int | None = None
    cut: int | None = None
    why: Mapping[WhyUntaught, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ArmResult:
    """One method or control on one task with one seed (None where no seed decides anything), graded.

    `control` says whether it stands under the experiment's controls; only the others are judged. Costs and `steps`
    (fingerprints, the scoring step last) cover every step that the arm rests on. `labels` are the weak labels it
    learnt from, `rewrites` what its student made of them where it rewrites. `model` is the name of the model that
    was judged; `below` are the rungs of a cascade under it, the lowest first, each an arm that is not compared, or as
    `below_is` says the ensembles of its first experts; `other_labels` are those of further supervisors, where there are
    several. `rounds` are those that made the ensembles it rests on.
    `attempted` says whether a student that rewrites answered by itself first.
    `statements` of doubt were asked of a model for all these labels, and `empty_statements` of them say nothing.
    `costs` are the arm's, by what was done. `taught` says how many questions its model was tuned on, None where it was
    not tuned.
    """

    task: str
    method: str
    seed: int | None
    scores: Sequence[ItemScore]
    control: bool = False
    tokens_sampled: int = 0
    tokens_trained: int = 0
    seconds: float = 0.0
    steps: tuple[str, ...] = ()
    labels: Sequence[LabelScore] = ()
    rewrites: Sequence[RewriteScore] = ()
    attempted: bool = True
    model: str = ""
    below: tuple[ArmResult, ...] = ()
    other_labels: tuple[Sequence[LabelScore], ...] = ()
    statements: int = 0
    empty_statements: int = 0
    costs: tuple[PartCost, ...] = ()
    below_is: Below = "rung"
    rounds: tuple[RoundsMade, ...] = ()
    taught: TaughtMade | None = None


@dataclass(frozen=True)
class StepRecord:
    """A step behind the numbers; fields as in `results.Provenance`."""

    fingerprint: str
    kind: str
    label: str
    record: str
    seconds: float
    reused: bool = False
    parents: tuple[str, ...] = ()
    opened_gold: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TaskFacts:
    """What is known of a task besides its grades: the accuracy of always giving its most frequent gold answer, by
    stratum (`id`, `ood`, `all`), and what its split has to say, in sentences."""

    task: str
    majority: Mapping[str, float] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class HelperModel:
    """A model besides teacher and student; fields as in `results.Helper`."""

    name: str
    role: str
    stronger: bool | None = None


@dataclass(frozen=True)
class RunMeta:
    """What a run is called, what started it, and where it ran; fields as in `results.Results`."""

    name: str
    command: str
    w2sg_version: str
    created: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    hardware: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    helpers: Sequence[HelperModel] = ()
    provenance: Sequence[StepRecord] = ()
    facts: Sequence[TaskFacts] = ()
    notes: Sequence[str] = ()
