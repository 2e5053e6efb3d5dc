"""From the arms of a cascade to the report: every rung's student on the test, and how right the labels were that it
learnt from. The ensembles of a method's first few experts stand below it as rungs stand below a cascade's student, and
are reported alike; they are no rungs.

Both are shown, not judged: a cascade is compared by its last rung, an ensemble by all its experts, in `collect`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from w2sg.metrics.bootstrap import Family
from w2sg.metrics.verdict import accuracy_in, compare_in
from w2sg.report.arms import ArmResult
from w2sg.report.schema import Measured, ResultStratum, RungAccuracy, RungRow


def chain(arm: ArmResult) -> tuple[ArmResult, ...]:
    """Return what stands below an arm, the lowest first, and the arm itself."""
    return (*arm.below, arm)


def rungs_of(members: Sequence[ArmResult]) -> list[tuple[ArmResult, ...]]:
    """Return the rungs of a cascade's arms, one per seed, the lowest rung first; arms of any other method, also where
    ensembles of their first experts stand below them, are their own only rung."""
    is_cascade = members[0].below_is == "rung"
    return list(zip(*map(chain, members), strict=True)) if is_cascade else [tuple(members)]


def rung_name(method: str, number: int, count: int) -> str:
    """Return what a rung of a cascade is called; `number` counts from 1."""
    return method if count == 1 else f"{method} (rung {number} of {count})"


def rung_rows(task: str, method: str, members: Sequence[ArmResult], *, resamples: int, seed: int) -> Iterator[RungRow]:
    """Yield what stands below an arm, the lowest first, and the arm itself, over all seeds; nothing where there is
    nothing below it."""
    standing = list(zip(*map(chain, members), strict=True))
    if len(standing) < 2:
        return
    present = {score.stratum for score in members[0].scores}
    strata: list[ResultStratum] = [*(name for name in ("id", "ood") if name in present), "all"]
    families = {
        stratum: Family(
            {
                str(number): {
                    arm.seed or 0: {s.id: s.correct for s in arm.scores if stratum in ("all", s.stratum)}
                    for arm in same
                }
                for number, same in enumerate(standing)
            },
            resamples=resamples,
            seed=seed,
        )
        for stratum in strata
    }
    for number, same in enumerate(standing):
        accuracies = []
        for stratum, family in families.items():
            found = accuracy_in(family, str(number))
            accuracies.append(
                RungAccuracy(
                    stratum=stratum,
                    accuracy=found.value,
                    low=found.low,
                    high=found.high,
                    n=len(family.ids),
                    gain=_gain(family, number),
                )
            )
        yield RungRow(
            task=task,
            method=method,
            kind=members[0].below_is,
            rung=number + 1,
            of=len(standing),
            student=same[0].model,
            seeds=len(same),
            unparsed_share=fmean(not score.parsed for arm in same for score in arm.scores),
            accuracies=tuple(accuracies),
            labels=sum(len(arm.labels) for arm in same),
            labels_right=_right(same, resamples, seed),
        )


def _gain(family: Family, number: int) -> Measured | None:
    """Return by how much one is more accurate than the first; None for the first itself."""
    if number == 0:
        return None
    found = compare_in(family, str(number), "0")
    return Measured(value=found.difference, low=found.low, high=found.high)


def _right(same: Sequence[ArmResult], resamples: int, seed: int) -> Measured | None:
    """Return the share of the labels learnt from that is right, with its interval; None without graded labels."""
    outcomes = {arm.seed or 0: {label.id: label.correct for label in arm.labels} for arm in same}
    if not all(outcomes.values()):
        return None
    found = accuracy_in(Family({"labels": outcomes}, resamples=resamples, seed=seed), "labels")
    return Measured(value=found.value, low=found.low, high=found.high)
