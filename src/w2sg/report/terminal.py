"""The result table and the verdict as they appear in the terminal, readable at 80 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import get_args

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from w2sg.metrics.rewrites import Choice
from w2sg.metrics.verdict import points
from w2sg.report.results import Note, Results, ResultStratum, Summary
from w2sg.report.rounds import told
from w2sg.report.rungs import rung_name
from w2sg.report.schema import Measured, RungAccuracy
from w2sg.report.sentences import WHERE, overview
from w2sg.report.taught import summed_up

_STYLE = {
    "helped": "green",
    "elicited": "yellow",
    "form only": "yellow",
    "damage avoided": "yellow",
    "above its teacher only": "yellow",
    "no evidence": "yellow",
    "harmed": "red",
    "null control": "dim",
}

_NAME_WIDTH = 20

_LEGEND = (
    "Brackets: 95 % intervals. unread: answers that could not be read, counted as wrong. tokens (sampled and trained) "
    "and time: all steps that a row rests on, shared ones included."
)

_CONFIDENCE = (
    "Confidence of the labels, on the transfer questions: error, calibration error; AUROC, of doubt against wrong "
    "labels; area, under the curve of risk against coverage."
)

_BOOSTING = (
    "Rounds, means over seeds: error and prior error of the expert under the round's weights; alpha, its weight; Z, "
    "sum of the weights after the update; size, effective sample size as a share of all answer tokens (or "
    "questions); top 1 %, share of the weight on the heaviest 1 % of them; kept, seeds in which it is a member, of "
    "those that trained it."
)

_WAYS: tuple[Choice, ...] = get_args(Choice)
_REWRITES = (
    "Rewrites: taught, questions learnt of all; shown, own, learnt, how much is right (%) of what the student was "
    "shown, had said itself and learnt; then how many it learnt, right (✓) and wrong (✗), where its own answer was the "
    "one shown (agreed), where it kept its own, adopted the one shown, or gave a new one."
)


def show(results: Results, console: Console | None = None) -> None:
    """Print tables, verdict and notes."""
    (console or Console()).print(render(results))


def render(results: Results) -> Group:
    """Return everything that `show` prints."""
    parts: list[RenderableType] = []
    for task in results.tasks():
        parts += [Text(), _heading(results, task), table(results, task), *_taught(results, task)]
        parts += _verdict(results, task)
        parts += [*_rungs(results, task), *_experts(results, task), *_rounds(results, task)]
        parts += [*_confidence(results, task), *_rewrites(results, task)]
        parts += [_note(note) for note in results.notes if note.task == task]
    general = [_note(note) for note in results.notes if note.task is None]
    short = [_line("•", "", sentence) for sentence in overview(results)] if len(results.tasks()) > 1 else []
    judged = sorted({WHERE[results.headline(task)] for task in results.tasks()})
    head = [Text(f"\nIn short, on {' and '.join(judged)}:", style="bold")] if short else []
    legends = [_LEGEND, _CONFIDENCE if results.reliability else "", _REWRITES if results.rewrites else ""]
    legends.append(_BOOSTING if results.rounds else "")
    legend = Text(f"\n{' '.join(filter(None, legends))}", style="dim")
    return Group(*parts, *head, *short, *([Text()] if general else []), *general, legend)


def table(results: Results, task: str) -> Table:
    """Return one task's table: every arm with its accuracy by stratum and its cost."""
    strata: list[ResultStratum] = [stratum for stratum in results.strata(task) if stratum != "all"] or ["all"]
    grid = _grid("method")
    for stratum in strata:
        grid.add_column(f"{stratum} %", justify="right", overflow="fold")
    for name in ("unread", "tokens", "time"):
        grid.add_column(name, justify="right", overflow="fold")
    methods, controls = results.methods(task), results.controls(task)
    for place, method in enumerate(methods):
        overall = results.find(task, method, "all")
        if overall is None:
            continue
        cells = [results.find(task, method, stratum) for stratum in strata]
        following = methods[place + 1] if place + 1 < len(methods) else method
        grid.add_row(
            Text(_lines(method), style="" if method in controls else "bold"),
            *(_accuracy(cell) for cell in cells),
            f"{overall.unparsed_share:.0%}",
            quantity(overall.tokens_sampled + overall.tokens_trained),
            duration(overall.seconds),
            end_section=(method in controls) != (following in controls),
        )
    return grid


