"""What every elicitor does."""

from __future__ import annotations

from abc import abstractmethod

from w2sg.config import Part
from w2sg.decode.config import SamplingConfig
from w2sg.elicit.statements import StatementWriter
from w2sg.elicit.stopping import Never, Stopping
from w2sg.metrics.calibration import Method
from w2sg.metrics.certainty import Measure
from w2sg.records import Example, Response, WeakLabel
from w2sg.tasks.base import Task


class Elicitor(Part):
    """Base of the elicitors."""

    @abstractmethod
    def sampling(self, max_new_tokens: int) -> SamplingConfig:
        """Return how the supervisor is sampled."""

    @property
    def stops(self) -> Stopping:
        """When a question needs no more samples; mostly never before all are drawn."""
        return Never()

    @property
    def writer(self) -> StatementWriter | None:
        """Who puts the supervisor's doubt into words; None where nobody does."""
        return None

    @property
    def measure(self) -> Measure | None:
        """By what the supervisor's own distributions say how sure it is of its labels; None where that is not asked."""
        return None

    @property
    def states_confidence(self) -> bool:
        """Whether its labels say how sure the supervisor is."""
        return True

    @property
    def calibrator(self) -> Method | None:
        """How the labels' confidence is calibrated on the gold of `validate`; None where it is not."""
        return None

    @abstractmethod
    def label(self, task: Task, example: Example, responses: list[Response]) -> WeakLabel:
        """Return the weak label that the responses to one question amount to."""
