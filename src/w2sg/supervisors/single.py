"""One model as the supervisor: a weak one tuned on `supervise`, or the untuned student itself."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from w2sg.config import added
from w2sg.models.base import ModelConfig
from w2sg.recipes.gold import gold_targets
from w2sg.steps.cast import Cast
from w2sg.steps.fit import fit_step
from w2sg.steps.model import ModelRef, Node
from w2sg.supervisors.base import Writer


class Teacher(Writer):
    """The weak model, tuned on the gold of `supervise`; an ensemble, whose experts are tuned already, as it is."""

    kind: Literal["teacher"] = "teacher"
    model: ModelConfig | None = added(None)
    """Which model; the experiment's teacher when not given."""

    def made(self, cast: Cast) -> Node:
        untuned, who = Node(cast.teacher), "the teacher"
        if self.model is not None:
            untuned = Node(ModelRef.of(self.model, cast.teacher.content.get("dtype", "auto")))
            who = f"the teacher {Path(self.model.path).name}"
        if untuned.ref.is_ensemble:
            return untuned
        targets = gold_targets(cast, "supervise", untuned)
        return fit_step(untuned, targets, cast.teacher_fit, cast.seed, cast.label(f"tune {who}"))


class Student(Writer):
    """The untuned student, whose own answers are the labels (self-distillation)."""

    kind: Literal["student"] = "student"

    def made(self, cast: Cast) -> Node:
        return Node(cast.student)
