"""Who takes part in a method (the cast), and what every supervisor does."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from w2sg.config import Config
from w2sg.models.fit_config import FitConfig
from w2sg.steps.base import Step
from w2sg.steps.model import ModelRef, Node


@dataclass(frozen=True)
class Cast:
    """One task, the two models and the seed, with the settings that all methods share."""

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

    def label(self, words: str) -> str:
        """Return a step's name for people: task, what, seed."""
        return f"{self.name} · {words} · seed {self.seed}"


class Supervisor(Config):
    """Base of the supervisors."""

    @abstractmethod
    def node(self, cast: Cast) -> Node:
        """Return the model that answers the transfer questions."""
