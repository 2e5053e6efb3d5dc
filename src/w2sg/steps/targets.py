"""The step that writes the training texts: gold's or a recipe's, as its settings say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from w2sg.errors import DataError
from w2sg.records import Target
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.inputs import TARGETS
from w2sg.steps.task import task_of
from w2sg.storage import write_rows
from w2sg.tasks.base import Task


class TargetWriter(Protocol):
    """What the settings of a targets step can do."""

    def targets(self, task: Task, parents: Mapping[str, Path], folder: Path) -> list[Target]:
        """Return the training texts; `parents` are the folders of the step's parents, `folder` its own (for
        the line that opening sealed gold leaves)."""


def run(step: Step, work: Workspace) -> Outcome:
    """Write the training texts."""
    writer: TargetWriter = step.settings  # type: ignore[assignment]
    targets = writer.targets(task_of(step), work.parents, work.folder)
    if not targets:
        why = "no label could be used. Look at the weak labels (an unparseable label is not learnt from), or give the "
        why += "supervisor more or easier gold."
        if "rewrites" in step.parents:
            why = "no rewrite could be used. Look at the weak labels and at the student's rewrites: what is cut or "
            why += "cannot be read is not learnt from. Raise max_new_tokens, or let the recipe not check."
        raise DataError(f"{step.label or 'A recipe'} has no training texts: {why}")
    write_rows(work.folder / TARGETS, targets)
    return Outcome({"targets": len(targets)})
