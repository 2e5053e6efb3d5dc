"""Running an experiment to its report: what `w2sg run` and `w2sg fit` share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from w2sg.cli.outcome import REPORT, RESULTS, keep_earlier
from w2sg.cli.progress import Bars
from w2sg.cli.threads import use_threads
from w2sg.errors import UserError
from w2sg.report.collect import collect
from w2sg.report.examples import save_examples
from w2sg.report.gather import gather, identity
from w2sg.report.illustrate import illustrate
from w2sg.report.page import write_page
from w2sg.runs.experiment import Experiment
from w2sg.runs.extras import check_extras
from w2sg.runs.forecast import forecast
from w2sg.runs.layers import check_last_layers
from w2sg.runs.plan import Plan, make_plan
from w2sg.runs.runner import run_steps
from w2sg.runs.store import Store
from w2sg.storage import make_folder, read_json, write_json

REPORTED = "reported.json"
"""Names the plan whose report stands; written last."""


def execute(experiment: Experiment, out: Path, store_folder: Path) -> Plan:
    """Do what is not done yet, and write the results and the report into `out`.

    Nothing is written anew when no step was to do and the report stands; results of other settings that stand there are
    kept beside the new ones.

    Raises:
        UserError: a model, a file or the disk is not as needed; what was finished is kept.
    """
    plan, store = make_plan(experiment), Store(store_folder)
    make_folder(out)
    use_threads(experiment.runtime.threads)
    outlook = forecast(plan, store)
    check_extras(part.step for part in outlook if part.seconds)
    check_last_layers(part.step for part in outlook if part.seconds)
    todo = {part.step.fingerprint: part.seconds for part in outlook if part.seconds}
    try:
        with Bars(todo) as bars:
            run_steps(plan.steps, store, experiment.runtime, workers=experiment.workers, watcher=bars)
    except UserError as error:
        finished = plan.finished(store)
        if finished.arms:
            write_report(finished, store, out, todo)
            error.add_note(
                f"The report in {str(out)!r} holds the {len(finished.arms)} of {len(plan.arms)} rows that stand."
            )
        raise
    if todo or not _stands(plan, out):
        write_report(plan, store, out, todo)
    return plan


def write_report(plan: Plan, store: Store, out: Path, computed: Iterable[str] = ()) -> None:
    """Compute the results of a finished run and write them, with the page; the marker that they stand comes last."""
    if kept := keep_earlier(plan, out):
        Console(stderr=True).print(Text(kept))
    (out / REPORTED).unlink(missing_ok=True)
    arms, meta = gather(plan, store, computed)
    results = collect(arms, meta, resamples=plan.experiment.statistics.resamples)
    results.save(out / RESULTS)
    save_examples(illustrate(plan, store, arms, out), out)
    write_page(results, out / REPORT)
    write_json(out / REPORTED, {"plan": identity(plan)})


def _stands(plan: Plan, out: Path) -> bool:
    """Whether the report in `out` is that of this plan."""
    if not all((out / name).is_file() for name in (RESULTS, REPORT, REPORTED)):
        return False
    return bool(read_json(out / REPORTED) == {"plan": identity(plan)})
