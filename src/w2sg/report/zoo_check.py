"""What `w2sg zoo check` finds: six criteria of a pair of models from the zoo on each kind of the world's questions.

The criteria were fixed before the zoo was tuned to them, and stand here with their thresholds. What is run for them is
`runs.zoo_check`'s, how a bound is judged `criteria`'s, the form of the result `zoo_check_results`', how it is shown
`zoo_check_text`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import w2sg
from w2sg.config import fingerprint
from w2sg.metrics.bootstrap import Family, Outcomes
from w2sg.metrics.spread import between, disagreement
from w2sg.metrics.verdict import Comparison, Estimate, accuracy_in, compare_in
from w2sg.records import STRATA, ItemScore, LabelScore
from w2sg.report.criteria import Bounds, overall
from w2sg.report.gather import gather
from w2sg.report.results import ResultStratum
from w2sg.report.zoo_check_results import (
    SCHEMA_VERSION,
    Accuracy,
    CheckResults,
    Criterion,
    Figure,
    KindCheck,
    Opening,
    Unit,
)
from w2sg.runs.store import Store
from w2sg.runs.zoo_check import Check
from w2sg.steps.inputs import read_label_scores
from w2sg.steps.probe import SHOWN, ProbeScore, Shown, read_probe_scores

TITLES = (
    "The untuned student lies far below its ceiling",
    "The teacher is weaker than the ceiling, often right, and right where the student is wrong",
    "Plain imitation lies between the teacher and the ceiling",
    "The untuned student reads what it is shown",
    "The hard questions are hard for the teacher, and gold helps on them",
    "Seeds of the tuned teacher disagree",
)
ARMS = ("teacher", "untuned", "imitation", "ceiling")
ROOM = Bounds(least=0.10)
WEAKER = Bounds(least=0.15)
OFTEN_RIGHT = Bounds(least=0.25, most=0.75)
NEWS = Bounds(least=0.10)
BETWEEN = Bounds(least=0.0, strict=True)
READS = Bounds(least=0.15)
WEIGHS = Bounds(least=0.0, strict=True, shown=True)
HARDER = Bounds(least=0.10)
GOLD_HELPS = Bounds(least=0.10)
DISAGREE = Bounds(least=0.10)

Seeded = Mapping[int, Sequence[ItemScore]]

_STRATA: tuple[ResultStratum, ...] = ("all", *STRATA)
_UNSEEDED = "no seed decides it, interval over items only"


@dataclass(frozen=True)
class Measured:
    """What was graded on one kind: test scores by arm and seed, the teacher's answers to the transfer questions by
    seed, the untuned student's own, and the probe of its reading."""

    task: str
    scores: Mapping[str, Seeded]
    teacher: Mapping[int, Sequence[LabelScore]]
    untuned: Sequence[LabelScore]
    probes: Sequence[ProbeScore]


def identity(check: Check) -> str:
    """Return the fingerprint of everything that the figures of a check rest on."""
    steps = sorted(step.fingerprint for step in check.steps)
    seeds = list(check.experiment.seeds)
    return fingerprint([SCHEMA_VERSION, w2sg.__version__, steps, seeds, check.experiment.statistics.identity()])


def measure(check: Check, store: Store) -> CheckResults:
    """Return what a finished check found.

    Raises:
        StoreError: a step is missing or damaged.
    """
    arms, meta = gather(check, store)
    experiment = check.experiment
    resamples = experiment.statistics.resamples
    kinds = []
    for task, own in check.own.items():
        scores: dict[str, dict[int, Sequence[ItemScore]]] = {}
        labels: dict[int, Sequence[LabelScore]] = {}
        for arm in arms:
            if arm.task == task:
                # An arm that no seed decides stands beside every seed of the others, so that differences stay paired.
                seeds = experiment.seeds if arm.seed is None else (arm.seed,)
                scores.setdefault(arm.method, {}).update(dict.fromkeys(seeds, arm.scores))
                if arm.labels and arm.seed is not None:
                    labels[arm.seed] = arm.labels
        probes = read_probe_scores(store.folder(check.probes[task]))
        found = Measured(task, scores, labels, read_label_scores(store.folder(own)), probes)
        kinds.append(judge(found, resamples=resamples))
    return CheckResults(
        plan=identity(check),
        command=meta.command,
        created=meta.created,
        w2sg_version=meta.w2sg_version,
        versions=dict(meta.versions),
        hardware=dict(meta.hardware),
        settings=dict(meta.settings),
        resamples=resamples,
        teacher=experiment.teacher.path,
        student=experiment.student.path,
        kinds=tuple(kinds),
        seconds=round(sum(step.seconds for step in meta.provenance), 1),
        opened=tuple(
            Opening(step=step.fingerprint, label=step.label, reasons=step.opened_gold)
            for step in meta.provenance
            if step.opened_gold
        ),
    )


def judge(found: Measured, *, resamples: int = 10_000) -> KindCheck:
    """Judge the six criteria on one kind.

    Raises:
        DataError: arms or seeds were not graded on the same questions.
    """
    tests = {stratum: family for stratum in _STRATA if (family := _test(found, stratum, resamples))}
    accuracy = tuple(
        Accuracy(arm=arm, stratum=stratum, value=one.value, low=one.low, high=one.high, n=len(family.ids))
        for arm in ARMS
        for stratum, family in tests.items()
        for one in [accuracy_in(family, arm)]
    )
    figures = (
        tuple(_gaps(tests, "ceiling", "untuned", ROOM)),
        (*_gaps(tests, "ceiling", "teacher", WEAKER), *_worth(found, resamples)),
        (*_gaps(tests, "imitation", "teacher", BETWEEN), *_gaps(tests, "ceiling", "imitation", BETWEEN)),
        tuple(_reading(found, resamples)),
        tuple(_hard(tests)),
        (_disagreeing(found, resamples),),
    )
    criteria = tuple(
        Criterion(number=number, title=title, status=overall(one.status for one in some if one.status), figures=some)
        for number, (title, some) in enumerate(zip(TITLES, figures, strict=True), start=1)
    )
    return KindCheck(task=found.task, seeds=tuple(sorted(found.teacher)), accuracy=accuracy, criteria=criteria)


