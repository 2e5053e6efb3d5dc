"""An ensemble of experts as a folder: what is in it, reading and writing it. No torch here.

    ensemble.json   {"version": 1, "base": ..., "mixture": ..., "experts": [{"path": "expert-01", "weight": ...}, ...]}
    expert-01/ ...  LoRA adapters on `base` (peft's form), or whole models (Hugging Face form)

An expert of another model than the others names it: {"path": ..., "weight": ..., "base": ...}.

Loading the experts is `models.ensemble_load`, mixing their predictions `models.mixture`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import Field, field_validator

from w2sg.config import Config
from w2sg.errors import ConfigError, ModelError, StoreError
from w2sg.models.base import EnsembleConfig, Mixture, ModelConfig
from w2sg.storage import make_folder, write_json

FILE = "ensemble.json"
"""What makes a folder an ensemble."""
VERSION = 1
_ADAPTER, _MODEL = "adapter_config.json", "config.json"


class Expert(Config):
    """One member."""

    path: str
    """Its folder, relative to the ensemble's."""
    weight: float = Field(gt=0)
    """Its weight in the mixture; only the ratios of weights matter."""
    base: str | None = None
    """The model that it was made from, where that is another than the ensemble's."""
    revision: str | None = None
    """That model's Hub revision."""

    @field_validator("path")
    @classmethod
    def _inside(cls, path: str) -> str:
        parts = PurePosixPath(path)
        if not path or parts.is_absolute() or ".." in parts.parts or "\\" in path:
            raise ValueError("the path of an expert must be a folder inside the ensemble's, such as 'expert-01'")
        return path


class Ensemble(Config):
    """What `ensemble.json` says."""

    version: Literal[1] = 1
    """The version of this file's form."""
    base: str
    """The model that adapters adapt, as in `ModelConfig.path`; for whole models, the one they were tuned from."""
    mixture: Mixture = "probability"
    """How the experts' next-token distributions are mixed."""
    experts: tuple[Expert, ...] = Field(min_length=1)
    """The members, in the order in which they were made: any first few of them are an ensemble too."""

    def base_of(self, expert: Expert, base: ModelConfig) -> ModelConfig:
        """Return the model that an expert was made from, given the one that most were."""
        if expert.base is None:
            return base
        return base.model_copy(update={"path": expert.base, "revision": expert.revision})

    @field_validator("experts")
    @classmethod
    def _distinct(cls, experts: tuple[Expert, ...]) -> tuple[Expert, ...]:
        paths = [expert.path for expert in experts]
        if len(set(paths)) != len(paths):
            raise ValueError("two experts have the same path")
        return experts

    @property
    def weights(self) -> tuple[float, ...]:
        """The experts' weights."""
        return tuple(expert.weight for expert in self.experts)

    def used(self, config: EnsembleConfig) -> Ensemble:
        """Return the ensemble as the settings want it: its first experts, weighted and mixed so.

        Raises:
            ModelError: there are fewer experts than asked for.
        """
        count = config.experts or len(self.experts)
        if count > len(self.experts):
            raise ModelError(
                f"The settings ask for the first {count} experts of an ensemble that has {len(self.experts)}. Set "
                f"ensemble.experts to at most {len(self.experts)}, or leave it out to use all."
            )
        experts = self.experts[:count]
        if config.weights == "uniform":
            experts = tuple(expert.model_copy(update={"weight": 1.0}) for expert in experts)
        mixture = self.mixture if config.mixture == "own" else config.mixture
        return self.model_copy(update={"experts": experts, "mixture": mixture})


def is_ensemble(folder: str | Path) -> bool:
    """Return whether the folder holds an ensemble."""
    return (Path(folder) / FILE).is_file()


def is_adapter(folder: Path) -> bool:
    """Return whether an expert's folder holds an adapter rather than a whole model."""
    return (folder / _ADAPTER).is_file()


