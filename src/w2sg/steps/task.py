"""The step that lays out a task: questions by role and stratum, open gold and sealed gold in files apart."""

from __future__ import annotations

from w2sg.config import Config
from w2sg.errors import DataError
from w2sg.records import Item
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.inputs import ITEMS
from w2sg.storage import write_rows
from w2sg.tasks import file_digests
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
    return laid_out(step.parents["task"])


def laid_out(step: Step) -> Task:
    """Return the task that a task step lays out; reads no file."""
    assert isinstance(step.settings, TaskSettings)
    return step.settings.task.build()


def run(step: Step, work: Workspace) -> Outcome:
    """Load, split, check and write the task."""
    from w2sg.tasks.ratings import read_ratings, with_ratings
    from w2sg.tasks.sealed import write_gold
    from w2sg.tasks.splits import split

    assert isinstance(step.settings, TaskSettings)
    config = step.settings.task
    work.progress(0, 1, "reading the task")
    rows, notes = config.build().load(), []
    if config.difficulty_from is not None:
        ratings = read_ratings(config.difficulty_from)
        rows = with_ratings(rows, ratings, config.difficulty_from)
        notes.append(ratings.told())
    check_unchanged(step.settings)
    report = split(rows, config.split)
    items = [Item(row.example, row.role, row.stratum) for row in report.rows if row.role]
    write_gold(work.folder, report.rows)
    write_rows(work.folder / ITEMS, items)
    work.progress(1, 1, "")
    return Outcome({"counts": report.counts(), "dropped": len(report.dropped), "notes": [*notes, *report.notes]})


def check_unchanged(settings: TaskSettings) -> None:
    """Check, after they were read, that a task's files are those that its step was planned with.

    Raises:
        DataError: one of them changed.
    """
    config = settings.task
    if (now := file_digests(config)) != settings.files:
        changed = [str(config.all_files()[name]) for name in now if now[name] != settings.files.get(name)]
        raise DataError(
            f"The data file {', '.join(changed)} of the task {config.name!r} changed after the run was planned. Start "
            "the run again: it takes the file as it is now."
        )
