"""Cascades whose last student is not their best: what a user must know before taking the model.

The rungs are `rungs`'s. A rung's interval is over the first one, so only that one can be shown to be better than the
last; of others their values speak.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from w2sg.metrics.verdict import points
from w2sg.report.results import Note, Results
from w2sg.report.schema import ResultStratum, RungAccuracy, RungRow
from w2sg.report.sentences import items


def lower_rungs(results: Results) -> Iterator[Note]:
    """Yield a note for every cascade of which a lower rung's student is better on the headline stratum than the last
    one: by its interval, else by value."""
    for task in results.tasks():
        stratum = results.headline(task)
        for method in results.methods(task):
            rungs = [row for row in results.rungs if (row.task, row.method, row.kind) == (task, method, "rung")]
            if len(rungs) > 1 and (said := _better(rungs, stratum)):
                text = f"{said} The last one is what is compared: look at the lower one before you use it."
                yield Note(level="note", task=task, text=text)


def _better(rungs: Sequence[RungRow], stratum: ResultStratum) -> str:
    """Say which rung below the last is better than it; nothing where none is."""
    *below, last = rungs
    of_last, first = _on(last, stratum), below[0]
    best = max(below, key=lambda row: _on(row, stratum).accuracy)
    gain = of_last.gain
    shown = gain is not None and gain.high < 0
    one = first if shown else best
    if _on(one, stratum).accuracy <= of_last.accuracy:
        return ""
    measured = f"{_on(one, stratum).accuracy:.1%} to {of_last.accuracy:.1%}"
    if one is first and gain is not None:
        measured += f", {points(-gain.value)} points ({points(-gain.high)} to {points(-gain.low)})"
    how = "better" if shown else "better by value"
    return (
        f"Of {one.method} the student of rung {one.rung} of {one.of} ({one.student}) is {how} on "
        f"{items(stratum)} than the last one: {measured}."
    )


def _on(row: RungRow, stratum: ResultStratum) -> RungAccuracy:
    return next(one for one in row.accuracies if one.stratum == stratum)
