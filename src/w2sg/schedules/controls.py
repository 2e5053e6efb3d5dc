"""The schedules of the controls: a supervisor judged as it is, and the student trained on sealed gold."""

from __future__ import annotations

from typing import Literal

from w2sg.recipes.gold import gold_targets
from w2sg.schedules.base import Parts, Product, Schedule
from w2sg.steps.cast import Cast
from w2sg.steps.fit import fit_step
from w2sg.steps.model import Node


class AsIs(Schedule):
    """The supervisor itself is judged; nothing is learnt from it."""

    kind: Literal["as-is"] = "as-is"

    def product(self, parts: Parts, cast: Cast) -> Product:
        return Product(parts.supervisor.node(cast))


class Ceiling(Schedule):
    """The student learns the gold answers of `transfer`, with reasoning: what perfect supervision would give."""

    kind: Literal["ceiling"] = "ceiling"

    def product(self, parts: Parts, cast: Cast) -> Product:
        targets = gold_targets(cast, "transfer", Node(cast.student))
        words = cast.label("tune the student on gold (ceiling)")
        return Product(fit_step(Node(cast.student), targets, cast.student_fit, cast.seed, words))
