"""The step that makes one model of several experts by averaging their weights: at decoding it costs what one costs."""

from __future__ import annotations

from collections.abc import Sequence

from w2sg.config import Config
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.ensemble import as_parents
from w2sg.steps.inputs import MODEL
from w2sg.steps.model import ModelRef, Node


class AverageSettings(Config):
    """Whose experts."""

    model: ModelRef
    """The base of the experts."""


def average_step(base: Node, experts: Sequence[Step], label: str) -> Node:
    """Return the mean of the experts that `experts` (steps of tuning, all of `base`) made, as a whole model."""
    return Node(base.ref, Step("average", AverageSettings(model=base.ref), as_parents(experts), label))


def run(step: Step, work: Workspace) -> Outcome:
    """Average the weights of all experts.

    Raises:
        ModelError: they have none, or their weights do not fit one another.
    """
    from w2sg.models.average import average

    settings = step.settings
    assert isinstance(settings, AverageSettings)
    members = [work.parents[part] / MODEL for part in sorted(work.parents)]
    average(settings.model.config, members, work.folder / MODEL, work.runtime, work.progress)
    return Outcome({"experts": len(members)})
