"""Confidence becomes a chance of being right, by hand and where there is nothing to calibrate by."""

from __future__ import annotations

from pathlib import Path

import pytest

import scripted_world
from w2sg.models.base import RuntimeConfig, silent
from w2sg.records import Example, Gold, Item, TaskRow, WeakLabel
from w2sg.runs.plan import task_step
from w2sg.steps.base import Step, Workspace
from w2sg.steps.calibrate import calibrate_step
from w2sg.steps.inputs import ITEMS, LABELS, read_labels
from w2sg.storage import write_rows
from w2sg.tasks import task_config
from w2sg.tasks.sealed import write_gold


def calibrated(folder: Path, validate: list[tuple[float, bool]], stated: list[float | None]) -> list[float | None]:
    """Calibrate labels of these confidences by open labels of (confidence, right)."""
    files = scripted_world.write_files(folder / "data")
    task = task_step(task_config({"kind": "file", "grader": "numeric", **files}))
    rows = [TaskRow(Example(f"v{n}", f"?{n}"), Gold(f"v{n}", "1"), "validate") for n in range(len(validate))]
    (folder / "task").mkdir()
    write_rows(folder / "task" / ITEMS, [Item(row.example, row.role) for row in rows])  # type: ignore[arg-type]
    write_gold(folder / "task", rows)
    known = [WeakLabel(f"v{n}", "", "1" if right else "2", confidence=c) for n, (c, right) in enumerate(validate)]
    labels = [WeakLabel(f"t{n}", "", None if c is None else "1", confidence=c) for n, c in enumerate(stated)]
    write_rows(folder / "validate" / LABELS, known)
    write_rows(folder / "labels" / LABELS, labels)
    other = Step("label", task.settings)
    step = calibrate_step(other, other, task, "isotonic", "the test")
    parents = {name: folder / name for name in ("task", "validate", "labels")}
    step.run(Workspace(folder / "out", parents, RuntimeConfig(), silent))
    return [label.confidence for label in read_labels(folder / "out")]


def test_the_share_that_is_right_takes_the_place_of_what_was_stated(tmp_path: Path) -> None:
    validate = [(0.9, True), (0.9, False), (0.4, True), (0.4, False), (0.4, False), (0.4, False)]
    assert calibrated(tmp_path, validate, [0.9, 0.4, 0.65, 1.0, 0.0, None]) == [
        pytest.approx(0.5),
        pytest.approx(0.25),
        pytest.approx(0.375),
        pytest.approx(0.5),
        pytest.approx(0.25),
        None,
    ]


def test_without_open_labels_confidence_stays(tmp_path: Path) -> None:
    assert calibrated(tmp_path, [], [0.9, 0.4]) == [0.9, 0.4]
