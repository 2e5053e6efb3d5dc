"""From graded weak labels to the report: how right the labels of one method are, and how many statements of doubt that
came with them say nothing.

How far their confidence can be trusted is `reliability`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from w2sg.metrics.quality import commonest
from w2sg.metrics.uncertainty import calibration
from w2sg.report.arms import ArmResult
from w2sg.report.results import LabelRow, ReliabilityBin
from w2sg.report.rungs import chain


def label_row(task: str, method: str, members: Sequence[ArmResult]) -> LabelRow | None:
    """Return how good the weak labels of one method are, over all seeds; None where it learnt from none."""
    labels = [label for arm in members for label in arm.labels]
    if not labels:
        return None
    often = commonest([label.answer for label in labels])
    stated = [(label.confidence, label.correct) for label in labels if label.confidence is not None]
    found = calibration([c for c, _ in stated], [right for _, right in stated]) if stated else None
    return LabelRow(
        task=task,
        method=method,
        seeds=sum(bool(arm.labels) for arm in members),
        n=len(labels),
        accuracy=fmean(label.correct for label in labels),
        unparsed=sum(label.answer is None for label in labels),
        statements=sum(one.statements for arm in members for one in chain(arm)),
        empty_statements=sum(one.empty_statements for arm in members for one in chain(arm)),
        commonest_share=often[1] if often else 0.0,
        calibration_error=found.error if found else None,
        brier=found.brier if found else None,
        auroc=found.auroc if found else None,
        reliability=tuple(ReliabilityBin(**vars(bar)) for bar in found.bins) if found else (),
    )
