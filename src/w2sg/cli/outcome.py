"""The files of a run's folder, and the results of other settings that stood there before: they are kept beside the new
ones, never written over. What the files hold is `report`'s; `execute` writes them.

    DIR/results.json, report.html, examples.jsonl
    DIR/earlier/<day>-<8 digits>/   the same files of results that the new ones do not hold
"""

from __future__ import annotations

from pathlib import Path

from w2sg.config import fingerprint
from w2sg.errors import StoreError
from w2sg.report.examples import EXAMPLES
from w2sg.report.results import Results
from w2sg.runs.plan import Plan
from w2sg.storage import concatenate, hash_file, make_folder

RESULTS = "results.json"
REPORT = "report.html"
EARLIER = "earlier"


def keep_earlier(plan: Plan, out: Path) -> str:
    """Copy the results in `out` to a folder of their own below it, unless those of `plan` will hold all that they do:
    the same run again, a run with rows or seeds added, or one that had stopped half-way, leaves nothing behind.

    Returns:
        What was kept, and where, in words; empty where nothing was.

    Raises:
        StoreError: the disk refuses.
    """
    path = out / RESULTS
    if not path.is_file():
        return ""
    try:
        old = Results.load(path)
    except StoreError:  # damaged, of another version or somebody's own: what it holds is not for this run to drop
        whose, name = "results that cannot be read", f"unread-{hash_file(path)[:8]}"
    else:
        rows, steps = _rows(old), sorted(step.fingerprint for step in old.provenance)
        new_rows = {(arm.task, arm.method) for arm in plan.arms}
        if old.name == plan.experiment.name and rows <= new_rows and {*steps} <= {s.fingerprint for s in plan.steps}:
            return ""
        whose = f"the results of another run ({old.command})"
        digits = fingerprint([old.name, old.resamples, [list(row) for row in sorted(rows)], steps])[:8]
        name = f"{(old.created or 'undated')[:10]}-{digits}"
    kept = make_folder(out / EARLIER / name)
    for part in (REPORT, EXAMPLES, RESULTS):
        if (out / part).is_file():
            concatenate([out / part], kept / part)
    return (
        f"{str(out)!r} held {whose}, which the new ones do not hold: they are kept in {str(kept)!r}. Runs of different "
        "settings have folders of their own with --out DIR or --set name=NAME."
    )


def _rows(results: Results) -> set[tuple[str, str]]:
    return {(row.task, row.method) for row in results.rows}


def where(out: Path) -> str:
    """Say where a run's report lies, and which results of other settings lie beside it."""
    words = f"The full report: {out / REPORT}"
    if earlier := sorted(path.parent for path in out.glob(f"{EARLIER}/*/{RESULTS}")):
        words += f"\nResults of other settings that stood there before: {', '.join(map(str, earlier))}"
    return words
