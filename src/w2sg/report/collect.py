"""From graded arms to `Results`: rows, intervals, comparisons, difficulty curves, the quality of weak labels.

Takes `arms` and recomputes nothing that a step has stored. Statistics are `metrics`', the sentences `sentences`',
the alarms `alarms`'.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from w2sg.errors import DataError
from w2sg.metrics.bootstrap import Family
from w2sg.metrics.quality import Inheritance, commonest, inheritance, quality
from w2sg.metrics.verdict import Recovered, accuracy_in, compare_in, holm, recovered_in
from w2sg.records import ItemScore
from w2sg.report import results as schema
from w2sg.report.alarms import alarms
from w2sg.report.arms import ArmResult, RunMeta, StepRecord
from w2sg.report.boosting_controls import boosting_controls, cost_rivals
from w2sg.report.costs import cost_rows
from w2sg.report.counterparts import Made, counterparts, is_null, made_of, own_supervisors
from w2sg.report.labels import label_row
from w2sg.report.lower_rungs import lower_rungs
from w2sg.report.reliability import reliability_rows
from w2sg.report.results import ComparisonRow, DifficultyRow, LabelRow, Results, ResultStratum, Row, Summary
from w2sg.report.rewritten import rewrite_rows
from w2sg.report.rounds import rounds_rows
from w2sg.report.rungs import rung_rows
from w2sg.report.schema import CostRow, ReliabilityRow, RewriteRow, RungRow, TaughtRow
from w2sg.report.schema_rounds import RoundsRow
from w2sg.report.sentences import verdicts
from w2sg.report.taught import taught_rows

BASELINES = ("teacher", "untuned", "self-distillation", "random-labels", "imitation", "ceiling")
"""What every method is compared against, where present."""

CONTROLS = ("teacher", "untuned", "self-distillation", "random-labels")
"""The controls that stand first in the table, in this order; the ceiling stands last."""

CONTROL_PAIRS = (
    ("ceiling", "teacher"),
    ("ceiling", "untuned"),
    ("untuned", "teacher"),
    ("self-distillation", "untuned"),
    ("random-labels", "untuned"),
)
"""What the known controls are compared against; any other control meets the untuned student."""

CURVE_POINTS = 8
"""A difficulty with more distinct values than this is cut into ranges of about equal size."""


Cell = dict[int, list[ItemScore]]
"""One arm's scores in one stratum, by seed."""


def collect(arms: Sequence[ArmResult], meta: RunMeta, *, resamples: int = 10_000, seed: int = 0) -> Results:
    """Compute everything that the report says.

    Raises:
        DataError: there are no arms, one occurs twice or with and without a seed, or arms of one task differ in
            their items.
    """
    grouped, known = _grouped(arms), made_of(meta.settings)
    found = _Tables()
    for task, by_method in grouped.items():
        seeds = sorted({arm.seed for members in by_method.values() for arm in members if arm.seed is not None})
        for stratum in _strata(by_method):
            cells = {name: _cell(members, stratum, seeds) for name, members in by_method.items()}
            family = _family(cells, resamples, seed)
            found.rows += _rows(by_method, task, stratum)
            found.summary += _summaries(by_method, cells, family, task, stratum)
            found.comparisons += _comparisons(family, _controls(by_method), task, stratum, known)
        found.difficulty += _difficulty(by_method, seeds, task, resamples, seed)
        found.labels += [row for name, members in by_method.items() if (row := label_row(task, name, members))]
        found.reliability += reliability_rows(task, by_method, resamples=resamples, seed=seed)
        for name, members in by_method.items():
            found.rungs += rung_rows(task, name, members, resamples=resamples, seed=seed)
            found.rewrites += rewrite_rows(task, name, members)
            found.taught += taught_rows(task, name, members)
            found.costs += cost_rows(task, name, members)
        found.rounds += rounds_rows(task, by_method)
    results = Results(
        name=meta.name,
        command=meta.command,
        created=meta.created,
        w2sg_version=meta.w2sg_version,
        versions=dict(meta.versions),
        hardware=dict(meta.hardware),
        settings=dict(meta.settings),
        resamples=resamples,
        helpers=tuple(schema.Helper(name=h.name, role=h.role, stronger=h.stronger) for h in meta.helpers),
        rows=tuple(found.rows),
        summary=tuple(found.summary),
        comparisons=tuple(found.comparisons),
        difficulty=tuple(found.difficulty),
        labels=tuple(found.labels),
        rewrites=tuple(found.rewrites),
        taught=tuple(found.taught),
        reliability=tuple(found.reliability),
        rungs=tuple(found.rungs),
        costs=tuple(found.costs),
        rounds=tuple(found.rounds),
        provenance=tuple(_provenance(step) for step in meta.provenance),
    )
    constant = {
        task: share for task, by_method in grouped.items() if (share := _teacher_constant(by_method)) is not None
    }
    notes = alarms(results, facts={facts.task: facts for facts in meta.facts}, teacher_constant=constant)
    notes += lower_rungs(results)
    notes += [schema.Note(level="note", task=None, text=text) for text in meta.notes]
    return results.model_copy(update={"verdict": tuple(verdicts(results)), "notes": tuple(notes)})


