"""The step that turns a supervisor's stated confidence into a chance of being right, by its labels of `validate`, whose
gold is open: weak labels go in, the same with calibrated confidence come out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace

from w2sg.config import Config
from w2sg.metrics.calibration import Calibrator, Method, fit_calibrator
from w2sg.metrics.uncertainty import calibration
from w2sg.records import WeakLabel, by_id
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.inputs import LABELS, read_examples, read_labels
from w2sg.steps.task import task_of
from w2sg.storage import write_rows
from w2sg.tasks.sealed import open_gold

CALIBRATOR = "calibrator.json"


class CalibrateSettings(Config):
    """How the map is fitted."""

    method: Method
    """The kind of map."""


def calibrate_step(labels: Step, validate: Step, task: Step, method: Method, label: str) -> Step:
    """Return the step that calibrates the confidence of `labels` by the labels `validate` of the open questions."""
    return Step(
        "calibrate", CalibrateSettings(method=method), {"labels": labels, "validate": validate, "task": task}, label
    )


def before_calibration(labels: Step) -> Step | None:
    """Return the step whose labels state the confidence that those of `labels` have calibrated; None where they were
    not calibrated."""
    step: Step | None = labels
    while step is not None and step.kind != "calibrate":
        step = step.parents.get("labels")
    return None if step is None else step.parents["labels"]


def run(step: Step, work: Workspace) -> Outcome:
    """Fit the map and write all labels anew. A label without an answer keeps its confidence: it is never right."""
    settings = step.settings
    assert isinstance(settings, CalibrateSettings)
    task, gold = task_of(step), open_gold(work.parents["task"])
    examples = by_id(read_examples(work.parents["task"], ("validate",)), "validate questions")
    stated: list[float] = []
    right: list[bool] = []
    for label in read_labels(work.parents["validate"]):
        if label.answer is not None and label.confidence is not None:
            stated.append(label.confidence)
            right.append(task.correct(label.answer, examples[label.id], gold[label.id]))
    fitted = fit_calibrator(settings.method, stated, right) if stated else None
    if fitted is not None:
        fitted.save(work.folder / CALIBRATOR)
    write_rows(work.folder / LABELS, _calibrated(work, fitted))
    before = asdict(calibration(stated, right)) if stated else {}
    return Outcome({"validate": len(stated), "error_before": before.get("error"), "accuracy": before.get("accuracy")})


def _calibrated(work: Workspace, fitted: Calibrator | None) -> Iterator[WeakLabel]:
    for label in read_labels(work.parents["labels"]):
        if fitted is None or label.answer is None or label.confidence is None:
            yield label
        else:
            yield replace(label, confidence=fitted.apply([label.confidence])[0])
