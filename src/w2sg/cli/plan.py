"""`w2sg plan`: what a run would do, what it would reuse and why, and about how long it would take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from w2sg.cli.options import ExperimentFile, Out, Seeds, Settings, StoreFolder, folders, read

if TYPE_CHECKING:
    from w2sg.runs.forecast import Forecast


def plan(
    experiment: ExperimentFile,
    seeds: Seeds = None,
    settings: Settings = None,
    out: Out = None,
    store: StoreFolder = None,
    everything: Annotated[bool, typer.Option("--all", help="List the steps that are done too.")] = False,
) -> None:
    """Say what a run would do, what it would reuse and why, and about how long it would take. Nothing is run.

    \b
    w2sg plan experiments/quickstart.yaml
    w2sg plan experiments/quickstart.yaml --seeds 0 1 2 --all
    """
    from rich.console import Console
    from rich.text import Text

    from w2sg.cli.progress import clock
    from w2sg.models.identity import parameter_guess
    from w2sg.runs.forecast import forecast
    from w2sg.runs.plan import make_plan
    from w2sg.runs.runner import choose_workers
    from w2sg.runs.store import Store

    chosen = read(experiment, seeds, settings)
    _, store_folder = folders(chosen, out, store)
    outlook = forecast(make_plan(chosen), Store(store_folder))
    todo = [part for part in outlook if part.seconds > 0]
    console = Console()
    for part in outlook if everything else todo:
        about = clock(part.seconds) if part.seconds else part.state
        line = Text(f"{about:>12}  {part.step.label}")
        # What follows from an earlier line needs no reason of its own.
        if everything or not part.reason.startswith("rests on"):
            line.append(f"\n{'':12}    {part.reason}", "dim")
        console.print(line, overflow="fold")
    reused = sum(part.state == "done" for part in outlook)
    words = f"{len(todo)} of {len(outlook)} steps to do; {reused} are done and reused from {store_folder}."
    if todo:
        workers = chosen.workers or choose_workers(chosen.runtime)
        seconds = max(sum(part.seconds for part in todo) / workers, max(part.seconds for part in todo))
        words += f" About {clock(seconds)} on {workers} worker{'s' if workers > 1 else ''}, by the models' size or by"
        words += " what like steps took before."
        words += "".join(
            f" The size of {model.path!r} is not known here, so its steps are guessed as those of a billion parameters."
            for model in dict.fromkeys((chosen.teacher, chosen.student))
            if not model.path.startswith("scripted:") and not parameter_guess(model)
        )
    if purpose := _calibration(todo):
        words += f" {purpose}"
    console.print(Text(words))


def _calibration(todo: list[Forecast]) -> str:
    """Say what the calibration of confidence among the steps to do costs, and what for; "" where there is none."""
    from w2sg.cli.progress import clock

    calibrations = [part.step for part in todo if part.step.kind == "calibrate"]
    samples = {step.parents["validate"].parents["samples"].fingerprint for step in calibrations}
    seconds = sum(part.seconds for part in todo if part.step.fingerprint in samples)
    if not seconds:
        return ""
    return (
        f"About {clock(seconds)} of it are samples of validate by which confidence is calibrated. That is for the "
        "report's reliability figures; students learn the same without it (elicit.calibration: none)."
    )
