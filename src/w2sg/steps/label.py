"""The step that turns a supervisor's responses into weak labels, by the elicitor in its settings."""

from __future__ import annotations

from typing import Protocol

from w2sg.config import Config
from w2sg.errors import DataError
from w2sg.records import Example, Response, WeakLabel, by_id
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.inputs import LABELS, read_examples, read_responses
from w2sg.steps.task import task_of
from w2sg.storage import write_rows
from w2sg.tasks.base import Task


class Labeller(Protocol):
    """What the settings of a label step can do."""

    def label(self, task: Task, example: Example, responses: list[Response]) -> WeakLabel:
        """Return the weak label that the responses amount to."""


def label_step(samples: Step, task: Step, elicit: Config, label: str) -> Step:
    """Return the step that labels the questions answered in `samples`."""
    return Step("label", elicit, {"samples": samples, "task": task}, label)


def run(step: Step, work: Workspace) -> Outcome:
    """Label every sampled question."""
    labeller: Labeller = step.settings  # type: ignore[assignment]
    task = task_of(step)
    examples = by_id(read_examples(work.parents["task"], ("supervise", "validate", "transfer", "test")), "items")
    labels = []
    for id, responses in read_responses(work.parents["samples"]):
        if id not in examples:
            raise DataError(f"The responses answer a question {id!r} that the task does not hold.")
        labels.append(labeller.label(task, examples[id], responses))
    write_rows(work.folder / LABELS, labels)
    unparsed = sum(label.answer is None for label in labels)
    confidences = [label.confidence for label in labels if label.confidence is not None]
    mean = sum(confidences) / len(confidences) if confidences else None
    return Outcome({"labels": len(labels), "unparsed": unparsed, "mean_confidence": mean})
