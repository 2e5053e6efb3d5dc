"""One model as the supervisor: the teacher tuned on `supervise`, or the untuned student itself."""

from __future__ import annotations

from typing import Literal

from w2sg.recipes.gold import gold_targets
from w2sg.steps.fit import fit_step
from w2sg.steps.model import Node
from w2sg.supervisors.base import Cast, Supervisor


class Teacher(Supervisor):
    """The weak model, tuned on the gold of `supervise`."""

    kind: Literal["teacher"] = "teacher"

    def node(self, cast: Cast) -> Node:
        targets = gold_targets(cast.task, "supervise", cast.reasoning, f"{cast.name} · gold of supervise")
        return fit_step(Node(cast.teacher), targets, cast.teacher_fit, cast.seed, cast.label("tune the teacher"))


class Student(Supervisor):
    """The untuned student, whose own answers are the labels (self-distillation)."""

    kind: Literal["student"] = "student"

    def node(self, cast: Cast) -> Node:
        return Node(cast.student)
