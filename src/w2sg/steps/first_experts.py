"""The step that makes an ensemble of another's first few experts, so that it can be asked how many it takes. Nothing is
trained: every first few of an ensemble are an ensemble too."""

from __future__ import annotations

from pydantic import Field

from w2sg.config import Config
from w2sg.models.ensemble import read_ensemble, save_first
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.boost import BoostSettings
from w2sg.steps.inputs import MODEL
from w2sg.steps.model import ModelRef, Node
from w2sg.storage import remove_folder


class FirstExpertsSettings(Config):
    """Whose experts, and how many."""

    model: ModelRef
    """The base of the experts."""
    count: int = Field(ge=1)
    """So many of the first ones; all, where boosting kept fewer."""


def first_experts(ensemble: Node, label: str) -> tuple[Node, ...]:
    """Return the ensembles of an ensemble's first expert, its first two, and so on to all but the last that it may
    have; none where it is not made by an ensemble step of several.

    Args:
        label: words for the steps, with a place for how many experts.
    """
    whole = ensemble.tuned
    if whole is None or whole.kind != "ensemble":
        return ()
    asked = sum(not is_spare(one) for one in whole.parents.values())
    return tuple(
        Node(
            ensemble.ref,
            Step(
                "first-experts",
                FirstExpertsSettings(model=ensemble.ref, count=count),
                ensemble.parents(),
                label.format("first expert" if count == 1 else f"first {count} experts"),
            ),
            ensemble.classifies,
        )
        for count in range(1, asked)
    )


def is_spare(expert: Step) -> bool:
    """Whether the expert is made only where one before it failed."""
    return isinstance(expert.settings, BoostSettings) and expert.settings.spare > 0


def run(step: Step, work: Workspace) -> Outcome:
    """Copy the first experts, with their weights.

    Raises:
        ModelError: the ensemble's folder is damaged.
    """
    settings = step.settings
    assert isinstance(settings, FirstExpertsSettings)
    source = work.parents["model"] / MODEL
    remove_folder(work.folder / MODEL)
    kept = save_first(work.folder / MODEL, source, settings.count)
    return Outcome({"experts": len(kept.experts), "of": len(read_ensemble(source).experts)})
