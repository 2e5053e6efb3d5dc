"""`w2sg ls`: what a store holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def ls(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A run's folder, or a store.", envvar="W2SG_STORE")],
    kind: Annotated[
        str | None, typer.Option("--kind", help="Only steps of this kind: task, sample, label, targets, fit, score.")
    ] = None,
    where: Annotated[bool, typer.Option("--where", help="Name each step's folder too.")] = False,
) -> None:
    """List the finished steps in a store: what each is, and what it cost.

    \b
    w2sg ls runs/quickstart
    w2sg ls runs/quickstart --kind fit
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from w2sg.cli.progress import clock
    from w2sg.errors import StoreError
    from w2sg.runs.store import Store

    store = folder / "store" if (folder / "store").is_dir() else folder
    records = [record for record in Store(store).finished() if kind in (None, record["identity"]["kind"])]
    if not records:
        known = f" of kind {kind!r}" if kind else ""
        raise StoreError(f"There are no finished steps{known} in {str(store)!r}. Give the folder of a run or a store.")
    table = Table(box=None, pad_edge=False)
    table.add_column("finished (UTC)", no_wrap=True)
    for name in ("time", "sampled", "trained"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("step", overflow="fold")
    for record in sorted(records, key=lambda record: str(record["provenance"]["finished"])):
        cost = record["cost"]
        step = Text(record["label"])
        if where:
            step.append(f"\n{record['folder']}", "dim")
        table.add_row(
            str(record["provenance"]["finished"])[:16].replace("T", " "),
            clock(cost["seconds"]),
            f"{cost['tokens_sampled']:,}" if cost["tokens_sampled"] else "",
            f"{cost['tokens_trained']:,}" if cost["tokens_trained"] else "",
            step,
        )
    Console().print(table)
    seconds = sum(record["cost"]["seconds"] for record in records)
    Console().print(Text(f"{len(records)} finished steps in {store}, {clock(seconds)} of work."))
