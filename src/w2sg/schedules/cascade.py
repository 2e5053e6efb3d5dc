"""The cascade: each rung, taught by the one below it, becomes the teacher of the next (Wu et al. 2025, section 3.4).

Every rung starts from its untouched checkpoint and never sees gold.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from w2sg.config import added
from w2sg.errors import ConfigError
from w2sg.models.base import ModelConfig
from w2sg.schedules.base import Parts, Product, Schedule, lesson
from w2sg.steps.cast import Cast
from w2sg.steps.model import ModelRef
from w2sg.steps.slices import Slice
from w2sg.steps.task import laid_out


class Cascade(Schedule):
    """Supervisor teaches the first intermediate, that one the next, the last one the student."""

    kind: Literal["cascade"] = "cascade"
    questions: Literal["disjoint", "reuse"] = "disjoint"
    """`disjoint`: every rung learns from an equal part of the transfer questions of its own; `reuse`: all rungs learn
    from all of them."""
    through: tuple[ModelConfig, ...] = added(())
    """The models between supervisor and student, weakest first; the experiment's intermediates when not given."""

    def product(self, parts: Parts, cast: Cast) -> Product:
        precision = cast.teacher.content.get("dtype", "auto")
        between = tuple(ModelRef.of(model, precision) for model in self.through) or cast.intermediates
        count = rungs_of(parts, cast, between, shared=self.questions == "reuse")
        teachers, who = parts.supervisor.nodes(cast), ""
        made: list[Product] = []
        for number, pupil in enumerate((*between, cast.student)):
            slice = Slice(part=number, of=count) if self.questions == "disjoint" else None
            made.append(lesson(parts, cast, teachers, pupil, slice, f" (rung {number + 1} of {count})", who))
            teachers, who = (made[-1].node,), Path(pupil.config.path).name
        return replace(made[-1], below=tuple(made[:-1]))


def rungs_of(parts: Parts, cast: Cast, between: tuple[ModelRef, ...], shared: bool = False) -> int:
    """Return the number of lessons in a cascade over the models `between` teacher and student; `shared` says that all
    learn from the same questions.

    Raises:
        ConfigError: there is no intermediate, or there are fewer transfer questions than lessons that share none.
    """
    if not between:
        raise ConfigError(
            f"The method {parts.name!r} needs models between teacher and student, and the experiment names none. Name "
            "them, weakest first: intermediates: [zoo/micro]."
        )
    count = len(between) + 1
    questions = laid_out(cast.task).config.split.transfer
    if not shared and isinstance(questions, int) and questions < count:
        raise ConfigError(
            f"The task {cast.name!r} has {questions} transfer questions, and the cascade {parts.name!r} has {count} "
            "rungs, each of which needs questions of its own. Raise split.transfer, name fewer intermediates, or let "
            "the rungs share their questions (schedule.questions: reuse)."
        )
    return count
