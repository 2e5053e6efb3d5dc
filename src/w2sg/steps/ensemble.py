"""The step that makes one model of several experts: those that boosting kept, with their weights, or tuned models as
they are, with equal ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from w2sg.config import Config
from w2sg.errors import ModelError
from w2sg.models.base import Mixture
from w2sg.models.ensemble import save_ensemble
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.boost_files import is_round, read_round
from w2sg.steps.inputs import MODEL
from w2sg.steps.model import ModelRef, Node
from w2sg.storage import remove_folder

Weights = Literal["alpha", "uniform"]


class EnsembleSettings(Config):
    """Whose experts, and how they are mixed."""

    model: ModelRef
    """The base of the experts."""
    mixture: Mixture
    """How next-token distributions are mixed."""
    weights: Weights
    """Experts' weights from boosting, or equal ones."""


def ensemble_step(base: Node, experts: Sequence[Step], mixture: Mixture, weights: Weights, label: str) -> Node:
    """Return the ensemble of the experts that `experts` (steps of boosting or tuning, all of `base`) made."""
    settings = EnsembleSettings(model=base.ref, mixture=mixture, weights=weights)
    return Node(base.ref, Step("ensemble", settings, as_parents(experts), label))


def as_parents(experts: Sequence[Step]) -> dict[str, Step]:
    """Return the experts as parents of a step, whose names sort in their order."""
    return {f"expert-{number:03d}": expert for number, expert in enumerate(experts, start=1)}


def run(step: Step, work: Workspace) -> Outcome:
    """Gather the experts.

    Raises:
        ModelError: boosting kept none.
    """
    settings = step.settings
    assert isinstance(settings, EnsembleSettings)
    folders = [work.parents[part] for part in sorted(work.parents)]
    experts: list[tuple[Path, float]] = []
    ends, spare, failures, measured = "", 0, 0, 0
    for folder in folders:
        if not is_round(folder):
            experts.append((folder / MODEL, 1.0))
            continue
        found = read_round(folder)
        if found["kept"]:
            experts.append((folder / MODEL, 1.0 if settings.weights == "uniform" else found["alpha"]))
        ends, failures = found["ends"], found.get("failures", 0)
        measured = found.get("measured", measured)
        spare += found.get("spare", False)
    if not experts:
        tried = f" in {failures} attempts" if failures > 1 else ""
        classes = any(parent.kind == "boost-classes" for parent in step.parents.values())
        unit = "question" if classes else "token"
        on = f" (measured on {measured:,} {unit}{'s' * (measured != 1)})" if measured else ""
        mend = (
            "Give more gold to `supervise`, measure errors elsewhere (boosting.measured), or tune the experts better."
            if classes
            else "Choose another prior (boosting.prior), measure errors elsewhere (boosting.errors, "
            "boosting.measured), tune the experts better, or allow more attempts (retries)."
        )
        raise ModelError(
            f"Boosting made no expert that could be used{tried}: {ends}{on}. What its rounds measured is kept. {mend}"
        )
    remove_folder(work.folder / MODEL)
    base = settings.model.config
    save_ensemble(work.folder / MODEL, base.path, experts, settings.mixture, [base] * len(experts))
    summary = {"experts": len(experts), "asked": len(folders) - spare, "weights": [weight for _, weight in experts]}
    return Outcome({**summary, "failures": failures, "ends": ends})
