"""What `w2sg zoo check` found, as tables in the terminal and as Markdown; both show the same figures."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from w2sg.metrics.verdict import points
from w2sg.records import STRATA
from w2sg.report.criteria import Status
from w2sg.report.terminal import duration
from w2sg.report.zoo_check_results import CheckResults, Criterion, Figure, KindCheck

_STYLE: dict[Status, str] = {
    "met, interval clear": "green",
    "met, interval not": "yellow",
    "not met": "red",
    "not measured": "red",
}
_BRIEF: dict[Status, str] = {
    "met, interval clear": "clear",
    "met, interval not": "value",
    "not met": "no",
    "not measured": "?",
}
LEGEND = (
    "Brackets: 95 % intervals. A criterion is met when the values of its figures are within their bounds; 'interval "
    "clear' says that the whole intervals are too ('clear' beside a figure; 'value' where only its value is). "
    "Differences are in percentage points. Figures without a bound are there for the reader. Gold of the transfer "
    "questions was opened to grade, to train the ceiling and to be shown to the untuned student whose reading was "
    "probed, and every opening is in the record; nothing but the ceiling learnt from it."
)

Rows = list[tuple[str, ...]]


def show(results: CheckResults, console: Console | None = None) -> None:
    """Print the tables."""
    console = console or Console()
    console.print(Text(heading(results), "bold"))
    for kind in results.kinds:
        console.print(Text(f"\n{_about(kind)}"))
        console.print(_table(("arm", *_strata(kind)), accuracy_rows(kind)))
        for one in kind.criteria:
            title = Text(f"{one.number}. {one.title}: ", "bold")
            console.print(title.append(one.status, f"bold {_STYLE[one.status]}"))
            console.print(_figures(one))
    console.print(Text("\nIn short:", "bold"))
    console.print(_table(("criterion", *(kind.task for kind in results.kinds)), overview_rows(results)))
    console.print(Text(f"\n{LEGEND}", "dim"))


def markdown(results: CheckResults) -> str:
    """Return the same as a page in Markdown."""
    parts = [
        f"# {_plain(heading(results))}",
        f"Made by: {_plain(results.command)}, with w2sg {results.w2sg_version}"
        f"{f', {results.created}' if results.created else ''}; {duration(results.seconds)} of work.",
        _grid(("criterion", *(kind.task for kind in results.kinds)), overview_rows(results)),
    ]
    for kind in results.kinds:
        parts += [
            f"## {_about(kind)}",
            _grid(("arm", *_strata(kind)), accuracy_rows(kind)),
            _grid(("criterion", "found", "wanted", "verdict"), criteria_rows(kind)),
        ]
    return "\n\n".join([*parts, LEGEND]) + "\n"


def heading(results: CheckResults) -> str:
    """Return the line that names the pair."""
    return f"Check of the zoo: teacher {results.teacher}, student {results.student}"


def overview_rows(results: CheckResults) -> Rows:
    """Return a row for each criterion with its verdict on each kind."""
    columns = [[one.status for one in kind.criteria] for kind in results.kinds]
    first = results.kinds[0].criteria
    return [(f"{one.number}. {one.title}", *(column[place] for column in columns)) for place, one in enumerate(first)]


def accuracy_rows(kind: KindCheck) -> Rows:
    """Return a row for each arm with its accuracy by stratum."""
    arms = dict.fromkeys(row.arm for row in kind.accuracy)
    cells = {(row.arm, row.stratum): row for row in kind.accuracy}
    return [
        (
            arm,
            *(
                f"{100 * cell.value:.1f} % [{100 * cell.low:.0f}–{100 * cell.high:.0f}]"
                for stratum in _strata(kind)
                for cell in [cells[arm, stratum]]  # type: ignore[index]
            ),
        )
        for arm in arms
    ]


def criteria_rows(kind: KindCheck) -> Rows:
    """Return a row for each criterion, and below it one for each of its figures."""
    rows: Rows = []
    for one in kind.criteria:
        rows.append((f"{one.number}. {one.title}", "", "", one.status))
        rows += [(figure.name, in_words(figure), figure.wanted, figure.status or "") for figure in one.figures]
    return rows


def in_words(figure: Figure) -> str:
    """Return a figure with its interval, in points or per cent."""
    if figure.value is None or figure.low is None or figure.high is None:
        return "–"
    if figure.unit == "points":
        return f"{points(figure.value)} [{points(figure.low)} to {points(figure.high)}]"
    return f"{100 * figure.value:.1f} % [{100 * figure.low:.0f}–{100 * figure.high:.0f}]"


def _strata(kind: KindCheck) -> list[str]:
    there = {row.stratum for row in kind.accuracy}
    return [stratum for stratum in (*STRATA, "all") if stratum in there]


def _about(kind: KindCheck) -> str:
    counts = {row.stratum: row.n for row in kind.accuracy}
    items = ", ".join(f"{counts[stratum]} {stratum}" for stratum in STRATA if stratum in counts)
    return f"{kind.task}: {len(kind.seeds)} seed{'s' if len(kind.seeds) != 1 else ''}, test items {items}"


def _figures(criterion: Criterion) -> Table:
    """Return the figures of one criterion, in columns as wide as those of the others."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    for width in (2, 32, 22, 14, 5):
        grid.add_column(width=width, overflow="fold")
    for figure in criterion.figures:
        brief = Text(_BRIEF[figure.status], _STYLE[figure.status]) if figure.status else Text()
        grid.add_row(Text(), Text(figure.name), Text(in_words(figure)), Text(figure.wanted), brief)
    return grid


def _table(names: Sequence[str], rows: Rows) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell, _STYLE.get(cell, "")) for cell in row))  # type: ignore[call-overload]
    return table


def _grid(names: Sequence[str], rows: Rows) -> str:
    lines = [names, tuple("---" for _ in names), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _plain(text: str) -> str:
    """Keep text from a command line or a path from being read as Markdown or as a second cell."""
    return text.translate({ord(sign): f"\\{sign}" for sign in "\\|`*_[]<>#"}).replace("\n", " ")
