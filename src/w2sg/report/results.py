"""The versioned schema of `results.json`: every number a run found, and where each comes from.

`collect` fills it; `terminal` and `page` only show it. `schema_docs` writes its documentation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import JsonValue, ValidationError

from w2sg.config import describe
from w2sg.errors import StoreError
from w2sg.report.schema import CostRow, ReliabilityRow, RewriteRow, RungRow, TaughtRow
from w2sg.report.schema import Part as Part
from w2sg.report.schema import ReliabilityBin as ReliabilityBin
from w2sg.report.schema import ResultStratum as ResultStratum
from w2sg.report.schema_rounds import RoundsRow
from w2sg.storage import read_json, write_json

SCHEMA_VERSION = 1

Finding = Literal[
    "helped",
    "elicited",
    "form only",
    "damage avoided",
    "above its teacher only",
    "no evidence",
    "harmed",
    "null control",
]


class Row(Part):
    """One arm, stratum and seed. Costs are the whole arm's, the same in each of its strata: do not add them up."""

    task: str
    """The task's name."""
    method: str
    """The method's or control's name."""
    control: bool
    """Whether the experiment names it as a control; every other arm is a method, and judged."""
    stratum: ResultStratum
    """`id` (as hard as the questions the teacher learnt from), `ood` (harder or of another kind), `all`."""
    seed: int | None
    """The seed; null where nothing depends on it."""
    accuracy: float
    """Share of the `n` items answered correctly."""
    low: float
    """Lower end of Wilson's 95 % interval (items only)."""
    high: float
    """Upper end of Wilson's 95 % interval (items only)."""
    n: int
    """Test items, unparsed answers included."""
    unparsed: int
    """Answers that could not be read; they count as wrong."""
    tokens_sampled: int
    """Tokens sampled by every step that the arm rests on, its supervisor's and its evaluation's included."""
    tokens_trained: int
    """Tokens trained on (padding left out) by every step that the arm rests on, its supervisor's included."""
    seconds: float
    """Seconds that these steps took when they were computed, here or in an earlier run."""
    steps: tuple[str, ...]
    """Fingerprints of these steps, in `provenance`; the last one graded the answers."""


class Summary(Part):
    """One arm and stratum over its seeds."""

    task: str
    """The task's name."""
    method: str
    """The method's or control's name."""
    control: bool
    """As in `rows`."""
    stratum: ResultStratum
    """As in `rows`."""
    accuracy: float
    """Mean over seeds."""
    low: float
    """Lower end of the 95 % interval; `basis` says what it covers."""
    high: float
    """Upper end of the 95 % interval."""
    basis: str
    """What the interval covers: items only (one seed), or seeds and items."""
    n: int
    """Test items per seed."""
    seeds: int
    """Seeds with results of their own."""
    unparsed_share: float
    """Share of answers that could not be read, mean over seeds."""
    tokens_sampled: float
    """Mean over seeds."""
    tokens_trained: float
    """Mean over seeds."""
    seconds: float
    """Mean over seeds."""
    agreement: float | None
    """Share of items on which the arm gives the teacher's answer; null for the teacher and without one."""
    inherited: float | None
    """Of the items on which the teacher is wrong, the share where the arm gives the same wrong answer."""
    corrected: float | None
    """Of the items on which the teacher is wrong, the share where the arm is right."""
    broken: float | None
    """Of the items on which the teacher is right, the share where the arm is wrong."""


class ComparisonRow(Part):
    """One arm against another on the same items."""

    task: str
    """The task's name."""
    stratum: ResultStratum
    """As in `rows`."""
    method: str
    """The arm of interest."""
    against: str
    """The arm that it is measured against."""
    difference: float
    """Accuracy of `method` minus accuracy of `against`, mean over seeds; 0.05 is five points."""
    low: float
    """Lower end of the 95 % interval: hierarchical bootstrap, items paired, seeds paired where shared."""
    high: float
    """Upper end of the 95 % interval."""
    p: float
    """Two-sided paired test: exact McNemar with one seed, else signs flipped over items with seed means varying."""
    p_holm: float
    """`p` after Holm's correction over the methods' comparisons (or the controls', or those of null controls that stand
    among the methods, or those with variants and rivals of a method) of this task and stratum."""
    minimum_detectable: float
    """The true difference that this design shows (interval without 0) four times in five."""
    pgr: float | None
    """Performance gap recovered, (method - against) / (ceiling - against); only in rows against the teacher, or against
    the ensemble that supervises the method, judged itself."""
    pgr_low: float | None
    """Lower end of its 95 % interval (Fieller's, all three arms redrawn)."""
    pgr_high: float | None
    """Upper end of its 95 % interval."""
    pgr_reason: str
    """Why `pgr` is null; empty where it is given."""
    n_items: int
    """Items compared."""
    n_seeds: int
    """Seeds compared, the fewer of the two arms'."""
    basis: str
    """What the interval covers."""


