"""The step that lays out a task: questions by role and stratum, open gold and sealed gold in files apart."""

from __future__ import annotations

from typing import Any

from w2sg.config import Config
from w2sg.records import Item
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.inputs import ITEMS
from w2sg.storage import write_json, write_rows
from w2sg.tasks.base import Task, TaskConfig


class TaskSettings(Config):
    """Which task, the digests of the files it reads, and the version of its meaning."""

    task: TaskConfig
    """The task and its split."""
    files: dict[str, str]
    """SHA-256 of every local file that the task reads."""
    version: int
    """The version of the task's texts and grading."""


def task_of(step: Step) -> Task:
    """Return the task that a step's `task` parent laid out."""
    settings = step.parents["task"].settings
    assert isinstance(settings, TaskSettings)
    return settings.task.build()


def run(step: Step, work: Workspace) -> Outcome:
    """Load, split, check and write the task."""
    from w2sg.tasks.sealed import write_gold
    from w2sg.tasks.splits import split

    assert isinstance(step.settings, TaskSettings)
    config = step.settings.task
    work.progress(0, 1, "reading the task")
    report = split(config.build().load(), config.split)
    items = [Item(row.example, row.role, row.stratum) for row in report.rows if row.role]
    write_gold(work.folder, report.rows)
    write_rows(work.folder / ITEMS, items)
    counts: dict[str, int] = {}
    for item in items:
        key = "-".join(part for part in (item.role, item.stratum) if part)
        counts[key] = counts.get(key, 0) + 1
    summary: dict[str, Any] = {"counts": counts, "dropped": len(report.dropped), "notes": list(report.notes)}
    write_json(work.folder / "checks.json", summary)
    work.progress(1, 1, "")
    return Outcome(summary)
