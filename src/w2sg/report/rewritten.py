"""From graded rewrites to the report: the row of one method, a row for each rung of a cascade.

Counting is `metrics.rewrites`'; tables are the terminal's and the page's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from w2sg.metrics.rewrites import rewrites
from w2sg.report.arms import ArmResult
from w2sg.report.rungs import rungs_of
from w2sg.report.schema import ConfidenceRow, FlipRow, RewriteRow


def rewrite_rows(task: str, method: str, members: Sequence[ArmResult]) -> Iterator[RewriteRow]:
    """Yield what the students of one method made of what they were shown, over all seeds; of a cascade every rung's,
    the lowest first. Nothing without rewrites."""
    rungs = rungs_of(members)
    for number, same in enumerate(rungs, start=1):
        if (row := _row(task, method, same)) is not None:
            yield row.model_copy(update={"rung": number, "of": len(rungs)})


def _row(task: str, method: str, members: Sequence[ArmResult]) -> RewriteRow | None:
    scores = [
        replace(score, id=f"{score.id} {arm.seed}")  # the same question under two seeds counts twice
        for arm in members
        for score in arm.rewrites
    ]
    if not scores:
        return None
    found = rewrites(scores, attempted=any(arm.attempted for arm in members))
    return RewriteRow(
        task=task,
        method=method,
        seeds=sum(bool(arm.rewrites) for arm in members),
        n=found.n,
        taught=found.taught,
        bypassed=found.bypassed,
        shown=found.shown,
        own=found.own,
        learnt=found.learnt,
        flips=tuple(FlipRow(**vars(flip)) for flip in found.flips),
        bins=tuple(ConfidenceRow(**vars(one)) for one in found.bins),
        inherited=found.inherited,
        corrected=found.corrected,
        broken=found.broken,
    )