def read_ensemble(folder: Path, config: EnsembleConfig | None = None) -> Ensemble:
    """Read the ensemble in `folder`, as the settings want it, and check that its experts are there.

    Raises:
        ModelError: the file is damaged, of another version, names weights that are not positive, or names an expert
            that is missing.
    """
    path = folder / FILE
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"The ensemble's file {str(path)!r} cannot be read: {error}. Copy it again.") from None
    version = stored.get("version") if isinstance(stored, dict) else None
    if isinstance(stored, dict) and version != VERSION:
        raise ModelError(
            f"The ensemble in {str(folder)!r} is of version {version!r}, and this w2sg reads version {VERSION}. Make "
            "it anew, or use the w2sg that made it."
        )
    try:
        found = Ensemble.parse(stored, f"The ensemble's file {str(path)!r}").used(config or EnsembleConfig())
    except ConfigError as error:
        raise ModelError(str(error)) from None
    for expert in found.experts:
        member = folder / expert.path
        if not (member / _ADAPTER).is_file() and not (member / _MODEL).is_file():
            raise ModelError(
                f"The expert {expert.path!r} of the ensemble in {str(folder)!r} is missing: its folder holds neither "
                f"{_ADAPTER} nor {_MODEL}. Copy it there, or set ensemble.experts to use only those before it."
            )
    return found


def write_ensemble(folder: Path, ensemble: Ensemble) -> None:
    """Write `ensemble.json`; the experts' folders must be there, so that the file marks a whole ensemble.

    Raises:
        ModelError: an expert is missing.
        StoreError: the disk refuses.
    """
    path = folder / FILE
    write_json(path, ensemble.model_dump(mode="json", exclude_none=True))
    try:
        read_ensemble(folder)
    except ModelError:
        path.unlink()
        raise


def save_ensemble(
    folder: Path,
    base: str,
    experts: Sequence[tuple[Path, float]],
    mixture: Mixture = "probability",
    bases: Sequence[ModelConfig] = (),
) -> Ensemble:
    """Copy experts into a new ensemble's folder, and return what was written.

    Args:
        experts: for each, the folder of its adapter or model, and its weight.
        bases: for each, the model that it was made from; `base` for all when not given.

    Raises:
        ModelError: an expert is missing, or there is an ensemble in `folder` already.
        ConfigError: a weight is not positive, or there is no expert.
        StoreError: the disk refuses.
    """
    if is_ensemble(folder):
        raise ModelError(f"There is an ensemble in {str(folder)!r} already. Give another folder, or remove it.")
    members: list[dict[str, Any]] = [
        {"path": f"expert-{number:02d}", "weight": weight} for number, (_, weight) in enumerate(experts, start=1)
    ]
    revised = any(own.path == base and own.revision is not None for own in bases)
    for member, own in zip(members, bases, strict=bool(bases)):
        if own.path != base or revised:  # `base` has a path and no revision
            member |= {"base": own.path, "revision": own.revision}
    found = Ensemble.parse({"base": base, "mixture": mixture, "experts": members}, "The ensemble")
    make_folder(folder)
    for expert, (source, _) in zip(found.experts, experts, strict=True):
        if not source.is_dir():
            raise ModelError(f"There is no expert in {str(source)!r}: give the folder of an adapter or a model.")
        try:
            shutil.copytree(source, folder / expert.path, dirs_exist_ok=True)
        except (OSError, shutil.Error) as error:
            raise StoreError(
                f"Could not copy the expert {str(source)!r} to {str(folder / expert.path)!r}: {error}. Check that the "
                "disk is writable and has free space."
            ) from None
    write_ensemble(folder, found)
    return found


def save_first(folder: Path, source: Path, count: int) -> Ensemble:
    """Copy the first `count` experts of the ensemble in `source`, or all where it has fewer, into a new ensemble's
    folder, mixed as they were, and return what was written.

    Raises:
        ModelError: the ensemble is damaged, or there is one in `folder` already.
        StoreError: the disk refuses.
    """
    found = read_ensemble(source)
    base = ModelConfig(path=found.base)
    first = found.experts[:count]
    experts = [(source / expert.path, expert.weight) for expert in first]
    bases = [found.base_of(expert, base) for expert in first]
    return save_ensemble(folder, found.base, experts, found.mixture, bases)
