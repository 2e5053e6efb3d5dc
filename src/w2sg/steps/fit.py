"""The step that tunes a model on training texts, through the one training path in `models.fit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from w2sg.config import Config
from w2sg.errors import ConfigError
from w2sg.models.fit_config import FitConfig
from w2sg.steps.base import Cost, Outcome, Step, Workspace
from w2sg.steps.inputs import read_targets
from w2sg.steps.model import ModelRef, Node, tuned_folder

if TYPE_CHECKING:
    from w2sg.models.fit import FitResult


class FitSettings(Config):
    """What is tuned, how, from which seed."""

    model: ModelRef
    """The checkpoint that training starts from."""
    fit: FitConfig
    """The training settings."""
    seed: int
    """The root of data order, dropout and fresh weights."""


def fit_step(node: Node, targets: Step, config: FitConfig, seed: int, label: str) -> Node:
    """Return `node` tuned on the texts of `targets`.

    Raises:
        ConfigError: it is an ensemble.
    """
    if node.ref.is_ensemble:
        raise ConfigError(
            f"The model {node.ref.config.path!r} is an ensemble, which can teach and answer but not be trained: it "
            "cannot be a student or an intermediate. Name it as the teacher, and give one model to be taught."
        )
    settings = FitSettings(model=node.ref, fit=config, seed=seed)
    return Node(node.ref, Step("fit", settings, {"targets": targets, **node.parents()}, label))


def run(step: Step, work: Workspace) -> Outcome:
    """Train, continuing from the last checkpoint of an interrupted attempt."""
    from w2sg.models.loading import train

    settings = step.settings
    assert isinstance(settings, FitSettings)
    result = train(
        settings.model.config,
        read_targets(work.parents["targets"]),
        settings.fit,
        seed=settings.seed,
        folder=work.folder,
        runtime=work.runtime,
        progress=work.progress,
        tuned=tuned_folder(work),
    )
    return Outcome() if result is None else outcome_of(result)


def outcome_of(result: FitResult) -> Outcome:
    """Return what training reports."""
    summary = {
        "steps": result.steps,
        "texts": result.texts,
        "truncated": result.truncated,
        "too_long": result.too_long,
        "weightless": result.weightless,
        "losses": [[number, round(loss, 6)] for number, loss in result.losses],
    }
    return Outcome(summary, Cost(tokens_trained=result.tokens_trained))
