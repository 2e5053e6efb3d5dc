"""What every recipe does."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from w2sg.config import Part, added
from w2sg.records import Example, Target, WeakLabel, ask, by_id, join
from w2sg.steps.base import Step
from w2sg.steps.cast import Cast
from w2sg.steps.inputs import read_examples, read_labels
from w2sg.steps.model import Node
from w2sg.steps.slices import Slice, in_slice
from w2sg.tasks.base import Task


class Recipe(Part):
    """Base of the recipes. `seed` is set from the run's seed by the schedule; most recipes draw nothing."""

    hears_several: ClassVar[bool] = False
    """Whether it can learn from several supervisors' labels at once."""
    slice: Slice | None = added(None)
    """The part of the transfer questions that is learnt; set by the schedule."""

    @property
    def needs_confidence(self) -> bool:
        """Whether it can only be used with labels that say how sure the supervisor is."""
        return False

    @property
    def teaches_labels(self) -> bool:
        """Whether what the student learns rests on the labels of its own questions, so that their quality matters."""
        return True

    def steps(
        self, cast: Cast, labels: Mapping[str, Step], student: Node, slice: Slice | None, teachers: Sequence[Node] = ()
    ) -> dict[str, Step]:
        """Return the steps that the recipe needs besides the task and the labels, by the part they play; none.

        Args:
            labels: every supervisor's, by their parts (`labels`, `labels-2`, ...).
            student: the student before it is tuned.
            slice: the questions that are labelled.
            teachers: the supervisors behind the labels, in their order.
        """
        return {}

    def count(self, labels: int) -> int:
        """Return how many of so many labels it means to learn: all."""
        return labels

    @abstractmethod
    def targets(self, task: Task, parents: Mapping[str, Path], folder: Path) -> list[Target]:
        """Return the training texts.

        `parents` holds the folders `task` and `labels` (and what else the recipe's steps are given); `folder`
        is the step's own.
        """

    def seeded(self, seed: int) -> Recipe:
        """Return the recipe as it is under the run's seed: itself, unless it draws something."""
        return self


def labelled_examples(parents: Mapping[str, Path], slice: Slice | None = None) -> list[tuple[Example, WeakLabel]]:
    """Return every question of `transfer`, or of a slice of it, with its weak label, joined by id, in the task's order.

    Raises:
        DataError: an id occurs twice, or a question has no label.
    """
    labels = by_id(read_labels(parents["labels"]), "weak labels")
    examples = in_slice(read_examples(parents["task"], ("transfer",)), slice)
    return list(zip(examples, join([example.id for example in examples], labels, "weak label"), strict=True))


def imitate(task: Task, example: Example, label: WeakLabel) -> Target:
    """Return the text that teaches `label`'s demonstration as the answer to `example`."""
    return Target(example.id, ask(task.prompt(example)), label.text)
