"""`w2sg task`: what a data file holds, before anything is trained on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Look at tasks and data files.", no_args_is_help=True)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSONL, JSON or parquet.", show_default=False)],
) -> None:
    """Say what a file of questions holds: rows, columns, duplicates, and the rows that a run would refuse.

    \b
    w2sg task check gold.jsonl
    """
    from rich.console import Console
    from rich.text import Text

    from w2sg.errors import DataError
    from w2sg.tasks.check import check_file

    found = check_file(file)
    Console(soft_wrap=True).print(Text(found.text()))
    if not found.ok:
        raise DataError(f"{len(found.faults):,} of {found.rows:,} rows in {str(file)!r} would be refused. Mend them.")


@app.command("list")
def list_() -> None:
    """List the tasks that an experiment can name."""
    from rich.console import Console
    from rich.table import Table

    from w2sg.tasks import TASKS

    table = Table(box=None, pad_edge=False)
    table.add_column("task", overflow="fold")
    table.add_column("what it is", overflow="fold")
    for name in TASKS.names():
        table.add_row(name, " ".join((TASKS.get(name).__doc__ or "").split()))
    Console().print(table)
