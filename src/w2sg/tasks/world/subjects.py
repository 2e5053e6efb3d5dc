"""The three kinds of question by name, behind one interface."""

from __future__ import annotations

import random
from typing import Protocol

from w2sg.tasks.world import knowledge, logic, maths
from w2sg.tasks.world.problem import Kind, Problem, Solution


class Subject(Protocol):
    """What the module of a kind offers."""

    @property
    def HARDEST(self) -> int:  # noqa: N802 (a module's constant)
        """The largest difficulty."""

    def draw(self, rng: random.Random, difficulty: int, /) -> Problem:
        """Return a question of that difficulty."""

    def slip(self, problem: Problem, rng: random.Random) -> Solution:
        """Return a wrong worked solution."""

    def guess(self, problem: Problem, rng: random.Random) -> str:
        """Return a wrong final answer."""


SUBJECTS: dict[Kind, Subject] = {"maths": maths, "logic": logic, "knowledge": knowledge}
