"""The step that turns a supervisor's responses into weak labels, by the elicitor in its settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

from w2sg.config import Config
from w2sg.records import ROLES, Example, Response, WeakLabel
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.inputs import LABELS, Examples, read_responses
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
    """Label every sampled question, holding one question's responses at a time."""
    labeller: Labeller = step.settings  # type: ignore[assignment]
    task = task_of(step)
    examples = Examples(work.parents["task"], ROLES)
    tally = Tally()

    def labels() -> Iterator[WeakLabel]:
        for id, responses in read_responses(work.parents["samples"]):
            yield tally.counted(labeller.label(task, examples[id], responses))

    write_rows(work.folder / LABELS, labels())
    return Outcome(tally.summary())


class Tally:
    """Counts weak labels on their way to the file."""

    def __init__(self) -> None:
        self._labels = self._unparsed = self._stated = 0
        self._confidence = 0.0

    def counted(self, label: WeakLabel) -> WeakLabel:
        """Count the label and return it."""
        self._labels += 1
        self._unparsed += label.answer is None
        if label.confidence is not None:
            self._stated += 1
            self._confidence += label.confidence
        return label

    def summary(self) -> dict[str, Any]:
        """Return how many labels there were, how many without an answer, and their mean confidence."""
        mean = self._confidence / self._stated if self._stated else None
        return {"labels": self._labels, "unparsed": self._unparsed, "mean_confidence": mean}
