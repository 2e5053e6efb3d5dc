"""`w2sg zoo check`: what the zoo's default pair must show before results on it mean anything, measured."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from w2sg.cli.boundary import ManyValues
from w2sg.cli.options import Settings

JSON = "zoo-check.json"
MARKDOWN = "zoo-check.md"


class ManyKinds(ManyValues):
    """A command whose option `--kinds` takes several words too."""

    many: ClassVar[dict[str, re.Pattern[str]]] = {**ManyValues.many, "--kinds": re.compile(r"\w[\w-]*")}


def check(
    seeds: Annotated[
        list[str] | None,
        typer.Option("--seeds", metavar="N ...", help="Seeds of training (default: 0-4).", show_default=False),
    ] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--kinds", metavar="KIND ...", help="Kinds of questions (default: all).", show_default=False),
    ] = None,
    teacher: Annotated[
        str | None, typer.Option(metavar="MODEL", help="The weak model (default: the zoo's).", show_default=False)
    ] = None,
    student: Annotated[
        str | None, typer.Option(metavar="MODEL", help="The strong model (default: the zoo's).", show_default=False)
    ] = None,
    settings: Settings = None,
    runs: Annotated[Path, typer.Option(metavar="DIR", help="Where finished steps are kept.")] = Path("runs/zoo-check"),
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the tables go (default: the DIR of --runs).", show_default=False),
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Worker processes; 0 chooses.")] = 0,
) -> None:
    """Measure six criteria of the zoo: room, a useful teacher, imitation between, reading, hard questions, variety.

    They were fixed before the zoo was made to meet them. Stopped at any moment,
    the same command continues where it stopped; done, it does nothing again.
    Writes zoo-check.json and zoo-check.md.

    \b
    w2sg zoo check
    w2sg zoo check --seeds 0 1 --kinds world-maths --student zoo/micro
    w2sg zoo check --set split.transfer=100 student_fit.epochs=1
    """
    from rich.console import Console
    from rich.text import Text

    from w2sg.cli.boundary import seeds_from
    from w2sg.cli.progress import Bars
    from w2sg.cli.threads import use_threads
    from w2sg.report.zoo_check import identity, measure
    from w2sg.report.zoo_check_results import CheckResults
    from w2sg.report.zoo_check_text import markdown, show
    from w2sg.runs.forecast import forecast
    from w2sg.runs.runner import run_steps
    from w2sg.runs.store import Store
    from w2sg.runs.zoo_check import KINDS, SEEDS, STUDENT, TEACHER, check_experiment, make_check
    from w2sg.storage import make_folder, write_atomic

    experiment = check_experiment(
        teacher=teacher or TEACHER,
        student=student or STUDENT,
        kinds=kinds or KINDS,
        seeds=seeds_from(seeds) if seeds else SEEDS,
        workers=workers,
        settings=settings or (),
    )
    plan, store, out = make_check(experiment), Store(runs / "store"), make_folder(out or runs)
    use_threads(experiment.runtime.threads)
    expected = {part.step.fingerprint: part.seconds for part in forecast(plan, store) if part.seconds}
    with Bars(expected) as bars:
        run_steps(plan.steps, store, experiment.runtime, workers=experiment.workers, watcher=bars)
    found = CheckResults.standing(out / JSON, identity(plan))
    if found is None or expected:
        found = measure(plan, store)
        found.save(out / JSON)
    write_atomic(out / MARKDOWN, markdown(found))
    console = Console()
    show(found, console)
    console.print(Text(f"\nThe tables: {out / MARKDOWN}; every figure: {out / JSON}"))
