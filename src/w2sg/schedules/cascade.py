"""The cascade: each rung, taught by the one below it, becomes the teacher of the next (Wu et al. 2025, section 3.4).

Every rung starts from its untouched checkpoint and never sees gold.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from w2sg.errors import ConfigError
from w2sg.schedules.base import Parts, Product, Schedule, lesson
from w2sg.steps.cast import Cast
from w2sg.steps.slices import Slice
from w2sg.steps.task import laid_out


class Cascade(Schedule):
    """Supervisor teaches the first intermediate, that one the next, the last one the student."""

    kind: Literal["cascade"] = "cascade"
    questions: Literal["disjoint", "reuse"] = "disjoint"
    """`disjoint`: every rung learns from an equal part of the transfer questions of its own; `reuse`: all rungs learn
    from all of them."""

    def product(self, parts: Parts, cast: Cast) -> Product:
        count = rungs_of(parts, cast)
        teachers, who = parts.supervisor.nodes(cast), ""
        for number, pupil in enumerate((*cast.intermediates, cast.student)):
            slice = Slice(part=number, of=count) if self.questions == "disjoint" else None
            product = lesson(parts, cast, teachers, pupil, slice, f" (rung {number + 1} of {count})", who)
            teachers, who = (product.node,), Path(pupil.config.path).name
        return product


def rungs_of(parts: Parts, cast: Cast) -> int:
    """Return the number of lessons in a cascade over the cast's intermediates.

    Raises:
        ConfigError: there is no intermediate, or there are fewer transfer questions than lessons.
    """
    if not cast.intermediates:
        raise ConfigError(
            f"The method {parts.name!r} needs models between teacher and student, and the experiment names none. Name "
            "them, weakest first: intermediates: [zoo/micro]."
        )
    count = len(cast.intermediates) + 1
    questions = laid_out(cast.task).config.split.transfer
    if isinstance(questions, int) and questions < count:
        raise ConfigError(
            f"The task {cast.name!r} has {questions} transfer questions, and the cascade {parts.name!r} has {count} "
            "rungs, each of which needs questions of its own. Raise split.transfer, or name fewer intermediates."
        )
    return count
