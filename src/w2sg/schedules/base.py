"""What a method gives its schedule, and what every schedule does."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from w2sg.config import Config
from w2sg.elicit.base import Elicitor
from w2sg.recipes.base import Recipe
from w2sg.steps.base import Step
from w2sg.steps.model import Node
from w2sg.supervisors.base import Cast, Supervisor


@dataclass(frozen=True)
class Parts:
    """The parts of one method."""

    name: str
    supervisor: Supervisor
    elicit: Elicitor
    recipe: Recipe


@dataclass(frozen=True)
class Product:
    """What a method makes: the model to be judged, and the weak labels that it learnt as given, if any."""

    node: Node
    labels: Step | None = None


class Schedule(Config):
    """Base of the schedules."""

    @abstractmethod
    def product(self, parts: Parts, cast: Cast) -> Product:
        """Return the model that the method makes, with its steps."""