class DifficultyRow(Part):
    """Accuracy of one arm, mean over seeds, on the test items of one difficulty (or range of it)."""

    task: str
    """The task's name."""
    method: str
    """The method's or control's name."""
    easiest: float
    """Least difficulty in the range, in the task's units; larger is harder."""
    hardest: float
    """Greatest difficulty in the range."""
    n: int
    """Test items in the range."""
    accuracy: float
    """Mean over seeds."""
    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end of the 95 % interval."""


class LabelRow(Part):
    """The weak labels that one method learnt from, graded after the fact, all seeds together."""

    task: str
    """The task's name."""
    method: str
    """The method that learnt from them."""
    seeds: int
    """Seeds put together."""
    n: int
    """Labels."""
    accuracy: float
    """Share of the labels that are right."""
    unparsed: int
    """Labels without a readable answer."""
    statements: int = 0
    """Statements of doubt that a model was asked for, of every supervisor and rung; none where a rule writes them."""
    empty_statements: int = 0
    """Those of them that are empty or blank: there the student is shown counts and no words."""
    commonest_share: float
    """Share of the most frequent answer: near 1, the supervisor says one thing to everything."""
    calibration_error: float | None
    """Expected calibration error of the labels' confidence; null without confidence."""
    brier: float | None
    """Brier score of the confidence."""
    auroc: float | None
    """Chance that a wrong label is less confident than a right one."""
    reliability: tuple[ReliabilityBin, ...]
    """The reliability diagram's bars."""


class Verdict(Part):
    """What the comparisons of one method say, in a sentence or three."""

    task: str
    """The task's name."""
    stratum: ResultStratum
    """As in `rows`."""
    method: str
    """The method judged."""
    finding: Finding
    """`helped`: better (its interval excludes 0) than the untuned student, self-distillation and, where the run holds
    them, the student trained on random labels and the method's null control. `elicited`: better than the untuned
    student, not so or not compared with self-distillation. `form only`: better than the untuned student, not than
    random labels, or not than the same method shown another question's work. `damage avoided`: better than imitation,
    not than the untuned student. `above its teacher only`: not so or not compared with the
    untuned student. `null control`: not judged, whatever it gains, as its student hears no teacher, or a teacher on
    other questions only."""
    uncorrected: bool
    """Whether the gain over the untuned student is no longer significant after Holm's correction."""
    sentence: str
    """The verdict in words."""


class Note(Part):
    """Something a reader must know before believing a number."""

    level: Literal["alarm", "note"]
    """An alarm puts a conclusion in doubt; a note limits it."""
    task: str | None
    """The task concerned; null for the whole run."""
    text: str
    """One or two sentences."""


class Provenance(Part):
    """A step that numbers rest on."""

    fingerprint: str
    """16 hexadecimal digits; names everything that decides the step's result."""
    kind: str
    """`task`, `sample`, `label`, `targets`, `fit`, `score`, ..."""
    label: str
    """What it is, for people."""
    record: str
    """Where its record lies."""
    seconds: float
    """Seconds it took when it was computed."""
    reused: bool
    """Whether this run found it in the store instead of computing it."""
    parents: tuple[str, ...]
    """Fingerprints of the steps it rests on directly."""
    opened_gold: tuple[str, ...]
    """Why the step opened sealed gold (`score`, `ceiling`), every reason once; empty where it did not."""
    versions: dict[str, str]
    """Package versions it was computed with."""


class Helper(Part):
    """A model besides teacher and student that took part; one stronger than the student makes a result weaker."""

    name: str
    """The model."""
    role: str
    """What it did."""
    stronger: bool | None
    """Whether it is stronger than the student; null where unknown."""


