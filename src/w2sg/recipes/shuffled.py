"""The null control: every question gets another question's label, so nothing about the questions is taught."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from w2sg.errors import DataError
from w2sg.recipes.base import Recipe, imitate, labelled_examples
from w2sg.records import Target
from w2sg.seeding import stream
from w2sg.tasks.base import Task


class Shuffled(Recipe):
    """Learn the parseable weak labels, dealt out anew in one cycle: no question keeps its own."""

    kind: Literal["shuffled"] = "shuffled"
    seed: int = 0
    """Decides who gets whose label; set from the run's seed."""

    @property
    def teaches_labels(self) -> bool:
        return False

    def seeded(self, seed: int) -> Shuffled:
        return self.model_copy(update={"seed": seed})

    def targets(self, task: Task, parents: Mapping[str, Path], folder: Path) -> list[Target]:
        pairs = [
            (example, label) for example, label in labelled_examples(parents, self.slice) if label.answer is not None
        ]
        if len(pairs) < 2:
            raise DataError(
                f"The control that shuffles labels needs two or more readable labels, and there are {len(pairs)}: a "
                "single one could only keep its place. Give the supervisor more or easier questions."
            )
        order = stream(self.seed, "shuffled-labels").permutation(len(pairs)).tolist()
        source = dict(zip(order, order[1:] + order[:1], strict=True))  # one cycle: a derangement
        return [
            imitate(task, example, replace(pairs[source[place]][1], id=example.id))
            for place, (example, _) in enumerate(pairs)
        ]
