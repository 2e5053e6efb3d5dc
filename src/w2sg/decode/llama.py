"""A forward pass for sampling from models of the Llama family: Llama, Mistral, Qwen2 and Qwen3.

It computes what the model's own forward computes, from the same weights, with two differences in form: prompts are
run once and their keys and values handed to a `decode.cohort`, and one step advances many cohorts in one set of
matrix products, each attending to its own cache.

Of an ensemble every token is a row for each expert, in blocks of one expert after the other: where the experts are
adapters, the products with the base's weights are one for all; small whole models of one shape are stacked, and each
product is a batch of all of theirs. To a cohort an ensemble of T experts is a model with T times the
heads, and a hidden state with T times the width.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from w2sg.decode.cohort import Cohort
from w2sg.decode.llama_weights import Layer, Product, base_of, rms_normed, scales_of
from w2sg.models.adapters import AdaptedLinear
from w2sg.models.mixture import EnsembleModule

Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""Gets a layer's number and the tokens' queries, keys and values, of shape (token, head, dimension), and returns what
they attend to, (token, head x dimension)."""

_CLASSES = ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM")
_FUSED_BYTES = 1 << 28
"""Models up to this size get copies of their projections joined into larger products, and ensembles of whole models
copies of their weights stacked; beyond, copies cost memory."""


