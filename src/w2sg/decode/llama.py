"""A forward pass for sampling from models of the Llama family: Llama, Mistral, Qwen2 and Qwen3.

It computes what the model's own forward computes, from the same weights, with two differences in form: prompts are
run once and their keys and values handed to a `decode.cohort`, and one step advances many cohorts in one set of
matrix products, each attending to its own cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from w2sg.decode.cohort import Cohort

_CLASSES = ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM")
_FUSED_BYTES = 1 << 28
"""Models up to this size get copies of their projections joined into larger products; beyond, copies cost memory."""


class LlamaForward:
    """The weights of a model of the Llama family, arranged for sampling. Valid while the weights are not changed."""

    def __init__(self, model: Any) -> None:
        config, body = model.config, model.model
        self.heads: int = config.num_attention_heads
        self.kv_heads: int = config.num_key_value_heads
        self.head_dim: int = body.layers[0].self_attn.head_dim
        self.scale: float = body.layers[0].self_attn.scaling
        self.eps: float = config.rms_norm_eps
        self._embedding: Tensor = body.embed_tokens.weight
        self._norm: Tensor = body.norm.weight
        self._head = model.lm_head
        self._rotary = body.rotary_emb
        fuse = sum(weight.numel() * weight.element_size() for weight in model.parameters()) <= _FUSED_BYTES
        self.layers = [_Layer.of(layer, fuse) for layer in body.layers]
        self._tables = self._rotations(256)

    @staticmethod
    def fits(model: Any) -> bool:
        """Tell whether the forward pass here is the model's own: its class, plain weights, full attention."""
        if type(model).__name__ not in _CLASSES:
            return False
        config = model.config
        return (
            config.hidden_act == "silu"
            and not getattr(config, "sliding_window", None)
            and all(kind == "full_attention" for kind in getattr(config, "layer_types", None) or [])
            and config.rope_parameters.get("rope_type", "default") in ("default", "linear", "llama3", "yarn")
            and all(_plain(layer) for layer in model.model.layers)
            and type(model.lm_head) is torch.nn.Linear
        )

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self._embedding.device

    @property
    def dtype(self) -> torch.dtype:
        """The number format of weights and caches."""
        return self._embedding.dtype

    @property
    def bytes_per_token(self) -> int:
        """What a token's keys and values take in a cache."""
        return 2 * len(self.layers) * self.kv_heads * self.head_dim * self._embedding.element_size()

    def logits(self, hidden_BH: Tensor) -> Tensor:
        """Return next-token logits of final hidden states."""
        return self._head(F.rms_norm(hidden_BH, hidden_BH.shape[-1:], self._norm, self.eps))  # type: ignore[no-any-return]

    def prefill(self, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Run prompts, and return the final hidden state of each prompt's last token, and the prompts' keys and
        values, of shape (layer, 2, prompt, kv head, position, dimension), zeros beyond each prompt's end."""
        lengths = torch.tensor([len(prompt) for prompt in prompts], device=self.device)
        count, longest = len(prompts), max(map(len, prompts))
        # Padded on the right: a causal mask alone keeps prompts from seeing padding.
        ids = torch.tensor([[*prompt, *[0] * (longest - len(prompt))] for prompt in prompts], device=self.device)
        cos, sin = self._rotation(torch.arange(longest, device=self.device).repeat(count))
        x = F.embedding(ids.view(-1), self._embedding)
        cache = x.new_empty(len(self.layers), 2, count, self.kv_heads, longest, self.head_dim)
        for number, layer in enumerate(self.layers):
            q, k, v = self._project(layer, x, cos, sin)
            q, k, v = (part.view(count, longest, -1, self.head_dim).transpose(1, 2) for part in (q, k, v))
            cache[number, 0], cache[number, 1] = k, v
            mixed = F.scaled_dot_product_attention(
                q, k, v, is_causal=True, scale=self.scale, enable_gqa=self.heads != self.kv_heads
            )
            x = self._finish(layer, x, mixed.transpose(1, 2).reshape(count * longest, -1))
        cache.masked_fill_((torch.arange(longest, device=self.device) >= lengths[:, None])[:, None, :, None], 0)
        return x.view(count, longest, -1)[torch.arange(count, device=self.device), lengths - 1], cache

    def step(self, ids_B: Tensor, positions_B: Tensor, cohorts: Sequence[Cohort]) -> Tensor:
        """Feed one token to every row of every cohort, in order, and return the final hidden states."""
        cos, sin = self._rotation(positions_B)
        x = F.embedding(ids_B, self._embedding)
        for number, layer in enumerate(self.layers):
            q, k, v = self._project(layer, x, cos, sin)
            q = q * self.scale
            parts, start = [], 0
            for cohort in cohorts:
                rows = slice(start, start + cohort.rows)
                parts.append(cohort.attend(number, q[rows], k[rows], v[rows]))
                start = rows.stop
            x = self._finish(layer, x, parts[0] if len(parts) == 1 else torch.cat(parts))
        return x

    def _project(self, layer: _Layer, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return rotated queries and keys, and values, each of shape (row, head, dimension)."""
        normed = F.rms_norm(x, x.shape[-1:], layer.norm, self.eps)
        joined = layer.qkv(normed).view(len(x), -1, self.head_dim)
        qk, v = joined[:, : -self.kv_heads], joined[:, -self.kv_heads :]
        if layer.q_norm is not None:
            q = F.rms_norm(qk[:, : self.heads], (self.head_dim,), layer.q_norm, self.eps)
            k = F.rms_norm(qk[:, self.heads :], (self.head_dim,), layer.k_norm, self.eps)
            qk = torch.cat((q, k), 1)
        # rotate_half as a roll, its minus signs in the table of sines
        turned = (qk * cos).addcmul_(qk.roll(self.head_dim // 2, -1), sin)
        return turned[:, : self.heads], turned[:, self.heads :], v

    def _finish(self, layer: _Layer, x: Tensor, mixed: Tensor) -> Tensor:
        """Return the layer's output: attention's projection and the feed-forward block, with their residuals."""
        x = layer.out.added_to(x, mixed)
        gate_up = layer.gate_up(F.rms_norm(x, x.shape[-1:], layer.mlp_norm, self.eps))
        width = gate_up.shape[-1] // 2
        return layer.down.added_to(x, F.silu(gate_up[:, :width]).mul_(gate_up[:, width:]))

    def _rotation(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        top = int(positions.max()) + 1 if len(positions) else 1
        if top > self._tables[0].shape[0]:
            self._tables = self._rotations(2 * top)
        return self._tables[0][positions], self._tables[1][positions]

    def _rotations(self, count: int) -> tuple[Tensor, Tensor]:
        """Return cosines and signed sines for `count` positions, of shape (position, 1, dimension)."""
        positions = torch.arange(count, device=self.device)[None]
        cos, sin = self._rotary(self._embedding[:1, None], positions)
        sign = torch.ones(self.head_dim, device=self.device, dtype=sin.dtype)
        sign[: self.head_dim // 2] = -1
        return cos[0, :, None], (sin[0] * sign)[:, None]


@dataclass(frozen=True)
class _Product:
    """One or several linear maps of the same input, their outputs side by side."""

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor | None, ...]

    @classmethod
    def of(cls, linears: Sequence[Any], fuse: bool) -> _Product:
        weights = tuple(linear.weight for linear in linears)
        biases = tuple(linear.bias for linear in linears)
        if fuse and len(linears) > 1:
            weights = (torch.cat(weights),)
            biases = (None if any(bias is None for bias in biases) else torch.cat(biases),)
        return cls(weights, biases)

    def __call__(self, x: Tensor) -> Tensor:
        parts = [F.linear(x, weight, bias) for weight, bias in zip(self.weights, self.biases, strict=True)]
        return parts[0] if len(parts) == 1 else torch.cat(parts, -1)

    def added_to(self, residual: Tensor, x: Tensor) -> Tensor:
        """Return the residual plus the product, in one operation."""
        total = torch.addmm(residual, x, self.weights[0].t())
        return total if self.biases[0] is None else total.add_(self.biases[0])


@dataclass(frozen=True)
class _Layer:
    norm: Tensor
    mlp_norm: Tensor
    q_norm: Tensor | None
    k_norm: Tensor | None
    qkv: _Product
    out: _Product
    gate_up: _Product
    down: _Product

    @classmethod
    def of(cls, layer: Any, fuse: bool) -> _Layer:
        attention, mlp = layer.self_attn, layer.mlp
        normed = hasattr(attention, "q_norm")
        return cls(
            norm=layer.input_layernorm.weight,
            mlp_norm=layer.post_attention_layernorm.weight,
            q_norm=attention.q_norm.weight if normed else None,
            k_norm=attention.k_norm.weight if normed else None,
            qkv=_Product.of((attention.q_proj, attention.k_proj, attention.v_proj), fuse),
            out=_Product.of((attention.o_proj,), fuse),
            gate_up=_Product.of((mlp.gate_proj, mlp.up_proj), fuse),
            down=_Product.of((mlp.down_proj,), fuse),
        )


def _plain(layer: Any) -> bool:
    """Whether every projection is an ordinary linear map (not quantized, no adapter) with no mixed biases."""
    attention, mlp = layer.self_attn, layer.mlp
    joined = (attention.q_proj, attention.k_proj, attention.v_proj)
    linears = (*joined, attention.o_proj, mlp.gate_proj, mlp.up_proj, mlp.down_proj)
    return all(type(linear) is torch.nn.Linear for linear in linears) and len({p.bias is None for p in joined}) == 1
