"""The options that several commands share, and the folders they mean."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from w2sg.runs.experiment import Experiment

ExperimentFile = Annotated[
    Path, typer.Argument(metavar="EXPERIMENT", help="The experiment file (YAML).", show_default=False)
]
Seeds = Annotated[
    list[str] | None,
    typer.Option("--seeds", metavar="N ...", help="Seeds in place of the file's: 0 1 2, or 0-4.", show_default=False),
]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE ...",
        help="Settings in place of the file's, by dotted path: student_fit.epochs=1.",
        show_default=False,
    ),
]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        help="Where results go (default: runs/<name>); those of other settings that stand there are kept in "
        "DIR/earlier.",
        show_default=False,
    ),
]
StoreFolder = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="DIR",
        envvar="W2SG_STORE",
        help="Where finished steps are kept; several experiments may share one (default: DIR/store in --out's DIR).",
        show_default=False,
    ),
]

AskingStore = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="DIR",
        envvar="W2SG_STORE",
        help="Where answers are kept on the way (default: runs/store).",
        show_default=False,
    ),
]

Instruction = Annotated[
    str | None,
    typer.Option(
        "--instruction",
        metavar="TEXT",
        help="What stands after every question, in place of what w2sg fit's folder or a file's answers suggest; '' for "
        "nothing. A model from a run's store is asked as its task asked, where the store tells how.",
        show_default=False,
    ),
]

TrustRemoteCode = Annotated[
    bool,
    typer.Option("--trust-remote-code", help="Run code that comes with the model, if you trust its authors."),
]


def read(file: Path, seeds: list[str] | None, settings: list[str] | None) -> Experiment:
    """Read the experiment with the command line's seeds and settings in place."""
    from w2sg.cli.boundary import seeds_from
    from w2sg.runs.experiment import read_experiment

    return read_experiment(file, settings or (), seeds_from(seeds) if seeds else None)


def folders(experiment: Experiment, out: Path | None, store: Path | None) -> tuple[Path, Path]:
    """Return the folder of the results and that of the store."""
    out = out or Path("runs") / experiment.name
    return out, store or out / "store"
