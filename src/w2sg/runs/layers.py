"""Adapters asked for on more layers than a model has, looked for before anything is run, as far as models lie here.
What cannot be known before a model is loaded is left to `models.fit_adapter`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from w2sg.errors import ConfigError
from w2sg.models.base import ModelConfig
from w2sg.models.fit_config import too_many_layers
from w2sg.models.identity import locate
from w2sg.steps.base import Step
from w2sg.steps.fit import FitSettings

_COUNTS = "num_hidden_layers", "n_layer"


def check_last_layers(steps: Iterable[Step]) -> None:
    """Compare `lora.last_layers` with the models that are to be tuned so.

    Raises:
        ConfigError: a model has fewer layers.
    """
    for settings in (step.settings for step in steps if isinstance(step.settings, FitSettings)):
        asked = settings.fit.lora.last_layers if settings.fit.lora is not None else None
        found = None if asked is None else layers_of(settings.model.config)
        if asked is not None and found is not None and asked > found:
            raise ConfigError(too_many_layers(asked, settings.model.config.path, f"it has {found}"))


def layers_of(config: ModelConfig) -> int | None:
    """Return how many transformer layers a model has by its folder's config.json; None where that does not tell, or is
    not here."""
    try:
        found = json.loads((Path(locate(config)) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    counts = [found.get(name) for name in _COUNTS] if isinstance(found, dict) else []
    return next((count for count in counts if isinstance(count, int)), None)
