"""LoRA adapters put on a model that is to be tuned: on which of its layers, and whether one that is there already is
the one that the settings ask for. Training is left to `models.fit`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from w2sg.errors import ModelError
from w2sg.models.fit_config import LoraConfig, too_many_layers
from w2sg.models.hf import LanguageModel, quiet


def put_adapter(model: LanguageModel, lora: LoraConfig, path: str, seed: int) -> None:
    """Put a new adapter on the model, drawn with `seed`; `path` is what the model is called in errors.

    Raises:
        ModelError: the model has no such layers.
    """
    from peft import LoraConfig as PeftConfig
    from peft import get_peft_model
    from transformers.pytorch_utils import Conv1D

    settings = PeftConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear" if lora.target_modules == "auto" else list(lora.target_modules),
        fan_in_fan_out=any(isinstance(part, Conv1D) for part in model.model.modules()),  # GPT-2's weights lie so
        exclude_modules=_left_alone(model.model, lora, path),
        task_type="CAUSAL_LM",
    )
    torch.manual_seed(seed)
    try:
        with quiet():
            model.model = get_peft_model(model.model, settings)
    except ValueError as error:
        raise ModelError(
            f"LoRA cannot be put on {path!r} with target_modules {lora.target_modules!r}{_below(lora)}: "
            f"{' '.join(str(error).split())} Name linear layers of the model, or use 'auto'."
        ) from None


def check_adapter(model: LanguageModel, lora: LoraConfig, folder: Path) -> None:
    """Check that the adapter which the model came with, from `folder`, has the shape that is asked for.

    Raises:
        ModelError: it has another.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    found = model.model.active_peft_config
    if found.r != lora.rank or found.lora_alpha != lora.alpha:
        raise ModelError(
            f"The adapter in {str(folder)!r} has rank {found.r} and alpha {found.lora_alpha}, but the settings ask "
            f"for rank {lora.rank} and alpha {lora.alpha}. Set lora to the adapter's, or leave it out to merge the "
            "adapter and train every weight."
        )
    if lora.last_layers is None:
        return
    base = model.model.get_base_model()
    stack, count = _layers(base, lora, model.config.path)
    adapted = {
        int(name.removeprefix(f"{stack}.").split(".")[0])
        for name, part in base.named_modules()
        if isinstance(part, BaseTunerLayer) and name.startswith(f"{stack}.")
    }
    if adapted != set(range(count - lora.last_layers, count)):
        raise ModelError(
            f"The adapter in {str(folder)!r} is on the layers {sorted(adapted)} of {count}, but the settings ask for "
            f"the last {lora.last_layers} (lora.last_layers). Set it to the adapter's, or leave lora out to merge the "
            "adapter and train every weight."
        )


def _below(lora: LoraConfig) -> str:
    return "" if lora.last_layers is None else f" on the last layers (last_layers {lora.last_layers})"


def _left_alone(model: Any, lora: LoraConfig, path: str) -> str | None:
    """Return a regular expression for what lies in the layers below the last ones, which get no adapters; None where
    all layers get some."""
    if lora.last_layers is None:
        return None
    stack, count = _layers(model, lora, path)
    below = "|".join(map(str, range(count - lora.last_layers)))
    return rf"{re.escape(stack)}\.({below})\..*" if below else None


def _layers(model: Any, lora: LoraConfig, path: str) -> tuple[str, int]:
    """Return the name of the model's list of layers, and how many there are.

    Raises:
        ModelError: they cannot be told apart, or are fewer than are to be adapted.
    """
    count: int = getattr(model.config.get_text_config(), "num_hidden_layers", 0)
    stacks = [
        name for name, part in model.named_modules() if isinstance(part, torch.nn.ModuleList) and len(part) == count
    ]
    if len(stacks) != 1 or count < (lora.last_layers or 0):
        found = f"it has {count}" if len(stacks) == 1 else "its layers cannot be told apart"
        raise ModelError(too_many_layers(lora.last_layers, path, found))
    return stacks[0], count
