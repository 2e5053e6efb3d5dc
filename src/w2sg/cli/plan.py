"""`w2sg plan`: what a run would do, what it would reuse and why, and about how long it would take."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from w2sg.cli.options import ExperimentFile, Out, Seeds, Settings, StoreFolder, folders, read

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from w2sg.runs.experiment import Experiment
    from w2sg.runs.forecast import Forecast
    from w2sg.runs.plan import Arm, Plan


def plan(
    experiment: ExperimentFile,
    seeds: Seeds = None,
    settings: Settings = None,
    out: Out = None,
    store: StoreFolder = None,
    steps: Annotated[bool, typer.Option("--steps", help="List the steps one by one, each with its reason.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="List the steps that are done too.")] = False,
) -> None:
    """Say what a run would do, what it would reuse and why, and about how long it would take. Nothing is run.

    \b
    w2sg plan experiments/quickstart.yaml
    w2sg plan experiments/quickstart.yaml --seeds 0 1 2 --steps
    """
    from rich.console import Console
    from rich.text import Text

    from w2sg.runs.extras import check_extras
    from w2sg.runs.forecast import forecast
    from w2sg.runs.layers import check_last_layers
    from w2sg.runs.plan import make_plan
    from w2sg.runs.store import Store

    chosen = read(experiment, seeds, settings)
    _, store_folder = folders(chosen, out, store)
    planned = make_plan(chosen)
    outlook = forecast(planned, Store(store_folder))
    todo = [part for part in outlook if part.seconds > 0]
    check_extras(part.step for part in todo)
    check_last_layers(part.step for part in todo)
    console = Console()
    if steps or everything:
        _list(outlook if everything else todo, everything, console)
    elif todo:
        _tables(planned, outlook, console)
    reused = sum(part.state == "done" for part in outlook)
    words = f"{len(todo)} of {len(outlook)} steps to do; {reused} are done and reused from {store_folder}."
    console.print(Text(f"{words}{_time(chosen, todo)}{_calibration(todo)}"))


def _list(parts: list[Forecast], everything: bool, console: Console) -> None:
    """Print a line per step, and why it is to do; what follows from an earlier line needs no reason of its own."""
    from rich.text import Text

    from w2sg.cli.progress import clock

    for part in parts:
        about = clock(part.seconds) if part.seconds else part.state
        line = Text(f"{about:>12}  {part.step.label}")
        if everything or not part.reason.startswith("rests on"):
            line.append(f"\n{'':12}    {part.reason}", "dim")
        console.print(line, overflow="fold")


def _tables(planned: Plan, outlook: list[Forecast], console: Console) -> None:
    """Print what is to do by task, by kind of step and by row; a step that rows share is counted with the first."""
    from rich.table import Table
    from rich.text import Text

    from w2sg.cli.progress import clock
    from w2sg.steps.base import with_ancestors

    owner: dict[str, Arm] = {}
    for arm in planned.arms:
        for step in with_ancestors(arm.leaves()):
            owner.setdefault(step.fingerprint, arm)
    names: dict[str, Callable[[Forecast], str]] = {
        "task": lambda part: owner[part.step.fingerprint].task,
        "step": lambda part: part.step.kind,
        "row": lambda part: owner[part.step.fingerprint].method,
    }
    for title, name in names.items():
        found: dict[str, list[Forecast]] = {}
        for part in outlook:
            found.setdefault(name(part), []).append(part)
        table = Table(box=None, pad_edge=False)
        table.add_column(title, overflow="fold")
        for column in ("to do", "reused", "work, about"):
            table.add_column(column, justify="right", no_wrap=True)
        for key, parts in found.items():
            todo = [part for part in parts if part.seconds > 0]
            if todo:
                seconds = clock(sum(part.seconds for part in todo))
                table.add_row(Text(key), str(len(todo)), str(len(parts) - len(todo)), seconds)
        console.print(table, "")
    for reason, count in Counter(part.reason for part in outlook if part.reason.startswith("changed")).most_common(5):
        console.print(Text(f"{count} step{'s' if count > 1 else ''} {reason}", "dim"), overflow="fold")
    console.print(Text("Steps that rows share are counted with the first; --steps lists them one by one.", "dim"))


def _time(chosen: Experiment, todo: list[Forecast]) -> str:
    """Say about how long it takes, and how that is known; "" where nothing is to do."""
    from w2sg.cli.progress import clock
    from w2sg.models.identity import parameter_guess
    from w2sg.runs.runner import choose_workers

    if not todo:
        return ""
    workers = chosen.workers or choose_workers(chosen.runtime)
    seconds = max(sum(part.seconds for part in todo) / workers, max(part.seconds for part in todo))
    guessed = sum(not part.measured for part in todo)
    by = "by what like steps took before" if guessed < len(todo) else "by the models' size"
    if 0 < guessed < len(todo):
        by += f" ({guessed} that have none like them by the models' size)"
    unknown = "".join(
        f" The size of {model.path!r} is not known here, so its steps are guessed as those of a billion parameters."
        for model in dict.fromkeys((chosen.teacher, *chosen.intermediates, chosen.student))
        if guessed and not model.path.startswith("scripted:") and not parameter_guess(model)
    )
    return f" About {clock(seconds)} on {workers} worker{'s' if workers > 1 else ''}, {by}.{unknown}"


def _calibration(todo: list[Forecast]) -> str:
    """Say what the calibration of confidence among the steps to do costs, and what for; "" where there is none."""
    from w2sg.cli.progress import clock

    calibrations = [part.step for part in todo if part.step.kind == "calibrate"]
    samples = {step.parents["validate"].parents["samples"].fingerprint for step in calibrations}
    seconds = sum(part.seconds for part in todo if part.step.fingerprint in samples)
    if not seconds:
        return ""
    return (
        f" About {clock(seconds)} of the work are samples of validate by which confidence is calibrated. That is for "
        "the report's reliability figures; students learn the same without it (elicit.calibration: none)."
    )
