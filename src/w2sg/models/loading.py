"""The one entry to models by name: scripted ones for tests, language models for everything else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from w2sg.models.base import ModelConfig, Progress, RuntimeConfig, silent
from w2sg.models.ensemble import is_ensemble
from w2sg.models.fit_config import FitConfig
from w2sg.models.identity import SCRIPTED, check_no_ensemble_settings, locate
from w2sg.models.imports import quick
from w2sg.records import Target

if TYPE_CHECKING:
    from w2sg.models.fit import FitResult
    from w2sg.models.hf import LanguageModel
    from w2sg.models.scripted import ScriptedModel


def load(config: ModelConfig, runtime: RuntimeConfig, tuned: Path | None = None) -> LanguageModel | ScriptedModel:
    """Load the model that `config` names, or its tuned form in the folder `tuned`; either may be an ensemble.

    Raises:
        ModelError: the model does not load.
    """
    if config.path.startswith(SCRIPTED):
        from w2sg.models import scripted

        return scripted.load(config, tuned)
    with quick():
        from w2sg.models import hf
    if is_ensemble(tuned or locate(config)):
        from w2sg.models import ensemble_load

        return ensemble_load.load(config, runtime, tuned)
    check_no_ensemble_settings(config)
    return hf.load(config, runtime, tuned)


def train(
    config: ModelConfig,
    targets: Sequence[Target],
    settings: FitConfig,
    *,
    seed: int,
    folder: Path,
    runtime: RuntimeConfig,
    progress: Progress = silent,
    tuned: Path | None = None,
) -> FitResult | None:
    """Train the model that `config` names and write it to `folder/"model"`; see `models.fit.fit`.

    A scripted model learns by heart, which is nothing to report: it returns None.
    """
    if config.path.startswith(SCRIPTED):
        from w2sg.models import scripted

        scripted.load(config, tuned).trained(targets, seed).save(folder / "model")
        return None
    with quick():
        from w2sg.models.fit import fit

    return fit(config, targets, settings, seed=seed, folder=folder, runtime=runtime, progress=progress, tuned=tuned)
