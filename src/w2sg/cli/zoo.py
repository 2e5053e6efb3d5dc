"""`w2sg zoo`: the small models that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from w2sg.cli.check import ManyKinds, check

app = typer.Typer(help="The small language models that come with the package.", no_args_is_help=True)


@app.command("list")
def list_() -> None:
    """List the members: their size, what they were pretrained on, whether their files are whole."""
    from rich.console import Console
    from rich.table import Table

    from w2sg.models.zoo import MEMBERS, PREFIX, WEIGHTS, damaged, home

    wrong = {file.partition("/")[0] for file in damaged()}
    table = Table(box=None, pad_edge=False)
    table.add_column("model")
    table.add_column("architecture")
    for name in ("layers", "width", "parameters", "documents read"):
        table.add_column(name, justify="right")
    table.add_column("files")
    for name, member in MEMBERS.items():
        weights = home() / name / WEIGHTS
        parameters = f"{weights.stat().st_size / 2e6:.2f} M" if weights.is_file() else ""
        state = "missing" if not weights.is_file() else "damaged" if name in wrong else "whole"
        read = f"{member.documents + member.reading:,}"
        shape = (member.architecture, str(member.layers), str(member.hidden_size), parameters, read)
        table.add_row(PREFIX + name, *shape, state)
    Console().print(table)


@app.command()
def card(
    member: Annotated[str, typer.Argument(help="A member, for its own card; without, the card of all.")] = "",
) -> None:
    """Show the model card: what the pretraining holds, what the members can do, and what follows from it.

    \b
    w2sg zoo card
    w2sg zoo card small
    """
    from rich.console import Console

    from w2sg.cli.markdown import WholeMarkdown
    from w2sg.errors import ModelError
    from w2sg.models.zoo import folder, home

    path = folder(member) / "README.md" if member else home() / "CARD.md"
    if not path.is_file():
        raise ModelError(f"The card {str(path)!r} is missing. Install the package anew.")
    text = path.read_text(encoding="utf-8")
    _, _, body = text.partition("---\n")[2].partition("---\n")
    Console().print(WholeMarkdown(body or text))


@app.command()
def build(
    member: Annotated[str, typer.Argument(help="The member to pretrain: see w2sg zoo list.")],
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where it goes (default: zoo-MEMBER).")] = None,
    documents: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Train on so many documents instead of the member's own number; a second reading shrinks with it.",
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads.")] = 1,
) -> None:
    """Pretrain a member from scratch, by the recipe that made the shipped ones.

    Stopped at any moment, the same command continues from the last checkpoint
    to the same weights.

    \b
    w2sg zoo build nano --out /tmp/nano
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.text import Text

    from w2sg.cli.progress import clock
    from w2sg.models.pretrain import build as pretrain
    from w2sg.models.zoo import member as find

    name = find(member).name
    folder = out or Path(f"zoo-{name}")
    columns = (BarColumn(), TimeElapsedColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True)) as bars:
        bar = bars.add_task("", total=None)
        made = pretrain(
            name,
            folder,
            documents=documents,
            threads=threads,
            progress=lambda done, total, note: bars.update(bar, completed=done, total=total, description=note),
        )
    loss = f"{made.losses[-1][1]:.3f}" if made.losses else "unknown"
    read = f"{made.steps} steps, {made.tokens / 1e6:.1f} M tokens in {clock(made.seconds)}"
    Console().print(Text(f"{made.folder}: {read}, last loss {loss}."))


app.command(cls=ManyKinds)(check)
