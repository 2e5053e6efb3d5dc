"""`w2sg report`: the results of a finished run, shown again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of a finished run.", show_default=False)],
) -> None:
    """Show the results of a finished run again, and write its page anew. Nothing is computed.

    \b
    w2sg report runs/quickstart
    """
    from rich.console import Console
    from rich.text import Text

    from w2sg.cli.outcome import REPORT, RESULTS, where
    from w2sg.errors import StoreError
    from w2sg.report.page import write_page
    from w2sg.report.results import Results
    from w2sg.report.terminal import show

    if not (folder / RESULTS).is_file():
        raise StoreError(f"There is no {RESULTS} in {str(folder)!r}. Give the folder of a finished run (its --out).")
    results = Results.load(folder / RESULTS)
    write_page(results, folder / REPORT)
    console = Console()
    show(results, console)
    console.print(Text(f"\n{where(folder)}"))