def _test(found: Measured, stratum: ResultStratum, resamples: int) -> Family | None:
    """Return the arms on the test questions of a stratum; None when it has none."""
    arms = {
        arm: {
            seed: {score.id: score.correct for score in scores if stratum in ("all", score.stratum)}
            for seed, scores in seeds.items()
        }
        for arm, seeds in found.scores.items()
    }
    empty = not any(outcomes for seeds in arms.values() for outcomes in seeds.values())
    return None if empty else Family(arms, resamples=resamples)


def _gaps(tests: Mapping[ResultStratum, Family], arm: str, against: str, bounds: Bounds) -> Iterator[Figure]:
    """Yield how much better one arm is on all test questions, and, for the reader, on either part of them."""
    for stratum, family in tests.items():
        gap = _estimate(compare_in(family, arm, against))
        if stratum == "all":
            yield _figure(f"{arm} − {against}", "points", gap, bounds)
        else:
            yield _figure(f"{arm} − {against} on {stratum}", "points", gap)


def _worth(found: Measured, resamples: int) -> Iterator[Figure]:
    """Yield what the teacher's answers to the transfer questions are worth to the untuned student."""
    known = {label.id: label.correct for label in found.untuned}
    right: Outcomes = {seed: {label.id: label.correct for label in labels} for seed, labels in found.teacher.items()}
    news = {
        seed: {id: correct and not known.get(id, True) for id, correct in answers.items()}
        for seed, answers in right.items()
    }
    family = Family({"teacher": right, "news": news, "untuned": dict.fromkeys(right, known)}, resamples=resamples)
    yield _figure("teacher right on transfer", "share", accuracy_in(family, "teacher"), OFTEN_RIGHT)
    yield _figure("teacher right where untuned is wrong, of all transfer", "share", accuracy_in(family, "news"), NEWS)
    yield _figure("untuned right on transfer", "share", _unseeded(accuracy_in(family, "untuned")))


def _reading(found: Measured, resamples: int) -> Iterator[Figure]:
    """Yield how far the untuned student's replies depend on what it is shown."""
    by_shown = {shown: [score for score in found.probes if score.shown == shown] for shown in SHOWN}

    def pair(*names: Shown, follows: bool = False) -> Family:
        outcomes: dict[str, Outcomes] = {
            name: {0: {one.id: one.follows if follows else one.correct for one in by_shown[name]}} for name in names
        }
        return Family(outcomes, resamples=resamples)

    right, following = pair("own", "other"), pair("often", "rarely", follows=True)
    gain = _unseeded(_estimate(compare_in(right, "own", "other")))
    yield _figure("right with this question's demonstration − with another's", "points", gain, READS)
    yield _figure("right with this question's demonstration", "share", _unseeded(accuracy_in(right, "own")))
    yield _figure("right with another question's", "share", _unseeded(accuracy_in(right, "other")))
    weighed = _unseeded(_estimate(compare_in(following, "often", "rarely")))
    yield _figure("wrong answer followed when given often − rarely", "points", weighed, WEIGHS)
    for name in ("often", "rarely"):
        share = _unseeded(accuracy_in(following, name))
        yield _figure(f"wrong answer followed when given {name}", "share", share)


def _hard(tests: Mapping[ResultStratum, Family]) -> Iterator[Figure]:
    """Yield how much harder the ood questions are for the teacher, and what gold gives there."""
    harder = gain = None
    if "id" in tests and "ood" in tests:
        harder = between(accuracy_in(tests["id"], "teacher"), accuracy_in(tests["ood"], "teacher"))
    if "ood" in tests:
        gain = _estimate(compare_in(tests["ood"], "ceiling", "teacher"))
    yield _figure("teacher on id − on ood", "points", harder, HARDER)
    yield _figure("ceiling − teacher on ood", "points", gain, GOLD_HELPS)


def _disagreeing(found: Measured, resamples: int) -> Figure:
    answers = {seed: {label.id: label.answer for label in labels} for seed, labels in found.teacher.items()}
    share = disagreement(answers, resamples=resamples) if len(answers) > 1 else None
    return _figure("transfer questions that two seeds answer differently", "share", share, DISAGREE)


def _estimate(compared: Comparison) -> Estimate:
    return Estimate(compared.difference, compared.low, compared.high, compared.basis)


def _unseeded(estimate: Estimate) -> Estimate:
    return replace(estimate, basis=_UNSEEDED)


def _figure(name: str, unit: Unit, estimate: Estimate | None, bounds: Bounds | None = None) -> Figure:
    return Figure(
        name=name,
        unit=unit,
        value=estimate.value if estimate else None,
        low=estimate.low if estimate else None,
        high=estimate.high if estimate else None,
        basis=estimate.basis if estimate else "",
        wanted=bounds.in_words(unit == "points") if bounds else "",
        status=bounds.judge(estimate) if bounds else None,
    )
