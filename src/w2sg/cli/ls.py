"""`w2sg ls`: what a store holds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_KINDS = (  # written out, so that help stays instant
    "task, sample, label, distributions, doubt, calibrate, state, rewrite, propose, judge, targets, fit, "
    "answer-tokens, boost, boost-classes, classify, ensemble, join, first-experts, average, choose, difficulty-fold, "
    "difficulty, score, label-score, probe, rewrite-score"
)


def ls(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A run's folder, or a store.", envvar="W2SG_STORE")],
    kind: Annotated[str | None, typer.Option("--kind", help=f"Only steps of this kind: {_KINDS}.")] = None,
    where: Annotated[bool, typer.Option("--where", help="Name each step's folder in place of its cost.")] = False,
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
    from w2sg.config import suggest
    from w2sg.errors import ConfigError, StoreError
    from w2sg.runs.store import Store
    from w2sg.steps.base import KINDS

    if kind is not None and kind not in KINDS:
        raise ConfigError(f"There is no kind of step called {kind!r}{suggest(kind, KINDS)}.")
    store = folder / "store" if (folder / "store").is_dir() else folder
    records = [record for record in Store(store).finished() if kind in (None, record["identity"]["kind"])]
    if not records:
        known = f" of kind {kind!r}" if kind else ""
        raise StoreError(
            f"There are no finished steps{known} in {str(store)!r}. {_elsewhere(folder)}"
            if store == folder
            else f"There are no finished steps{known} in {str(store)!r}. Give the folder of a run or a store."
        )
    table = Table(box=None, pad_edge=False)
    table.add_column("finished (UTC)", no_wrap=True)
    for name in ("time", "sampled", "trained"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("step", overflow="fold")
    for record in sorted(records, key=lambda record: str(record["provenance"]["finished"])):
        cost = record["cost"]
        if where:  # unbroken, to be copied
            Console().print(Text(f"{record['label']}\n{record['folder']}"), soft_wrap=True)
            continue
        table.add_row(
            str(record["provenance"]["finished"])[:16].replace("T", " "),
            clock(cost["seconds"]),
            f"{cost['tokens_sampled']:,}" if cost["tokens_sampled"] else "",
            f"{cost['tokens_trained']:,}" if cost["tokens_trained"] else "",
            Text(record["label"]),
        )
    if not where:
        Console().print(table)
    seconds = sum(record["cost"]["seconds"] for record in records)
    Console().print(
        Text(f"{len(records)} finished step{'s' * (len(records) != 1)} in {store}, {clock(seconds)} of work.")
    )


def _elsewhere(folder: Path) -> str:
    """Say where the steps of a run are whose folder holds its results alone."""
    from w2sg.storage import read_json

    results = folder / "results.json"
    if not results.is_file():
        return "Give the folder of a run or a store."
    found = read_json(results)
    command = found.get("command", "") if isinstance(found, dict) else ""
    return (
        f"It holds the results of a run ({command}) whose steps are in a store elsewhere: the one that its --store, or "
        "the variable W2SG_STORE, named. Give that folder."
    )
