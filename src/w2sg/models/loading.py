"""The one entry to models by name: scripted ones for tests, language models for everything else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.identity import SCRIPTED

if TYPE_CHECKING:
    from w2sg.models.hf import LanguageModel
    from w2sg.models.scripted import ScriptedModel


def load(config: ModelConfig, runtime: RuntimeConfig, tuned: Path | None = None) -> LanguageModel | ScriptedModel:
    """Load the model that `config` names, or its tuned form in the folder `tuned`.

    Raises:
        ModelError: the model does not load.
    """
    if config.path.startswith(SCRIPTED):
        from w2sg.models import scripted

        return scripted.load(config, tuned)
    from w2sg.models import hf

    return hf.load(config, runtime, tuned)
