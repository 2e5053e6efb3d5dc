"""The weights of models of the Llama family, arranged for sampling: linear maps of one input joined, those of several
experts stacked or with their adapters. The forward pass over them is `decode.llama`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from w2sg.models.adapters import AdaptedLinear, add_adapted

_NORMS, _PRODUCTS = ("norm", "mlp_norm", "q_norm", "k_norm"), ("qkv", "out", "gate_up", "down")


@dataclass(frozen=True)
class Product:
    """One or several linear maps of the same input, their outputs side by side, with what adapters add to them: for
    each expert a product of `down` (input, rank) and `up` (rank, output). Weights of three dimensions are stacks, one
    map for each expert's rows."""

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor | None, ...]
    down: Tensor | None = None
    up: Tensor | None = None

    @classmethod
    def of(cls, linears: Sequence[Any], fuse: bool) -> Product:
        bases = [base_of(linear) for linear in linears]
        weights = tuple(base.weight for base in bases)
        biases = tuple(base.bias for base in bases)
        if fuse and len(bases) > 1:
            weights = (torch.cat(weights),)
            biases = (None if any(bias is None for bias in biases) else torch.cat(biases),)
        return cls(weights, biases, *_adapters(linears))

    @classmethod
    def together(cls, products: Sequence[Product]) -> Product:
        """Return the products of several whole models as stacks; that of one as it is."""
        if len(products) == 1:
            return products[0]
        weights = tuple(torch.stack(own) for own in zip(*(product.weights for product in products), strict=True))
        biases = [
            None if any(bias is None for bias in own) else torch.stack(own)[:, None]
            for own in zip(*(product.biases for product in products), strict=True)
        ]
        return cls(weights, tuple(biases))

    def __call__(self, x: Tensor) -> Tensor:
        parts = [_linear(x, weight, bias) for weight, bias in zip(self.weights, self.biases, strict=True)]
        return self._adapted(parts[0] if len(parts) == 1 else torch.cat(parts, -1), x)

    def added_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """Return the residual plus the product, in one operation."""
        weight, bias = self.weights[0], self.biases[0]
        if weight.dim() == 3:
            blocks = residual.view(len(weight), -1, residual.shape[-1]), x.view(len(weight), -1, x.shape[-1])
            total = torch.baddbmm(*blocks, weight.transpose(1, 2))
            return (total if bias is None else total.add_(bias)).view_as(residual)
        total = torch.addmm(residual, x, weight.t())
        return self._adapted(total if bias is None else total.add_(bias), x)

    def _adapted(self, total: Tensor, x: Tensor) -> Tensor:
        return total if self.down is None or self.up is None else add_adapted(total, x, self.down, self.up)


@dataclass(frozen=True)
class OwnProduct:
    """The product of one expert whose adapters are kept apart from the weights of the base; nothing is copied."""

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor | None, ...]
    downs: tuple[Tensor | None, ...]
    ups: tuple[Tensor | None, ...]

    @classmethod
    def of(cls, linears: Sequence[Any], number: int) -> OwnProduct:
        """Return the product of linear maps of one input, for the expert of that number."""
        bases = [base_of(linear) for linear in linears]
        own = [linear if isinstance(linear, AdaptedLinear) else None for linear in linears]
        return cls(
            tuple(base.weight for base in bases),
            tuple(base.bias for base in bases),
            tuple(None if linear is None else linear.down[number] for linear in own),
            tuple(None if linear is None else linear.up[number] for linear in own),
        )

    def for_rows(self, count: int) -> Product | OwnProduct:
        """Return the product with its adapters, if there are any, added to a copy of the weights, where that takes less
        arithmetic for so many rows than adding what they make of each."""
        if all(down is None for down in self.downs):
            return Product(self.weights, self.biases)
        sizes = [weight.shape for weight in self.weights]
        if count * sum(map(sum, sizes)) < sum(outputs * inputs for outputs, inputs in sizes):
            return self
        whole = self.weights[0].new_empty(sum(outputs for outputs, _ in sizes), sizes[0][1])
        parts = torch.split(whole, [outputs for outputs, _ in sizes])
        for part, weight, down, up in zip(parts, self.weights, self.downs, self.ups, strict=True):
            if down is None or up is None:
                part.copy_(weight)
            else:
                torch.addmm(weight, up.t(), down.t(), out=part)
        biases = [bias for bias in self.biases if bias is not None]
        return Product((whole,), (torch.cat(biases) if biases else None,))

    def __call__(self, x: Tensor) -> Tensor:
        maps = zip(self.weights, self.biases, self.downs, self.ups, strict=True)
        parts = [_plus(F.linear(x, weight, bias), x, down, up) for weight, bias, down, up in maps]
        return parts[0] if len(parts) == 1 else torch.cat(parts, -1)

    def added_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """Return the residual plus the product of a single map."""
        total = torch.addmm(residual, x, self.weights[0].t())
        bias = self.biases[0]
        return _plus(total if bias is None else total.add_(bias), x, self.downs[0], self.ups[0])


