"""The console command `w2sg`: the list of commands and what all share. Each command lives in its own file.

Nothing heavy is imported here or at the top of a command's file, so that help answers at once.
"""

from __future__ import annotations

import os
from typing import Annotated

import typer

from w2sg import __version__
from w2sg.cli import task, zoo
from w2sg.cli.boundary import Commands, ManyValues
from w2sg.cli.difficulty import difficulty
from w2sg.cli.evaluate import evaluate
from w2sg.cli.fit import fit
from w2sg.cli.ls import ls
from w2sg.cli.plan import plan
from w2sg.cli.predict import predict
from w2sg.cli.report import report
from w2sg.cli.run import run

app = typer.Typer(
    name="w2sg",
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"w2sg {__version__}")
        raise typer.Exit


@app.callback()
def _shared(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """Train a strong language model from weak supervision, and measure honestly what was gained.

    A weak teacher labels questions that nobody answered; a stronger student
    learns from those labels. w2sg does this with any causal language models, and
    compares the student with all that it must beat: the teacher, itself untuned,
    itself trained on gold.
    """


app.command(cls=ManyValues)(run)
app.command(cls=ManyValues)(plan)
app.command()(report)
app.command(cls=ManyValues)(fit)
app.command()(predict)
app.command("eval")(evaluate)
app.command(cls=ManyValues)(difficulty)
app.command()(ls)
app.add_typer(task.app, name="task")
app.add_typer(zoo.app, name="zoo")


def main() -> None:
    """Run the command line and leave with its exit code."""
    # Libraries otherwise mix their own bars and notes into the program's; whoever sets these keeps them.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    app(prog_name="w2sg")