class LlamaForward:
    """The weights of a model of the Llama family, or of an ensemble of such, arranged for sampling. Valid while the
    weights are not changed.

    Args:
        model: a causal language model, or an ensemble.
        only: of an ensemble of adapters, the one expert whose forward pass is meant.
    """

    def __init__(self, model: Any, only: int | None = None) -> None:
        self._experts = model if isinstance(model, EnsembleModule) and only is None else None
        self.copies: int = 1 if self._experts is None else self._experts.count
        """Rows per token: one for each expert of an ensemble."""
        members = _members(model)
        config, body = members[0].config, members[0].model
        self.heads: int = config.num_attention_heads
        self.kv_heads: int = config.num_key_value_heads
        self.head_dim: int = body.layers[0].self_attn.head_dim
        self.scale: float = body.layers[0].self_attn.scaling
        self.eps: float = config.rms_norm_eps
        self._embeddings: list[Tensor] = [member.model.embed_tokens.weight for member in members]
        self._norm = scales_of([member.model.norm.weight for member in members])
        self._head = Product.together([Product.of((member.lm_head,), False) for member in members])
        self._rotary = body.rotary_emb
        self._fused = fuse = _size(members) <= _FUSED_BYTES
        stacks = zip(*(member.model.layers for member in members), strict=True)
        self.layers = [Layer.together([Layer.of(layer, fuse, only) for layer in stack]) for stack in stacks]
        self._tables = self._rotations(256)

    @staticmethod
    def fits(model: Any) -> bool:
        """Tell whether the forward pass here is the model's own: its class, plain weights, full attention; of several
        models, whether they are small and of one shape."""
        members = _members(model)
        if not all(map(_known, members)):
            return False
        return len(members) == 1 or (_size(members) <= _FUSED_BYTES and len(set(map(_shape, members))) == 1)

    @classmethod
    def of_each(cls, ensemble: EnsembleModule) -> list[LlamaForward]:
        """Return the experts' own forward passes."""
        members = ensemble.members
        if len(members) == ensemble.count:
            return [cls(member) for member in members]
        first, stack = cls(ensemble, 0), members[0].model.layers
        others = [copy.copy(first) for _ in range(1, ensemble.count)]
        for number, one in enumerate(others, start=1):
            one.layers = [Layer.of(layer, False, number) for layer in stack]
        return [first, *others]

    @staticmethod
    def in_common(ensemble: EnsembleModule) -> int:
        """Return through how many of the first layers all experts take a text alike: those without adapters, where
        experts are adapters on one base."""
        members = ensemble.members
        if len(members) == ensemble.count:
            return 0
        layers = members[0].model.layers
        adapted = [any(isinstance(part, AdaptedLinear) for part in layer.modules()) for layer in layers]
        return min(adapted.index(True) if any(adapted) else len(layers), len(layers) - 1)

    def merged(self) -> LlamaForward:
        """Return the forward pass with adapters of one expert added to copies of the weights, of a model small enough
        for copies; else this one."""
        if not self._fused:
            return self
        one = copy.copy(self)
        one.layers = [layer.for_rows(1 << 62) for layer in self.layers]
        return one

    @property
    def width(self) -> int:
        """How many numbers stand for a token between layers."""
        return self._embeddings[0].shape[1]

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self._embeddings[0].device

    @property
    def dtype(self) -> torch.dtype:
        """The number format of weights and caches."""
        return self._embeddings[0].dtype

    @property
    def bytes_per_token(self) -> int:
        """What a token's keys and values take in a cache."""
        return self.copies * 2 * len(self.layers) * self.kv_heads * self.head_dim * self._embeddings[0].element_size()

    def logits(self, hidden_BH: Tensor) -> Tensor:
        """Return next-token logits of final hidden states; of an ensemble, log-probabilities of the mixture."""
        rows = hidden_BH.view(len(hidden_BH), self.copies, -1).transpose(0, 1).flatten(0, 1)
        logits = self._head(rms_normed(rows, self._norm, self.eps))
        return logits if self._experts is None else self._experts.mix(logits.view(self.copies, len(hidden_BH), -1))

    def prefill(self, prompts: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Run prompts, and return the final hidden state of each prompt's last token, and the prompts' keys and
        values, of shape (layer, 2, prompt, kv head, position, dimension), zeros beyond each prompt's end."""
        lengths = torch.tensor([len(prompt) for prompt in prompts], device=self.device)
        count, longest = len(prompts), max(map(len, prompts))
        # Padded on the right: a causal mask alone keeps prompts from seeing padding.
        ids = torch.tensor([[*prompt, *[0] * (longest - len(prompt))] for prompt in prompts], device=self.device)
        cos, sin = self._rotation(torch.arange(longest, device=self.device).repeat(count))
        x = self.embedded(ids.view(-1))
        cache = x.new_empty(len(self.layers), 2, count, self.copies * self.kv_heads, longest, self.head_dim)
        for number, layer in enumerate(self.layers):
            q, k, v = self._project(layer, x, cos, sin)
            q, k, v = (part.view(count, longest, -1, self.head_dim).transpose(1, 2) for part in (q, k, v))
            cache[number, 0], cache[number, 1] = k, v
            mixed = F.scaled_dot_product_attention(
                q, k, v, is_causal=True, scale=self.scale, enable_gqa=self.heads != self.kv_heads
            )
            x = self._finish(layer, x, mixed.transpose(1, 2).reshape(count * longest, -1))
        cache.masked_fill_((torch.arange(longest, device=self.device) >= lengths[:, None])[:, None, :, None], 0)
        last = torch.arange(count, device=self.device) * longest + lengths - 1
        return self._joined(x.view(self.copies, count * longest, -1)[:, last]), cache

    def step(self, ids_B: Tensor, positions_B: Tensor, cohorts: Sequence[Cohort]) -> Tensor:
        """Feed one token to every row of every cohort, in order, and return the final hidden states."""
        cos, sin = self._rotation(positions_B)
        x = self.embedded(ids_B)
        for number, layer in enumerate(self.layers):
            q, k, v = self._project(layer, x, cos, sin)
            q = q * self.scale
            parts, start = [], 0
            for cohort in cohorts:
                rows = slice(start, start + cohort.rows)
                parts.append(cohort.attend(number, q[rows], k[rows], v[rows]))
                start = rows.stop
            x = self._finish(layer, x, parts[0] if len(parts) == 1 else torch.cat(parts))
        return self._joined(x.view(self.copies, len(ids_B), -1))

    def extend(
        self, x_NH: Tensor, positions_N: Tensor, attend: Attend, span: range, kept: Tensor | None = None
    ) -> Tensor:
        """Take N tokens at their positions through a `span` of the layers of a single model, or of one expert.

        Args:
            x_NH: what the first of these layers gets.
            positions_N: the tokens' positions.
            attend: how they attend.
            span: consecutive layers.
            kept: the tokens of which the last layer of the model returns something; all without.

        Returns:
            What the layer after the span gets; after the last one the final hidden states.
        """
        cos, sin = self._rotation(positions_N)
        x = x_NH
        for number in span:
            layer = self.layers[number].for_rows(len(x))
            mixed = attend(number, *self._project(layer, x, cos, sin))
            if kept is not None and number == len(self.layers) - 1:
                x, mixed = x[kept], mixed[kept]
            x = self._finish(layer, x, mixed)
        return x

    def embedded(self, ids: Tensor) -> Tensor:
        """Return the embeddings of tokens, of shape (expert x token, width)."""
        parts = [F.embedding(ids, table) for table in self._embeddings]
        return torch.cat(parts) if len(parts) > 1 else parts[0].repeat(self.copies, 1)

    def _project(self, layer: Layer, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return rotated queries and keys, and values, each of shape (token, head, dimension)."""
        joined = layer.qkv(rms_normed(x, layer.norm, self.eps)).view(len(x), -1, self.head_dim)
        qk, v = joined[:, : -self.kv_heads], joined[:, -self.kv_heads :]
        if layer.q_norm is not None and layer.k_norm is not None:
            q = rms_normed(qk[:, : self.heads], layer.q_norm, self.eps)
            k = rms_normed(qk[:, self.heads :], layer.k_norm, self.eps)
            qk = torch.cat((q, k), 1)
        # rotate_half as a roll, its minus signs in the table of sines
        turned = (qk * cos).addcmul_(qk.roll(self.head_dim // 2, -1), sin)
        return self._abreast(turned[:, : self.heads]), self._abreast(turned[:, self.heads :]), self._abreast(v)

    def _abreast(self, rows: Tensor) -> Tensor:
        """Put the experts' heads side by side: (expert x token, head, dimension) to (token, expert x head, ...)."""
        if self.copies == 1:
            return rows
        return rows.view(self.copies, -1, *rows.shape[1:]).transpose(0, 1).flatten(1, 2)

    def _joined(self, x_TBH: Tensor) -> Tensor:
        """Put the experts' hidden states side by side: (expert, row, width) to (row, expert x width)."""
        return x_TBH[0] if self.copies == 1 else x_TBH.transpose(0, 1).flatten(1)

    def _finish(self, layer: Layer, x: Tensor, mixed: Tensor) -> Tensor:
        """Return the layer's output: attention's projection and the feed-forward block, with their residuals."""
        if self.copies > 1:
            mixed = mixed.view(len(mixed), self.copies, -1).transpose(0, 1).flatten(0, 1)
        x = layer.out.added_to(x, mixed)
        gate_up = layer.gate_up(rms_normed(x, layer.mlp_norm, self.eps))
        width = gate_up.shape[-1] // 2
        return layer.down.added_to(x, F.silu(gate_up[:, :width]).mul_(gate_up[:, width:]))

    def _rotation(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        top = int(positions.max()) + 1 if len(positions) else 1
        if top > self._tables[0].shape[0]:
            self._tables = self._rotations(2 * top)
        positions = positions.repeat(self.copies)
        return self._tables[0][positions], self._tables[1][positions]

    def _rotations(self, count: int) -> tuple[Tensor, Tensor]:
        """Return cosines and signed sines for `count` positions, of shape (position, 1, dimension)."""
        positions = torch.arange(count, device=self.device)[None]
        cos, sin = self._rotary(self._embeddings[0][:1, None], positions)
        sign = torch.ones(self.head_dim, device=self.device, dtype=sin.dtype)
        sign[: self.head_dim // 2] = -1
        return cos[0, :, None], (sin[0] * sign)[:, None]


def _members(model: Any) -> list[Any]:
    """Return the models of transformers that a model consists of: itself, an ensemble's base, or its whole models."""
    return model.members if isinstance(model, EnsembleModule) else [model]


def _size(members: Sequence[Any]) -> int:
    return sum(weight.numel() * weight.element_size() for member in members for weight in member.parameters())


def _shape(model: Any) -> str:
    """Return what models that are stacked must have in common."""
    config, first = model.config, model.model.layers[0].self_attn
    shapes = [(name, tuple(weight.shape)) for name, weight in model.named_parameters(remove_duplicate=False)]
    heads = config.num_attention_heads, config.num_key_value_heads, first.head_dim, first.scaling
    return repr((type(model).__name__, shapes, heads, config.rms_norm_eps, sorted(config.rope_parameters.items())))


def _known(model: Any) -> bool:
    """Whether the forward pass here is that of one model."""
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


def _plain(layer: Any) -> bool:
    """Whether every projection is an ordinary linear map (not quantized, no adapter) with no mixed biases."""
    attention, mlp = layer.self_attn, layer.mlp
    joined = (attention.q_proj, attention.k_proj, attention.v_proj)
    linears = (*joined, attention.o_proj, mlp.gate_proj, mlp.up_proj, mlp.down_proj)
    plain = all(type(base_of(linear)) is torch.nn.Linear for linear in linears)
    return plain and len({base_of(linear).bias is None for linear in joined}) == 1
