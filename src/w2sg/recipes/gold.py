"""Training texts from gold: for the teacher from open gold, for the ceiling from sealed gold, written down."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from w2sg.config import Part
from w2sg.errors import DataError
from w2sg.records import OPEN_ROLES, Role, Target, ask, join
from w2sg.steps.base import Step
from w2sg.steps.inputs import SEALED_ACCESS, read_examples
from w2sg.tasks.base import Task
from w2sg.tasks.sealed import open_gold, open_sealed


class GoldTargets(Part):
    """Learn gold answers, with gold reasoning where the task has it."""

    role: Role
    """Whose gold: `supervise` for the teacher, `transfer` for the ceiling."""
    reasoning: bool = True
    """Learn the reasoning before the answer."""

    def targets(self, task: Task, parents: Mapping[str, Path], folder: Path) -> list[Target]:
        """Return the training texts.

        Raises:
            DataError: the role has no gold (an unlabelled pool has no ceiling).
        """
        if self.role in OPEN_ROLES:
            gold = open_gold(parents["task"])
        else:
            gold = open_sealed(parents["task"], by="ceiling", reason="ceiling", log=folder / SEALED_ACCESS)
        examples = read_examples(parents["task"], (self.role,))
        if not any(example.id in gold for example in examples):
            raise DataError(
                f"There is no gold for the {self.role} questions, so nothing can be trained on it. An unlabelled pool "
                "has no ceiling: leave the control 'ceiling' out."
            )
        return [
            Target(example.id, ask(task.prompt(example)), task.gold_response(example, truth, self.reasoning))
            for example, truth in zip(
                examples, join([example.id for example in examples], gold, "gold answer"), strict=True
            )
        ]


def gold_targets(task: Step, role: Role, reasoning: bool, label: str) -> Step:
    """Return the step that writes gold training texts of `role`."""
    return Step("targets", GoldTargets(role=role, reasoning=reasoning), {"task": task}, label)
