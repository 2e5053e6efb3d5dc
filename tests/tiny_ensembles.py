"""Ensembles of random tiny experts, written to folders as boosting would leave them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from tiny_models import build_model
from w2sg.models import hf
from w2sg.models.base import Mixture, ModelConfig, RuntimeConfig
from w2sg.models.ensemble import save_ensemble

CPU = RuntimeConfig(device="cpu")


def build_adapter(folder: Path, base: Path, seed: int, rank: int = 4, **changes: Any) -> Path:
    """Write an adapter on `base` with random matrices, none of them zero, to `folder` and return the folder."""
    from peft import LoraConfig, get_peft_model

    model = hf.load(ModelConfig(path=str(base)), CPU)
    settings = {"target_modules": "all-linear", "lora_alpha": 2 * rank, "task_type": "CAUSAL_LM", **changes}
    with torch.random.fork_rng(), hf.quiet():
        torch.manual_seed(seed)
        adapted = get_peft_model(model.model, LoraConfig(r=rank, **settings))
        for name, weight in adapted.named_parameters():
            if "lora_" in name:
                torch.nn.init.normal_(weight, std=0.3)
        adapted.save_pretrained(folder)
    return folder


def adapter_ensemble(
    folder: Path,
    base: Path,
    weights: Sequence[float],
    mixture: Mixture = "probability",
    ranks: Sequence[int] = (4, 2, 3),
    **changes: Any,
) -> Path:
    """Write an ensemble of adapters on `base`, of different ranks, and return its folder."""
    experts = [
        (
            build_adapter(folder.parent / f"adapter-{number}", base, number, ranks[number % len(ranks)], **changes),
            weight,
        )
        for number, weight in enumerate(weights)
    ]
    save_ensemble(folder, str(base), experts, mixture)
    return folder


def model_ensemble(
    folder: Path,
    families: Sequence[str],
    weights: Sequence[float],
    mixture: Mixture = "probability",
    **traits: Any,
) -> Path:
    """Write an ensemble of whole random models with one tokenizer, and return its folder."""
    models = [build_model(folder.parent / f"model-{n}", family, seed=n, **traits) for n, family in enumerate(families)]
    save_ensemble(folder, str(models[0]), list(zip(models, weights, strict=True)), mixture)
    return folder
