"""Markdown in the terminal, with tables of which nothing is cut, however narrow it is."""

from __future__ import annotations

from typing import Any, ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Markdown, MarkdownElement, TableElement
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text


class _WholeTable(TableElement):
    """A table whose columns are as wide as their longest word at least; where there is no room for that, every row is
    written out as a list, a line for each cell."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table, or its rows."""
        for table in super().__rich_console__(console, options):
            assert isinstance(table, Table)
            widths = _widths(table, console, options)
            if widths is None:
                yield from _written_out(table)
                return
            for column, width in zip(table.columns, widths, strict=True):
                column.width = width
            yield table


class WholeMarkdown(Markdown):
    """Markdown whose tables keep all their text."""

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {**Markdown.elements, "table_open": _WholeTable}


def _widths(table: Table, console: Console, options: ConsoleOptions) -> list[int] | None:
    """Return the columns' widths, none below its longest word; None where they do not fit beside each other."""
    sizes: list[Measurement] = []
    for column in table.columns:
        cells = [Measurement.get(console, options, cell) for cell in (column.header, *column.cells)]
        sizes.append(Measurement(max(cell.minimum for cell in cells), max(cell.maximum for cell in cells)))
    between = 2 * len(sizes)  # a space on either side, and the box
    room = options.max_width - between - sum(size.minimum for size in sizes)
    if room < 0:
        return None
    widths = [size.minimum for size in sizes]
    while room > 0 and any(width < size.maximum for width, size in zip(widths, sizes, strict=True)):
        # The column that lacks most grows first, so that rows take as few lines as they can.
        lacking = [size.maximum - width for width, size in zip(widths, sizes, strict=True)]
        widths[lacking.index(max(lacking))] += 1
        room -= 1
    return widths


def _written_out(table: Table) -> RenderResult:
    headers = [column.header for column in table.columns]
    for row in zip(*(column.cells for column in table.columns), strict=True):
        yield Text()
        for place, (header, cell) in enumerate(zip(headers, row, strict=True)):
            yield Text.assemble("• " if place == 0 else "  ", _text(header), ": ", _text(cell))
    yield Text()


def _text(cell: Any) -> Text:
    return cell if isinstance(cell, Text) else Text(str(cell))