def _taught(results: Results, task: str) -> list[RenderableType]:
    """One line: how many questions every row was taught."""
    rows = [row for row in results.taught if row.task == task]
    return [Text.assemble(("Taught, of the questions there were: ", "bold"), summed_up(rows))] if rows else []


def _rewrites(results: Results, task: str) -> list[RenderableType]:
    """One line per method whose student rewrites: how right is what it was shown, said first, and learnt."""
    rows = [row for row in results.rewrites if row.task == task]
    if not rows:
        return []
    grid = _grid("rewrites")
    grid.padding = (0, 1, 0, 0)  # nine columns
    for name in ("taught", "shown", "own", "learnt", *_WAYS):
        grid.add_column(name, justify="right", overflow="fold")
    for row in rows:
        flips = {flip.choice: flip for flip in row.flips}
        shares = ["–" if share is None else f"{share:.1%}"[:-1] for share in (row.shown, row.own, row.learnt)]
        chosen = [f"{flips[name].right}✓\n{flips[name].wrong}✗" for name in _WAYS]
        name = _lines(rung_name(row.method, row.rung, row.of), 16)
        grid.add_row(Text(name), f"{row.taught}/{row.n}", *shares, *chosen)
    return [grid]


def _rungs(results: Results, task: str) -> list[RenderableType]:
    """One line per rung of the cascades: how right its labels were, and its student on the test."""
    rows = [row for row in results.rungs if (row.task, row.kind) == (task, "rung")]
    if not rows:
        return []
    grid = _grid("rungs")
    strata = [one.stratum for one in rows[0].accuracies if one.stratum != "all" or len(rows[0].accuracies) == 1]
    for name in ("labels %", *(f"{stratum} %" for stratum in strata)):
        grid.add_column(name, justify="right", overflow="fold")
    for row in rows:
        if row.rung == 1:
            grid.add_row(Text(_lines(row.method)))
        cells = [_interval(one.accuracy, one) for one in row.accuracies if one.stratum in strata]
        grid.add_row(Text(f"  {row.rung} {row.student}"), _measured(row.labels_right), *cells)
    return [grid]


def _experts(results: Results, task: str) -> list[RenderableType]:
    """One line per number of experts: their ensemble on the test, and what it gains over the first expert, in points on
    the headline part."""
    rows = [row for row in results.rungs if (row.task, row.kind) == (task, "prefix")]
    if not rows:
        return []
    grid = _grid("experts")
    strata = [one.stratum for one in rows[0].accuracies if one.stratum != "all" or len(rows[0].accuracies) == 1]
    for name in (*(f"{stratum} %" for stratum in strata), f"gain, {results.headline(task)}"):
        grid.add_column(name, justify="right", overflow="fold")
    for row in rows:
        if row.rung == 1:
            grid.add_row(Text(_lines(row.method)))
        cells = [_interval(one.accuracy, one) for one in row.accuracies if one.stratum in strata]
        gains = [_gain(one.gain) for one in row.accuracies if one.stratum == results.headline(task)]
        grid.add_row(Text(f"  first {row.rung} of {row.of}"), *cells, *gains)
    return [grid]


def _rounds(results: Results, task: str) -> list[RenderableType]:
    """One line per round of every set of experts, means over seeds, and what is to be said of it."""
    rows = [row for row in results.rounds if row.task == task]
    if not rows:
        return []
    grid = _grid("rounds")
    for name in ("error %", "prior %", "alpha", "Z", "size %", "top 1 %", "kept"):
        grid.add_column(name, justify="right", overflow="fold")
    said = []
    for row in rows:
        name = _named(row.used_by)
        grid.add_row(Text(_lines(name)))
        for one in row.rounds:
            shares = [f"{100 * share:.1f}" for share in (one.error, one.prior)]
            weights = [f"{one.alpha:.2f}".replace("-", "−"), f"{one.normaliser:.2f}"]
            spread = [f"{100 * share:.0f}" for share in (one.effective_size, one.heaviest)]
            grid.add_row(Text(f"  {one.number}"), *shares, *weights, *spread, f"{one.kept}/{one.seeds}")
        said.append(_line("•", "", f"{name}: {told(row)}"))
    return [grid, *said]


