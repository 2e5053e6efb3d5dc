"""From what the arms were taught to the report: how many questions each model learnt from, of those there were, in a
row, in a line, and as an alarm where they are few.

What the steps left is read by `taught_files`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean
from typing import get_args

from w2sg.report.arms import ArmResult
from w2sg.report.rungs import rung_name, rungs_of
from w2sg.report.schema import TaughtRow, WhyRow, WhyUntaught

FEW = 0.5
"""Fewer than this share of the questions taught, or more than this share of the rewrites cut, is an alarm."""


def is_alarming(taught: float, questions: float, rewrites: float | None, cut: float | None) -> bool:
    """Whether so few questions were taught, or so many rewrites cut, that the reader must know."""
    return taught < FEW * questions or (rewrites is not None and cut is not None and cut > FEW * rewrites)


def taught_rows(task: str, method: str, members: Sequence[ArmResult]) -> Iterator[TaughtRow]:
    """Yield what one method's student was taught, means over seeds; of a cascade every rung's, the lowest first.
    Nothing for a model that was not tuned here."""
    rungs = rungs_of(members)
    for number, same in enumerate(rungs, start=1):
        made = [arm.taught for arm in same if arm.taught is not None]
        if not made:
            continue
        told = [one.why for one in made if one.why]
        rewritten = [(one.rewrites, one.cut) for one in made if one.rewrites is not None and one.cut is not None]
        yield TaughtRow(
            task=task,
            method=method,
            rung=number,
            of=len(rungs),
            seeds=len(made),
            taught=fmean(one.taught for one in made),
            questions=fmean(one.questions for one in made),
            rewrites=fmean(one for one, _ in rewritten) if rewritten else None,
            cut=fmean(one for _, one in rewritten) if rewritten else None,
            why=tuple(
                WhyRow(reason=reason, count=fmean(why.get(reason, 0) for why in told))
                for reason in get_args(WhyUntaught)
                if any(reason in why for why in told)
            ),
        )


def few_taught(rows: Sequence[TaughtRow]) -> str:
    """Return the alarm on a task's rows: who learnt from few questions or was mostly cut, and why; "" for none."""
    said = [told(row) for row in rows if row.why or is_alarming(row.taught, row.questions, row.rewrites, row.cut)]
    if not said:
        return ""
    return (
        "Fewer than half of the questions taught the student, or most of what it rewrote was cut: "
        f"{'; '.join(said)}. What is judged learnt from no more than that. See whether max_new_tokens and the model's "
        "context are large enough, and whether the answers can be read."
    )


def told(row: TaughtRow) -> str:
    """Return how many questions one row was taught, and why not more: `alice learnt from 3 of 100 (of 372 ...)`."""
    parts = [f"{of(one.count)} {one.reason}" for one in row.why]
    if row.rewrites is not None and row.why:
        parts.insert(0, f"{of(row.rewrites)} rewrites in all")
    return f"{name(row)} learnt from {of(row.taught)} of {of(row.questions)}" + (
        f" ({', '.join(parts)})" if parts else ""
    )


def summed_up(rows: Sequence[TaughtRow]) -> str:
    """Return how many questions every row was taught, in a line: `93 of 100 imitation; 3 of 100 alice`."""
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(f"{of(row.taught)} of {of(row.questions)}", []).append(name(row))
    return "; ".join(f"{count} {', '.join(same)}" for count, same in names.items())


def name(row: TaughtRow) -> str:
    """Return what a row is called, its rung included."""
    return rung_name(row.method, row.rung, row.of)


def of(count: float) -> str:
    """Write a count that may be a mean over seeds: `93`, `93.5`."""
    return f"{round(count, 1):g}" if count < 1e5 else f"{count:.0f}"
