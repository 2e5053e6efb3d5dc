"""Experts that are LoRA adapters on one base: one forward pass of the base over a row per text and expert.

Every product with the base's weights is one for all experts; the adapters' low-rank products are batched over the
experts. Beside the base's weights, an expert takes the memory of its adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache

from w2sg.models.base import Mixture
from w2sg.models.mixture import EnsembleModule


class AdaptedLinear(nn.Module):
    """A linear map of the base with T adapters: rows come expert by expert, each T-th of them for its own.

    Args:
        base: the linear map of the base.
        down: the adapters' first matrices, of shape (T, input, rank).
        up: their second matrices with the scale multiplied in, of shape (T, rank, output).
    """

    def __init__(self, base: nn.Linear, down: Tensor, up: Tensor) -> None:
        super().__init__()
        self.base = base
        self.down: Tensor
        self.up: Tensor
        self.register_buffer("down", down, persistent=False)
        self.register_buffer("up", up, persistent=False)
        self.only: int | None = None
        """The one adapter that all rows are for; None while the rows are all experts'."""

    def forward(self, x: Tensor) -> Tensor:
        """Return base(x) plus what each row's adapter adds."""
        total: Tensor = self.base(x)
        chosen = slice(None) if self.only is None else slice(self.only, self.only + 1)
        return add_adapted(total, x, self.down[chosen], self.up[chosen])


def add_adapted(total: Tensor, x: Tensor, down_TIR: Tensor, up_TRO: Tensor) -> Tensor:
    """Add to `total` (rows, output), in place, what the adapters make of `x` (rows, input), and return it."""
    experts, inputs, _ = down_TIR.shape
    inner = torch.bmm(x.reshape(experts, -1, inputs), down_TIR)
    total.view(experts, -1, total.shape[-1]).baddbmm_(inner, up_TRO)
    return total


class AdapterExperts(EnsembleModule):
    """Experts that are LoRA adapters on one base. The base's linear layers are replaced by adapted ones.

    Args:
        base: the base, with peft's layers taken out again.
        adapted: for each linear layer with an adapter, by its name in the base, what takes its place.
    """

    def __init__(
        self, base: Any, adapted: Mapping[str, AdaptedLinear], weights: Sequence[float], mixture: Mixture
    ) -> None:
        super().__init__(weights, mixture)
        self.base = base
        self.config, self.generation_config = base.config, base.generation_config
        for name, layer in adapted.items():
            base.set_submodule(name, layer)
        self._adapted = list(adapted.values())

    @property
    def members(self) -> list[Any]:
        """The base."""
        return [self.base]

    def alone(self, number: int) -> Callable[..., Any]:
        """Return the forward pass of one expert."""

        def forward(**inputs: Any) -> Any:
            try:
                for layer in self._adapted:
                    layer.only = number
                return self.base(**inputs)
            finally:
                for layer in self._adapted:
                    layer.only = None

        return forward

    def get_input_embeddings(self) -> nn.Module:
        """Return the base's embedding."""
        return self.base.get_input_embeddings()  # type: ignore[no-any-return]

    def expert_logits(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        use_cache: bool = False,
        logits_to_keep: int = 0,
    ) -> tuple[Tensor, Any]:
        """Return every expert's logits, of shape (T, batch, position, V), and the cache to continue from."""
        output = self.base(
            input_ids=input_ids.repeat(self.count, 1),
            attention_mask=None if attention_mask is None else attention_mask.repeat(self.count, 1),
            position_ids=None if position_ids is None else position_ids.repeat(self.count, 1),
            past_key_values=None if past_key_values is None else past_key_values.inner,
            use_cache=use_cache,
            logits_to_keep=logits_to_keep,
        )
        inner = getattr(output, "past_key_values", None)
        cache = None if inner is None else RepeatedCache(inner, self.count)
        return output.logits.view(self.count, len(input_ids), *output.logits.shape[1:]), cache


class RepeatedCache(DynamicCache):  # type: ignore[misc]
    """The base's cache with its rows repeated for each expert, seen as a cache of the texts."""

    def __init__(self, inner: Any, count: int) -> None:
        super().__init__()
        self.inner, self.layers = inner, inner.layers
        self._count = count

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep the given texts, in that order, for every expert."""
        texts = self.layers[0].keys.shape[0] // self._count
        starts = torch.arange(self._count, device=indices.device)[:, None] * texts
        self.inner.batch_select_indices((starts + indices).view(-1))


def stacked(peft_model: Any, names: Sequence[str]) -> dict[str, AdaptedLinear] | None:
    """Return what takes the place of each linear layer that peft's adapters adapt, or None where they change more
    than linear layers by low-rank products (DoRA, biases, embeddings, whole modules), which cannot be stacked.

    Adapters of different ranks are filled with zeros up to the highest; a layer that an adapter leaves alone gets
    zeros for it.

    Args:
        peft_model: a peft model with all adapters loaded.
        names: the adapters, in the order of the experts.
    """
    from peft.tuners.lora import Linear as LoraLinear
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils import ModulesToSaveWrapper

    found: dict[str, AdaptedLinear] = {}
    for path, module in peft_model.get_base_model().named_modules():
        if isinstance(module, ModulesToSaveWrapper):
            return None
        if isinstance(module, BaseTunerLayer):
            if type(module) is not LoraLinear or not _low_rank(module):
                return None
            found[path] = _stack(module, names)
    if any(config.bias != "none" for config in peft_model.peft_config.values()):
        return None
    return found


def _low_rank(module: Any) -> bool:
    """Whether all that the layer's adapters add is a low-rank product."""
    plain = type(module.base_layer) is nn.Linear and not module.fan_in_fan_out
    return plain and not module.lora_variant and not any(module.lora_bias.values())


def _stack(module: Any, names: Sequence[str]) -> AdaptedLinear:
    base: nn.Linear = module.base_layer
    rank = max(module.r.values())
    down = base.weight.new_zeros(len(names), base.in_features, rank)
    up = base.weight.new_zeros(len(names), rank, base.out_features)
    for number, name in enumerate(names):
        if name in module.lora_A:
            own = module.r[name]
            down[number, :, :own] = module.lora_A[name].weight.detach().T
            up[number, :own] = module.lora_B[name].weight.detach().T * module.scaling[name]
    return AdaptedLinear(base, down, up)
