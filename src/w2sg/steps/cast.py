"""Who takes part in a method: the task, the models, the seed, and the settings that all methods share."""

from __future__ import annotations

from dataclasses import dataclass

from w2sg.models.fit_config import FitConfig
from w2sg.seeding import derive
from w2sg.steps.base import Step
from w2sg.steps.model import ModelRef


@dataclass(frozen=True)
class Cast:
    """One task, its models and the seed. `intermediates` are the models between teacher and student, weakest first;
    `tries` is how many solutions are sampled where gold has no reasoning."""

    name: str
    task: Step
    teacher: ModelRef
    student: ModelRef
    teacher_fit: FitConfig
    student_fit: FitConfig
    reasoning: bool
    max_new_tokens: int
    chunk: int
    seed: int
    intermediates: tuple[ModelRef, ...] = ()
    tries: int = 0

    def draws(self, number: int) -> int:
        """Return the seed by which supervisor `number`, counted from 1, is sampled: the run's own for the first, and
        another for each further one, so that several do not err by the same random numbers."""
        return self.seed if number == 1 else derive(self.seed, "supervisor", number)

    def label(self, words: str) -> str:
        """Return a step's name for people: task, what, seed."""
        return f"{self.name} · {words} · seed {self.seed}"