def _confidence(results: Results, task: str) -> list[RenderableType]:
    """One line per set of labels that state a confidence, and another where it was calibrated."""
    rows = [row for row in results.reliability if row.task == task]
    if not rows:
        return []
    grid = _grid("confidence")
    for name in ("error %", "Brier %", "AUROC %", "area %"):
        grid.add_column(name, justify="right", overflow="fold")
    for row in rows:
        if row.stage == "stated":
            grid.add_row(Text(_lines(_named(row.used_by))))
        cells = [_measured(one) for one in (row.error, row.brier, row.auroc, row.area)]
        grid.add_row(Text(f"  {row.stage}"), *cells)
    return [grid]


def _grid(name: str) -> Table:
    """Return an empty table whose first column holds names, a long one on several lines (see `_lines`)."""
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    grid.add_column(name, overflow="fold", max_width=_NAME_WIDTH)
    return grid


def _lines(name: str, width: int = _NAME_WIDTH) -> str:
    """Break a long name where it has hyphens or spaces."""
    return "\n".join(textwrap.wrap(name, width)) or name


def _heading(results: Results, task: str) -> Text:
    summary = [row for row in results.summary if row.task == task]
    items = ", ".join(
        f"{next(row.n for row in summary if row.stratum == stratum)} {stratum}"
        for stratum in results.strata(task)
        if stratum != "all" or len(results.strata(task)) == 1
    )
    seeds = max(row.seeds for row in summary)
    return Text.assemble((task, "bold"), f"  test items: {items}; seeds: {seeds}")


def _verdict(results: Results, task: str) -> list[RenderableType]:
    stratum: ResultStratum = results.headline(task)
    found = [one for one in results.verdict if (one.task, one.stratum) == (task, stratum)]
    if not found:
        return []
    head = Text(f"Verdict on {WHERE[stratum]}:", style="bold")
    return [head, *(_line("•", _STYLE[one.finding], one.sentence) for one in found)]


def _note(note: Note) -> RenderableType:
    return _line("Alarm:", "bold red", note.text) if note.level == "alarm" else _line("Note:", "bold", note.text)


def _line(head: str, style: str, text: str) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_row(Text(head, style=style), Text(text))
    return grid


def _accuracy(summary: Summary | None) -> Text:
    if summary is None:
        return Text("–")
    return _interval(summary.accuracy, summary)


def _named(used_by: Sequence[str]) -> str:
    """The first of several names, and how many more there are."""
    return used_by[0] + (f" +{len(used_by) - 1}" if len(used_by) > 1 else "")


def _gain(gain: Measured | None) -> Text:
    if gain is None:
        return Text("–")
    ends = f" [{points(gain.low)} to {points(gain.high)}]"
    return Text.assemble(points(gain.value), (ends, "dim"))


def _measured(one: Measured | None) -> Text:
    return Text("–") if one is None else _interval(one.value, one)


def _interval(value: float, ends: Summary | RungAccuracy | Measured) -> Text:
    return Text.assemble(f"{100 * value:.1f}", (f" [{100 * ends.low:.0f}–{100 * ends.high:.0f}]", "dim"))


def quantity(count: float) -> str:
    """Write a count in three digits or so: 950, 12k, 3.4M."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= 0.9995 * size:
            return f"{count / size:.1f}{unit}" if count < 9.95 * size else f"{count / size:.0f}{unit}"
    return f"{count:.0f}"


def duration(seconds: float) -> str:
    """Write a duration: 4 s, 2 min, 1.5 h."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5970 else f"{seconds / 3600:.1f} h"
