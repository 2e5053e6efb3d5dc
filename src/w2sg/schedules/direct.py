"""The direct schedule: the supervisor labels the transfer questions, the student learns from the labels once."""

from __future__ import annotations

from typing import Literal

from w2sg.config import added
from w2sg.schedules.base import Parts, Product, Schedule, lesson
from w2sg.schedules.cascade import rungs_of
from w2sg.steps.cast import Cast
from w2sg.steps.slices import Slice


class Direct(Schedule):
    """Supervisor labels, student learns."""

    kind: Literal["direct"] = "direct"
    questions: Literal["all", "matched"] = added("all")
    """`matched`: learn from just the questions that the student gets at the end of a cascade over the experiment's
    intermediates, so that the two can be compared."""

    def product(self, parts: Parts, cast: Cast) -> Product:
        slice = None
        if self.questions == "matched":
            count = rungs_of(parts, cast, cast.intermediates)
            slice = Slice(part=count - 1, of=count)
        return lesson(parts, cast, parts.supervisor.nodes(cast), cast.student, slice)
