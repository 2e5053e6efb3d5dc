"""A model as steps refer to it: the untouched checkpoint by its content, and perhaps the step that tuned it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from w2sg.config import Config, runtime
from w2sg.errors import ModelError
from w2sg.models.base import ModelConfig
from w2sg.steps.base import Step, Workspace
from w2sg.steps.inputs import MODEL

if TYPE_CHECKING:
    from w2sg.models.hf import LanguageModel
    from w2sg.models.scripted import ScriptedModel


class ModelRef(Config):
    """A checkpoint named by what is in it, so that results outlive a moved folder."""

    config: ModelConfig = runtime(...)
    """Where the checkpoint is."""
    content: dict[str, Any]
    """Its identity: digests of its files, or Hub id and revision."""

    @property
    def is_ensemble(self) -> bool:
        """Whether it is a whole ensemble, whose experts were tuned when it was made."""
        return "ensemble" in self.content

    @classmethod
    def of(cls, config: ModelConfig, precision: str = "auto") -> ModelRef:
        """Refer to the checkpoint of `config`, computed in `precision` when one is asked for by name.

        Raises:
            ModelError: there is no such model.
        """
        from w2sg.models.identity import resolve

        content = {**resolve(config), "system": config.system}
        if config.trust_remote_code:
            content["trust_remote_code"] = True
        if precision != "auto":
            content["dtype"] = precision
        return cls(config=config, content=content)


Combine = Literal["probability", "vote"]
"""How classifiers are combined: by the weighted sum of their probabilities of each option, or of their votes."""

Likeliest = Literal["likeliest", "likeliest-per-token", "likeliest-over-prior"]
"""Which option a model that writes text chooses: the one whose whole response is likeliest (of an ensemble: by the sum
of the mixture's log-probabilities), per token, or over its likelihood where nothing is asked."""


ENSEMBLES = frozenset(["ensemble", "join", "first-experts", "choose"])
"""The kinds of steps that make an ensemble."""


@dataclass(frozen=True)
class Node:
    """A model in the graph: the checkpoint, and the fit step that tuned it (None: untouched). Where `classifies` is
    set, it chooses one of a question's options instead of writing: as an ensemble of classifiers, so combined, or by
    how likely it finds each of them."""

    ref: ModelRef
    tuned: Step | None = None
    classifies: Combine | Likeliest | None = None

    @property
    def is_ensemble(self) -> bool:
        """Whether it is several experts as one model."""
        return self.ref.is_ensemble or (self.tuned is not None and self.tuned.kind in ENSEMBLES)

    def parents(self) -> dict[str, Step]:
        """Return the node's part in a step's parents."""
        return {} if self.tuned is None else {"model": self.tuned}


def load(ref: ModelRef, work: Workspace) -> LanguageModel | ScriptedModel:
    """Load the node that a step was built with: its reference, tuned by its `model` parent if it has one."""
    from w2sg.models.loading import load as load_model

    return load_model(ref.config, work.runtime, tuned_folder(work))


def load_writer(ref: ModelRef, work: Workspace, otherwise: str) -> LanguageModel:
    """Load the node that a step was built with, whose distributions of tokens are needed.

    Args:
        otherwise: what to do with a model that has none, for the error.

    Raises:
        ModelError: the model plays a script.
    """
    from w2sg.models.hf import LanguageModel

    model = load(ref, work)
    if not isinstance(model, LanguageModel):
        raise ModelError(
            f"The model {ref.config.path!r} plays a script and has no distributions of tokens. Name a language model "
            f"as the supervisor, or {otherwise}."
        )
    return model


def tuned_folder(work: Workspace) -> Path | None:
    """Return the folder of the tuned checkpoint among the step's parents, if there is one."""
    return work.parents["model"] / MODEL if "model" in work.parents else None