class Results(Part):
    """Everything a run found."""

    schema_version: Literal[1] = 1
    """Raised when a field changes its meaning or goes; new fields do not raise it."""
    name: str
    """The experiment's name."""
    command: str
    """The command that made these results."""
    created: str | None
    """When, in ISO 8601; null where unknown."""
    w2sg_version: str
    """The version of w2sg."""
    versions: dict[str, str]
    """Python and the packages that decide results."""
    hardware: dict[str, JsonValue]
    """The machine: processor, cores, memory, accelerator."""
    settings: dict[str, JsonValue]
    """The experiment's complete settings."""
    resamples: int
    """Bootstrap resamples behind every interval and test."""
    helpers: tuple[Helper, ...] = ()
    """Models that helped besides teacher and student."""
    rows: tuple[Row, ...]
    """One per task, method, stratum and seed."""
    summary: tuple[Summary, ...]
    """One per task, method and stratum."""
    comparisons: tuple[ComparisonRow, ...]
    """Methods against controls, and controls against each other."""
    difficulty: tuple[DifficultyRow, ...] = ()
    """Accuracy against difficulty, where the task knows it."""
    labels: tuple[LabelRow, ...] = ()
    """The quality of the weak labels."""
    reliability: tuple[ReliabilityRow, ...] = ()
    """How far the confidence of the weak labels can be trusted, before and after calibration."""
    rungs: tuple[RungRow, ...] = ()
    """Every rung of the cascades, the lowest first; and, though no rungs, the ensembles of the first few experts, the
    fewest first, of methods that test them."""
    rounds: tuple[RoundsRow, ...] = ()
    """The experts that were made in rounds, by the ensembles that they form."""
    rewrites: tuple[RewriteRow, ...] = ()
    """What rewriting students made of what they were shown, every rung of a cascade, the lowest first."""
    taught: tuple[TaughtRow, ...] = ()
    """How many questions every trained row learnt from, of those there were; every rung of a cascade."""
    costs: tuple[CostRow, ...] = ()
    """What the cost of every arm is made of."""
    verdict: tuple[Verdict, ...] = ()
    """The conclusions in words, one per task, stratum and method."""
    notes: tuple[Note, ...] = ()
    """What limits or endangers the conclusions."""
    provenance: tuple[Provenance, ...] = ()
    """The steps behind the numbers, parents first."""

    def tasks(self) -> list[str]:
        """Return the tasks in order."""
        return list(dict.fromkeys(row.task for row in self.summary))

    def methods(self, task: str) -> list[str]:
        """Return the names of a task's arms in order: controls, methods, and the ceiling last."""
        return list(dict.fromkeys(row.method for row in self.summary if row.task == task))

    def controls(self, task: str) -> frozenset[str]:
        """Return the names of a task's controls."""
        return frozenset(row.method for row in self.summary if row.task == task and row.control)

    def strata(self, task: str) -> list[ResultStratum]:
        """Return a task's strata in order, `all` last."""
        return list(dict.fromkeys(row.stratum for row in self.summary if row.task == task))

    def headline(self, task: str) -> ResultStratum:
        """Return the stratum that the verdict of a task rests on: `ood` where there is one, else `all`."""
        return "ood" if "ood" in self.strata(task) else "all"

    def find(self, task: str, method: str, stratum: str) -> Summary | None:
        """Return one arm's summary, or None."""
        wanted = (task, method, stratum)
        return next((row for row in self.summary if (row.task, row.method, row.stratum) == wanted), None)

    def save(self, path: Path) -> None:
        """Write the file, atomically."""
        write_json(path, self.model_dump(mode="json"))

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read a file that `save` wrote.

        Raises:
            StoreError: it is missing, damaged, or of another schema version.
        """
        data = read_json(path)
        if (version := data.get("schema_version") if isinstance(data, dict) else None) != SCHEMA_VERSION:
            raise StoreError(
                f"The results {str(path)!r} have the schema version {version!r}, and this w2sg reads version "
                f"{SCHEMA_VERSION}. Run the experiment again (finished steps are reused) to write them anew."
            )
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise StoreError(f"The results {str(path)!r} do not fit their schema. {describe(error, cls)}") from None
