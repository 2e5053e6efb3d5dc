"""Plain imitation: the student is tuned on the supervisor's demonstrations as they are (Burns et al. 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from w2sg.recipes.base import Recipe, imitate, labelled_examples
from w2sg.records import Target
from w2sg.tasks.base import Task


class Imitation(Recipe):
    """Learn every weak label's text."""

    kind: Literal["imitation"] = "imitation"
    keep_unparsed: bool = False
    """Also learn demonstrations without a parseable final answer."""

    def targets(self, task: Task, parents: Mapping[str, Path], folder: Path) -> list[Target]:
        return [
            imitate(task, example, label)
            for example, label in labelled_examples(parents, self.slice)
            if label.answer is not None or self.keep_unparsed
        ]
