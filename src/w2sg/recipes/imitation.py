"""Plain imitation: the student is tuned on the supervisor's demonstrations as they are (Burns et al. 2023), or on the
supervisor's distributions of tokens along them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from w2sg.config import added
from w2sg.recipes.base import Recipe, imitate, labelled_examples
from w2sg.records import Target
from w2sg.steps.base import Step
from w2sg.steps.cast import Cast
from w2sg.steps.distributions import distributions_step, read_distributions
from w2sg.steps.model import Node
from w2sg.steps.slices import Slice
from w2sg.tasks.base import Task


class Imitation(Recipe):
    """Learn every weak label's text."""

    kind: Literal["imitation"] = "imitation"
    keep_unparsed: bool = False
    """Also learn demonstrations without a parseable final answer."""
    distributions: int = added(0, ge=0)
    """Learn in place of each token of the text what the supervisor holds likely there: its so many most probable
    tokens, by their probabilities. 0: the token itself. The student needs the supervisor's tokenizer."""

    def steps(
        self, cast: Cast, labels: Mapping[str, Step], student: Node, slice: Slice | None, teachers: Sequence[Node] = ()
    ) -> dict[str, Step]:
        """Return the supervisor's distributions (`distributions`), where they are learnt."""
        if not self.distributions:
            return {}
        (own,), (teacher,) = labels.values(), teachers
        words = cast.label(f"{Path(teacher.ref.config.path).name}'s distributions along its labels")
        return {"distributions": distributions_step(teacher, student, cast.task, own, self.distributions, words)}

    def targets(self, task: Task, parents: Mapping[str, Path], folder: Path) -> list[Target]:
        found = [
            imitate(task, example, label)
            for example, label in labelled_examples(parents, self.slice)
            if label.answer is not None or self.keep_unparsed
        ]
        if not self.distributions:
            return found
        soft = read_distributions(parents["distributions"])
        return [replace(target, soft=soft[target.id]) for target in found if target.id in soft]
