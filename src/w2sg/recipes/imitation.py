"""Plain imitation: the student is tuned on the supervisor's demonstrations as they are (Burns et al. 2023), or on the
supervisor's distributions of tokens along them; all of them, or those that the supervisor is surest of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from w2sg.config import added
from w2sg.recipes.base import Recipe, imitate, labelled_examples
from w2sg.records import Example, Target, WeakLabel
from w2sg.seeding import derive
from w2sg.steps.base import Step
from w2sg.steps.cast import Cast
from w2sg.steps.distributions import distributions_step, read_distributions
from w2sg.steps.model import Node
from w2sg.steps.slices import Slice
from w2sg.tasks.base import Task

_DIGITS = 9


class Imitation(Recipe):
    """Learn every weak label's text."""

    kind: Literal["imitation"] = "imitation"
    keep_unparsed: bool = False
    """Also learn demonstrations without a parseable final answer."""
    keep: float = added(1.0, gt=0, le=1)
    """Learn only so large a share of these labels, those that the supervisor is surest of (of equals any); below
    1 the elicitation has to state a confidence (vote, or greedy with one)."""
    distributions: int = added(0, ge=0)
    """Learn in place of each token of the text what the supervisor holds likely there: its so many most probable
    tokens, by their probabilities. 0: the token itself. The student needs the supervisor's tokenizer."""

    @property
    def needs_confidence(self) -> bool:
        return self.keep < 1

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
        told = [
            (example, label)
            for example, label in labelled_examples(parents, self.slice)
            if label.answer is not None or self.keep_unparsed
        ]
        found = [imitate(task, example, label) for example, label in self._kept(told)]
        if not self.distributions:
            return found
        soft = read_distributions(parents["distributions"])
        return [replace(target, soft=soft[target.id]) for target in found if target.id in soft]

    def count(self, labels: int) -> int:
        """Return how many of so many labels are learnt: the share that is kept, rounded up."""
        return math.ceil(round(self.keep * labels, _DIGITS))

    def _kept(self, told: list[tuple[Example, WeakLabel]]) -> list[tuple[Example, WeakLabel]]:
        count = self.count(len(told))
        if count == len(told):
            return told
        places = sorted(range(len(told)), key=lambda place: _rank(*told[place]))
        return [told[place] for place in sorted(places[:count])]


def _rank(example: Example, label: WeakLabel) -> tuple[float, int]:
    """Return what sorts the surest first, and equals in an order that has nothing to do with the task's."""
    return -(label.confidence or 0.0), derive(0, example.id)
