"""From graded labels to the report: how far the confidence that comes with them can be trusted, before and after
calibration.

Measures and intervals are `metrics.uncertainty`'s; grades come from the steps that open sealed gold; tables and plots
are the terminal's and the page's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from w2sg.metrics.uncertainty import calibration, calibration_intervals, risk_coverage
from w2sg.metrics.verdict import Estimate
from w2sg.records import LabelScore
from w2sg.report.arms import ArmResult
from w2sg.report.rungs import rung_name, rungs_of
from w2sg.report.schema import Measured, ReliabilityBin, ReliabilityRow, RiskPoint, Stage

RESAMPLES = 2000
"""At most so many: each measure is drawn anew for every set of labels, and its interval hardly moves beyond."""

POINTS = 100
"""Points of a risk-coverage curve at most."""

_Labels = tuple[tuple[int | None, LabelScore], ...]
"""The labels of all seeds, each with its seed."""


def reliability_rows(
    task: str, by_method: Mapping[str, Sequence[ArmResult]], *, resamples: int, seed: int
) -> Iterator[ReliabilityRow]:
    """Yield how far the confidence of each set of labels of a task can be trusted, over all seeds: as it was stated,
    and where it was calibrated also afterwards.

    Arms that learnt from the same labels share a row. A label without a readable answer is wrong and stays in.
    """
    for labels, used_by in _sets(by_method).items():
        known = [(number, label) for number, label in labels if label.confidence is not None]
        if not known:
            continue
        seeds = len({number for number, _ in known})
        right = [label.correct for _, label in known]
        items = [label.id for _, label in known]
        stages: dict[Stage, list[float | None]] = {"calibrated": [label.confidence for _, label in known]}
        if any(label.stated is not None for _, label in known):
            stages = {"stated": [label.stated for _, label in known], **stages}
        else:
            stages = {"stated": stages["calibrated"]}
        for stage, stated in stages.items():
            confidence = [0.0 if one is None else one for one in stated]
            found = calibration(confidence, right)
            drawn = calibration_intervals(
                confidence, right, items=items, resamples=min(resamples, RESAMPLES), seed=seed
            )
            curve = risk_coverage(confidence, right)
            yield ReliabilityRow(
                task=task,
                used_by=tuple(used_by),
                stage=stage,
                seeds=seeds,
                n=found.n,
                accuracy=found.accuracy,
                confidence=fmean(confidence),
                error=_measured(drawn["error"]),
                mass_error=_measured(drawn["mass_error"]),
                brier=_measured(drawn["brier"]),
                auroc=_measured(drawn["auroc"]),
                area=_measured(drawn["area"]),
                best_area=curve.best_area,
                bins=tuple(ReliabilityBin(**vars(bar)) for bar in found.bins),
                curve=tuple(thinned(curve.coverage, curve.risk)),
            )


def _sets(by_method: Mapping[str, Sequence[ArmResult]]) -> dict[_Labels, list[str]]:
    """Return the different sets of labels, those of each supervisor for itself, each with the names of the arms, and
    rungs of arms, that learnt from it."""
    found: dict[_Labels, list[str]] = {}
    for method, members in by_method.items():
        rungs = rungs_of(members)
        for number, same in enumerate(rungs, start=1):
            name = rung_name(method, number, len(rungs))
            for place in range(1 + len(same[0].other_labels)):
                labels = tuple((arm.seed, label) for arm in same for label in (arm.labels, *arm.other_labels)[place])
                if labels:
                    found.setdefault(labels, []).append(f"{name} (supervisor {place + 1})" if place else name)
    return found


def _measured(estimate: Estimate | None) -> Measured | None:
    return None if estimate is None else Measured(value=estimate.value, low=estimate.low, high=estimate.high)


def thinned(coverage: Sequence[float], risk: Sequence[float]) -> Iterator[RiskPoint]:
    """Yield the points of a curve, at most `POINTS` of them: the first at or beyond each of as many even steps of
    coverage, and so the last."""
    passed = 0
    for place, (share, wrong) in enumerate(zip(coverage, risk, strict=True)):
        step = int(share * POINTS + 1e-9)
        if step > passed or place == len(coverage) - 1:
            passed = step
            yield RiskPoint(coverage=share, risk=wrong)
