"""The schedules of the controls: a supervisor judged as it is, and the student trained on sealed gold."""

from __future__ import annotations

from typing import Literal

from w2sg.config import added
from w2sg.errors import ConfigError
from w2sg.recipes.gold import gold_targets
from w2sg.schedules.base import Parts, Product, Schedule
from w2sg.steps.cast import Cast
from w2sg.steps.first_experts import first_experts
from w2sg.steps.fit import fit_step
from w2sg.steps.model import Node


class AsIs(Schedule):
    """The supervisor itself is judged; nothing is learnt from it."""

    kind: Literal["as-is"] = "as-is"
    prefixes: bool = added(False)
    """Test also the ensembles of its first expert, its first two, and so on, which cost no training: accuracy against
    the number of experts. For supervisors that are made of several experts here, and keep all that boosting keeps."""

    def product(self, parts: Parts, cast: Cast) -> Product:
        node = parts.supervisor.node(cast)
        if not self.prefixes:
            return Product(node)
        fewer = first_experts(node, cast.label(f"the {{}} of {parts.name}"))
        if not fewer:
            raise ConfigError(
                f"The method {parts.name!r} asks for a test of its first few experts (schedule.prefixes), and its "
                "supervisor is no ensemble that is made of several experts here and keeps them all. Use one (boosted "
                "or committee, of two experts at least, none chosen or averaged), or leave prefixes out. The first few "
                "of a chosen ensemble are those of the same with `choose: all`: ask that one for them."
            )
        return Product(node, below=tuple(map(Product, fewer)), below_is="prefix")


class Ceiling(Schedule):
    """The student learns the gold answers of `transfer`, with reasoning: what perfect supervision would give."""

    kind: Literal["ceiling"] = "ceiling"

    def product(self, parts: Parts, cast: Cast) -> Product:
        targets = gold_targets(cast, "transfer", Node(cast.student))
        words = cast.label("tune the student on gold (ceiling)")
        return Product(fit_step(Node(cast.student), targets, cast.student_fit, cast.seed, words))
