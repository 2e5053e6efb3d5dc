"""What every recipe does."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from w2sg.config import Part
from w2sg.records import Example, Target, WeakLabel, ask, by_id, join
from w2sg.steps.inputs import read_examples, read_labels
from w2sg.tasks.base import Task


class Recipe(Part):
    """Base of the recipes. `seed` is set from the run's seed by the schedule; most recipes draw nothing."""

    teaches_labels: ClassVar[bool] = True
    """Whether the student learns the weak labels as given, so that their quality is the quality of what it learns."""

    @abstractmethod
    def targets(self, task: Task, parents: Mapping[str, Path], folder: Path) -> list[Target]:
        """Return the training texts.

        `parents` holds the folders `task` and `labels` (and what else the recipe's steps are given); `folder`
        is the step's own.
        """

    def seeded(self, seed: int) -> Recipe:
        """Return the recipe as it is under the run's seed: itself, unless it draws something."""
        return self


def labelled_examples(parents: Mapping[str, Path]) -> list[tuple[Example, WeakLabel]]:
    """Return every weakly labelled question of `transfer` with its label, joined by id, in the task's order.

    Raises:
        DataError: an id occurs twice, or a question has no label.
    """
    labels = by_id(read_labels(parents["labels"]), "weak labels")
    examples = read_examples(parents["task"], ("transfer",))
    return list(zip(examples, join([example.id for example in examples], labels, "weak label"), strict=True))


def imitate(task: Task, example: Example, label: WeakLabel) -> Target:
    """Return the text that teaches `label`'s demonstration as the answer to `example`."""
    return Target(example.id, ask(task.prompt(example)), label.text)
