"""The step that makes one model of tuned models of different kinds: an ensemble whose experts each have a base of their
own, and perhaps a tokenizer of their own. Experts of one base are `steps.ensemble`'s."""

from __future__ import annotations

from collections.abc import Sequence

from w2sg.config import Config
from w2sg.models.base import Mixture
from w2sg.models.ensemble import save_ensemble
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.inputs import MODEL
from w2sg.steps.model import ModelRef, Node
from w2sg.storage import remove_folder


class JoinSettings(Config):
    """Which models, and how they are mixed."""

    models: tuple[ModelRef, ...]
    """The checkpoints that the members were tuned from."""
    weights: tuple[float, ...]
    """Each member's weight."""
    mixture: Mixture
    """How distributions are mixed."""


def join_step(members: Sequence[Node], weights: Sequence[float], mixture: Mixture, label: str) -> Node:
    """Return the ensemble of tuned models; it stands, where one base is asked for, for the first one's."""
    settings = JoinSettings(models=tuple(member.ref for member in members), weights=tuple(weights), mixture=mixture)
    parents = {f"member-{number:03d}": member.tuned for number, member in enumerate(members, start=1) if member.tuned}
    return Node(members[0].ref, Step("join", settings, parents, label))


def run(step: Step, work: Workspace) -> Outcome:
    """Gather the members."""
    settings = step.settings
    assert isinstance(settings, JoinSettings)
    folders = [work.parents[part] / MODEL for part in sorted(work.parents)]
    remove_folder(work.folder / MODEL)
    save_ensemble(
        work.folder / MODEL,
        settings.models[0].config.path,
        list(zip(folders, settings.weights, strict=True)),
        settings.mixture,
        [model.config for model in settings.models],
    )
    return Outcome({"members": len(folders), "weights": list(settings.weights)})