def _plus(total: Tensor, x: Tensor, down: Tensor | None, up: Tensor | None) -> Tensor:
    """Add to `total`, in place, what an adapter makes of `x`."""
    return total if down is None or up is None else total.addmm_(x @ down, up)


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return the linear map of rows, or of each expert's block of rows by its own weights."""
    if weight.dim() == 2:
        return F.linear(x, weight, bias)
    blocks, weight = x.view(len(weight), -1, x.shape[-1]), weight.transpose(1, 2)
    mapped = torch.bmm(blocks, weight) if bias is None else torch.baddbmm(bias, blocks, weight)
    return mapped.flatten(0, 1)


def scales_of(weights: Sequence[Tensor]) -> Tensor:
    """Return the scales of a norm: one model's (width), or a stack (expert, 1, width)."""
    return weights[0] if len(weights) == 1 else torch.stack(list(weights))[:, None]


def rms_normed(x: Tensor, scales: Tensor, eps: float) -> Tensor:
    """Return rows divided by their root mean square, times the scales of their expert."""
    if scales.dim() == 1:
        return F.rms_norm(x, x.shape[-1:], scales, eps)
    normed = F.rms_norm(x, x.shape[-1:], None, eps)
    return (normed.reshape(len(scales), -1, x.shape[-1]) * scales).view(x.shape)


def base_of(linear: Any) -> Any:
    return linear.base if isinstance(linear, AdaptedLinear) else linear


def _adapters(linears: Sequence[Any]) -> tuple[Tensor, Tensor] | tuple[None, None]:
    """Return the adapters of several maps of one input as those of one: the first matrices side by side, the second
    ones on a diagonal of blocks."""
    adapted = [linear for linear in linears if isinstance(linear, AdaptedLinear)]
    if not adapted:
        return None, None
    down = torch.cat([linear.down for linear in adapted], -1)
    up = down.new_zeros(len(down), down.shape[-1], sum(base_of(linear).out_features for linear in linears))
    rank = column = 0
    for linear in linears:
        width = base_of(linear).out_features
        if isinstance(linear, AdaptedLinear):
            up[:, rank : rank + linear.up.shape[1], column : column + width] = linear.up
            rank += linear.up.shape[1]
        column += width
    return down, up


@dataclass(frozen=True)
class Layer:
    norm: Tensor
    mlp_norm: Tensor
    q_norm: Tensor | None
    k_norm: Tensor | None
    qkv: Product | OwnProduct
    out: Product | OwnProduct
    gate_up: Product | OwnProduct
    down: Product | OwnProduct

    @classmethod
    def of(cls, layer: Any, fuse: bool, only: int | None = None) -> Layer:
        """Return a layer of a model; of all experts whose adapters are on it, or of `only` one of them."""
        attention, mlp = layer.self_attn, layer.mlp

        def product(*linears: Any) -> Product | OwnProduct:
            return Product.of(linears, fuse) if only is None else OwnProduct.of(linears, only)

        normed = hasattr(attention, "q_norm")
        return cls(
            norm=layer.input_layernorm.weight,
            mlp_norm=layer.post_attention_layernorm.weight,
            q_norm=attention.q_norm.weight if normed else None,
            k_norm=attention.k_norm.weight if normed else None,
            qkv=product(attention.q_proj, attention.k_proj, attention.v_proj),
            out=product(attention.o_proj),
            gate_up=product(mlp.gate_proj, mlp.up_proj),
            down=product(mlp.down_proj),
        )

    @classmethod
    def together(cls, layers: Sequence[Layer]) -> Layer:
        """Return one layer of several whole models, with their weights stacked; that of one as it is."""
        if len(layers) == 1:
            return layers[0]
        norms = {
            name: None if getattr(layers[0], name) is None else scales_of([getattr(layer, name) for layer in layers])
            for name in _NORMS
        }
        products = {name: Product.together([getattr(layer, name) for layer in layers]) for name in _PRODUCTS}
        return cls(**norms, **products)  # type: ignore[arg-type]

    def for_rows(self, count: int) -> Layer:
        """Return the layer with adapters of one expert added to copies of the weights, where that pays for so many
        rows."""
        own = {name: getattr(self, name) for name in _PRODUCTS}
        ready = {name: part.for_rows(count) for name, part in own.items() if isinstance(part, OwnProduct)}
        return replace(self, **ready) if ready else self  # type: ignore[arg-type]