@dataclass
class _Tables:
    rows: list[Row] = field(default_factory=list)
    summary: list[Summary] = field(default_factory=list)
    comparisons: list[ComparisonRow] = field(default_factory=list)
    difficulty: list[DifficultyRow] = field(default_factory=list)
    labels: list[LabelRow] = field(default_factory=list)
    rewrites: list[RewriteRow] = field(default_factory=list)
    taught: list[TaughtRow] = field(default_factory=list)
    reliability: list[ReliabilityRow] = field(default_factory=list)
    rungs: list[RungRow] = field(default_factory=list)
    costs: list[CostRow] = field(default_factory=list)
    rounds: list[RoundsRow] = field(default_factory=list)


ByMethod = dict[str, list[ArmResult]]


def _grouped(arms: Sequence[ArmResult]) -> dict[str, ByMethod]:
    if not arms:
        raise DataError("There are no results to collect: the run holds no finished arm.")
    tasks: dict[str, ByMethod] = {}
    for arm in arms:
        members = tasks.setdefault(arm.task, {}).setdefault(arm.method, [])
        if any(arm.seed == other.seed or None in (arm.seed, other.seed) for other in members):
            raise DataError(f"The arm {arm.method!r} of {arm.task!r} with seed {arm.seed} is given twice.")
        if not arm.scores:
            raise DataError(f"The arm {arm.method!r} of {arm.task!r} has no scored test item. Give test items.")
        members.append(arm)
    return {task: {name: by_method[name] for name in _ordered(by_method)} for task, by_method in tasks.items()}


def _controls(by_method: ByMethod) -> list[str]:
    return [name for name, members in by_method.items() if members[0].control]


def _ordered(by_method: ByMethod) -> list[str]:
    controls = _controls(by_method)
    known = [name for name in CONTROLS if name in controls]
    own = [name for name in controls if name not in (*CONTROLS, "ceiling")]
    methods = [name for name in by_method if name not in controls]
    return [*known, *own, *methods, *(["ceiling"] if "ceiling" in controls else [])]


def _strata(by_method: ByMethod) -> list[ResultStratum]:
    present = {score.stratum for members in by_method.values() for arm in members for score in arm.scores}
    strata: list[ResultStratum] = ["id", "ood"]
    return [*(stratum for stratum in strata if stratum in present), "all"]


def _in_stratum(scores: Sequence[ItemScore], stratum: ResultStratum) -> list[ItemScore]:
    return [score for score in scores if stratum in ("all", score.stratum)]


def _cell(members: list[ArmResult], stratum: ResultStratum, seeds: list[int]) -> Cell:
    """An arm without a seed stands beside every seed of the others, so that differences stay paired."""
    cell: Cell = {}
    for arm in members:
        scores = _in_stratum(arm.scores, stratum)
        cell.update(dict.fromkeys(seeds or [0], scores) if arm.seed is None else {arm.seed: scores})
    return cell


def _family(cells: Mapping[str, Cell], resamples: int, seed: int) -> Family:
    outcomes = {
        name: {number: {score.id: score.correct for score in scores} for number, scores in cell.items()}
        for name, cell in cells.items()
    }
    return Family(outcomes, resamples=resamples, seed=seed)


def _rows(by_method: ByMethod, task: str, stratum: ResultStratum) -> Iterator[Row]:
    for name, members in by_method.items():
        for arm in members:
            counted = quality(_in_stratum(arm.scores, stratum))
            yield Row(
                task=task,
                method=name,
                control=arm.control,
                stratum=stratum,
                seed=arm.seed,
                accuracy=counted.accuracy,
                low=counted.low,
                high=counted.high,
                n=counted.n,
                unparsed=counted.unparsed,
                tokens_sampled=arm.tokens_sampled,
                tokens_trained=arm.tokens_trained,
                seconds=arm.seconds,
                steps=arm.steps,
            )


def _summaries(
    by_method: ByMethod, cells: Mapping[str, Cell], family: Family, task: str, stratum: ResultStratum
) -> Iterator[Summary]:
    for name, members in by_method.items():
        estimate = accuracy_in(family, name)
        related = _related(cells[name], cells.get("teacher")) if name != "teacher" else []
        counted = [quality(_in_stratum(arm.scores, stratum)) for arm in members]
        yield Summary(
            task=task,
            method=name,
            control=members[0].control,
            stratum=stratum,
            accuracy=estimate.value,
            low=estimate.low,
            high=estimate.high,
            basis=estimate.basis if members[0].seed is not None else "no seed decides it, interval over items only",
            n=counted[0].n,
            seeds=len(members),
            unparsed_share=fmean(one.unparsed_share for one in counted),
            tokens_sampled=fmean(arm.tokens_sampled for arm in members),
            tokens_trained=fmean(arm.tokens_trained for arm in members),
            seconds=fmean(arm.seconds for arm in members),
            agreement=_mean(one.agreement for one in related),
            inherited=_mean(one.inherited for one in related),
            corrected=_mean(one.corrected for one in related),
            broken=_mean(one.broken for one in related),
        )


