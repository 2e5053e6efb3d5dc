"""One model whose weights are the mean of several models' weights: a uniform soup (Wortsman et al. 2022, arXiv
2203.05482, section 2). Experts whose answers are mixed instead are `models.mixture`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from w2sg.errors import ModelError
from w2sg.models.base import ModelConfig, Progress, RuntimeConfig, silent
from w2sg.models.hf import load, save
from w2sg.models.identity import SCRIPTED


def average(
    config: ModelConfig, members: Sequence[Path], folder: Path, runtime: RuntimeConfig, progress: Progress = silent
) -> None:
    """Write the mean of the members' weights to `folder`, as a model that `from_pretrained` loads.

    An adapter counts as the model that it makes of its base, so that the mean of adapters is the base plus the mean of
    what they add. One member after the other is in memory, beside the mean in float32.

    Args:
        config: the model that the members were tuned from.
        members: the folders of whole models or of adapters on `config`'s model, one at least.

    Raises:
        ModelError: a member does not load, or its weights are not of the same names and shapes.
        StoreError: the disk refuses.
    """
    if config.path.startswith(SCRIPTED):
        raise ModelError(
            f"The model {config.path!r} plays a script and has no weights that could be averaged. Name a language "
            "model as the teacher, or mix the experts' answers (combine: answers)."
        )
    mean: dict[str, Tensor] = {}
    for count, member in enumerate(members, start=1):
        progress(count - 1, len(members), "averaging weights")
        model = load(config, runtime, member)
        weights = {name: value for name, value in model.model.state_dict().items() if value.is_floating_point()}
        if count == 1:
            mean = {name: value.to("cpu", torch.float32, copy=True) for name, value in weights.items()}
            continue
        _check_alike(members[0], mean, member, weights)
        for name, value in weights.items():  # a running mean: of equal weights exactly these
            mean[name].lerp_(value.to("cpu", torch.float32), 1 / count)
    model.model.load_state_dict(mean, strict=False)  # without what is no weight, such as whole-number buffers
    save(model, folder)
    progress(len(members), len(members), "")


def _check_alike(first: Path, mean: Mapping[str, Tensor], member: Path, weights: Mapping[str, Tensor]) -> None:
    for name in sorted({*mean, *weights}):
        shapes = [tuple(side[name].shape) if name in side else None for side in (mean, weights)]
        if shapes[0] != shapes[1]:
            raise ModelError(
                f"The weights of {str(first)!r} and {str(member)!r} cannot be averaged: {name!r} has the shape "
                f"{shapes[0]} in one and {shapes[1]} in the other. Average models that were tuned from one model."
            )
