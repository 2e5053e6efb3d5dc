"""The step that writes the training texts: gold's or a recipe's, as its settings say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from w2sg.errors import DataError
from w2sg.records import Target
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.inputs import TARGETS, read_labels, read_responses
from w2sg.steps.rewrite import label_parts
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
        raise DataError(f"{step.label or 'A recipe'} has no training texts: {_why_none(work.parents)}")
    write_rows(work.folder / TARGETS, targets)
    return Outcome({"targets": len(targets)})


def _why_none(parents: Mapping[str, Path]) -> str:
    """Say why nothing could be learnt, and what to do: the first of what led here that was empty."""
    if "tries" in parents:
        tried = [len(rows) for _, rows in read_responses(parents["tries"])]
        return (
            f"of {sum(tried)} solutions that the model tried at {len(tried)} questions none is finished and right, and "
            "the gold has no reasoning to learn instead. Raise tries or max_new_tokens, give easier questions, or "
            "learn bare answers (reasoning: false)."
        )
    labels = [label for part in label_parts(parents) for label in read_labels(parents[part])]
    if labels and all(label.answer is None for label in labels):
        return (
            f"none of the {len(labels)} weak labels has an answer. Either the supervisor's responses give none that "
            "can be read (see whether they are cut, raise max_new_tokens, or give it more or easier gold), or no two "
            "samples say the same and single ones are dropped (elicit.clustering.singletons)."
        )
    if "rewrites" in parents:
        return (
            "no rewrite could be used. Look at the weak labels and at the student's rewrites: what is cut or cannot be "
            "read is not learnt from. Raise max_new_tokens, or let the recipe not check."
        )
    return (
        "no label could be used. Look at the weak labels (an unparseable label is not learnt from), or give the "
        "supervisor more or easier gold."
    )