def _related(cell: Cell, teacher: Cell | None) -> list[Inheritance]:
    shared = [number for number in cell if teacher is not None and number in teacher]
    return [inheritance(cell[number], teacher[number]) for number in shared if teacher is not None]


def _mean(values: Iterator[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _comparisons(
    family: Family, controls: list[str], task: str, stratum: ResultStratum, made_of_arms: Made
) -> list[ComparisonRow]:
    nulls = [name for name in family.arms if name not in controls and is_null(name, family.arms, made_of_arms)]
    methods = [name for name in family.arms if name not in controls and name not in nulls]
    claims = [(method, other) for method in methods for other in BASELINES if other in family.arms and other != method]
    known = {first for first, _ in CONTROL_PAIRS} | {"teacher"}
    pairs = (*CONTROL_PAIRS, *((name, "untuned") for name in controls if name not in known))
    checks = [(name, other) for name, other in pairs if name in controls and other in family.arms]
    own = [(name, other) for name in nulls for other in BASELINES if other in family.arms and other != name]
    rivals = [(name, other) for name in family.arms for other in counterparts(name, family.arms, made_of_arms)]
    for controls_of in (boosting_controls, cost_rivals):
        rivals += [(name, other) for name in family.arms for other in controls_of(name, family.arms, made_of_arms)]
    made: list[ComparisonRow] = []
    met = {*claims, *checks, *own}
    others = [pair for pair in dict.fromkeys(rivals) if pair not in met and pair[::-1] not in met]
    for group in (claims, checks, own, others):
        compared = [compare_in(family, method, against) for method, against in group]
        for (method, against), one, adjusted in zip(group, compared, holm([c.p for c in compared]), strict=True):
            gap = _gap(family, method, against, made_of_arms)
            made.append(
                ComparisonRow(
                    task=task,
                    stratum=stratum,
                    method=method,
                    against=against,
                    difference=one.difference,
                    low=one.low,
                    high=one.high,
                    p=one.p,
                    p_holm=adjusted,
                    minimum_detectable=one.minimum_detectable,
                    pgr=gap.value,
                    pgr_low=gap.low,
                    pgr_high=gap.high,
                    pgr_reason=gap.reason,
                    n_items=one.items,
                    n_seeds=one.seeds,
                    basis=one.basis,
                )
            )
    return made


def _gap(family: Family, method: str, against: str, made_of_arms: Made) -> Recovered:
    if against != "teacher" and against not in own_supervisors(method, family.arms, made_of_arms):
        return Recovered(None, None, None, "given in the row against the teacher")
    if method == "ceiling":
        return Recovered(None, None, None, "the ceiling defines the gap")
    if "ceiling" not in family.arms:
        return Recovered(None, None, None, "there is no ceiling in this run")
    return recovered_in(family, method, weak=against, ceiling="ceiling")


def _difficulty(by_method: ByMethod, seeds: list[int], task: str, resamples: int, seed: int) -> Iterator[DifficultyRow]:
    known = sorted(
        score.difficulty for score in next(iter(by_method.values()))[0].scores if score.difficulty is not None
    )
    if not known or known[0] == known[-1]:
        return
    for easiest, hardest in _ranges(known):
        cells = {
            name: {
                number: [s for s in scores if s.difficulty is not None and easiest <= s.difficulty <= hardest]
                for number, scores in _cell(members, "all", seeds).items()
            }
            for name, members in by_method.items()
        }
        family = _family(cells, resamples, seed)
        for name in by_method:
            estimate = accuracy_in(family, name)
            yield DifficultyRow(
                task=task,
                method=name,
                easiest=easiest,
                hardest=hardest,
                n=len(family.ids),
                accuracy=estimate.value,
                low=estimate.low,
                high=estimate.high,
            )


def _ranges(values: list[float]) -> list[tuple[float, float]]:
    """Cut sorted difficulties into at most `CURVE_POINTS` ranges; equal values stay together."""
    distinct = sorted(set(values))
    if len(distinct) <= CURVE_POINTS:
        return [(value, value) for value in distinct]
    ranges: list[tuple[float, float]] = []
    inside: list[float] = []
    taken = 0
    for value in distinct:
        inside.append(value)
        taken += values.count(value)
        if taken >= len(values) * (len(ranges) + 1) / CURVE_POINTS:
            ranges.append((inside[0], inside[-1]))
            inside = []
    return ranges


def _teacher_constant(by_method: ByMethod) -> float | None:
    """The largest share of one answer among a teacher's, over its seeds."""
    shares = [commonest([score.answer for score in arm.scores]) for arm in by_method.get("teacher", [])]
    return max((share[1] for share in shares if share), default=None)


def _provenance(step: StepRecord) -> schema.Provenance:
    return schema.Provenance(**{**vars(step), "versions": dict(step.versions)})
