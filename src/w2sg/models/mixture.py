"""Experts as one causal language model: a forward pass of each, their next-token distributions mixed.

`EnsembleModule` takes what a model of transformers takes and returns log-probabilities of the mixture as its logits,
so that all that samples from a model samples from an ensemble: temperature, top-k and top-p apply to
the mixture. Experts that are adapters on one base share its forward pass (`models.adapters`), others run one by one
(`SeparateExperts`). Which experts belong together is checked where they are loaded, in `models.ensemble_load`.
"""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from transformers import DynamicCache
from transformers.modeling_outputs import CausalLMOutputWithPast

from w2sg.models.base import Mixture


def log_mixture(logits_TNV: Tensor, weights_T: Tensor, mixture: Mixture) -> Tensor:
    """Return the log-probabilities (..., V) of the mixture of T experts' distributions (T, ..., V), given as logits.

    `probability`: p = sum_t a_t p_t / sum_t a_t (EnsemW2S, as the authors' code mixes).
    `log-linear`: p proportional to prod_t p_t ^ (a_t / sum_t a_t), the geometric mean. The exponents sum to 1, so that
    equal experts are their ensemble; how sharp it is, is left to the temperature.

    Computed in float32 at least. Only the ratios of the weights matter.
    """
    logits_TNV = logits_TNV.to(torch.promote_types(logits_TNV.dtype, torch.float32))
    shares = (weights_T / weights_T.sum()).to(logits_TNV).view(-1, *[1] * (logits_TNV.dim() - 1))
    if mixture == "log-linear":
        return (logits_TNV * shares).sum(0).log_softmax(-1)
    return torch.logsumexp(logits_TNV.log_softmax(-1) + shares.log(), 0)


def sampling_logits(logits_TNV: Tensor, weights_T: Tensor, mixture: Mixture) -> Tensor:
    """Return `log_mixture` as sampling needs it, at a seventh of its time: probabilities below the smallest normal
    number of the format (1e-38 in float32) are given as that number."""
    logits_TNV = logits_TNV.to(torch.promote_types(logits_TNV.dtype, torch.float32))
    shares = (weights_T / weights_T.sum()).to(logits_TNV)
    mixed: Tensor
    if mixture == "log-linear":
        mixed = torch.tensordot(shares, logits_TNV, 1)
        return mixed.log_softmax(-1)
    mixed = torch.tensordot(shares, logits_TNV.softmax(-1), 1)
    return mixed.clamp_(min=torch.finfo(mixed.dtype).tiny).log_()


class Doubt(NamedTuple):
    """How sure an ensemble is of its next token, and how far its experts agree; each of the shape of the tokens."""

    entropy: Tensor
    """Entropy of the mixture, in nats."""
    divergence: Tensor
    """Weighted mean of the experts' Kullback-Leibler divergences from the mixture, in nats; 0 where all agree. Of the
    probability mixture it is the generalised Jensen-Shannon divergence (Lin 1991): the mixture's entropy less the
    experts' own, the part of the doubt that comes from their disagreement."""
    dissent: Tensor
    """Share of the weights held by experts whose most probable token is not the mixture's."""


def doubt(logits_TNV: Tensor, weights_T: Tensor, mixture: Mixture) -> Doubt:
    """Return the doubt of T experts' distributions (T, ..., V), given as logits, at every place."""
    logs_TNV = logits_TNV.to(torch.promote_types(logits_TNV.dtype, torch.float32)).log_softmax(-1)
    logs_NV = log_mixture(logs_TNV, weights_T, mixture)
    shares = (weights_T / weights_T.sum()).to(logs_TNV).view(-1, *[1] * (logs_TNV.dim() - 2))
    # A token without probability adds nothing, where 0 times the logarithm of 0 would not be a number.
    gaps = torch.where(logs_TNV.isneginf(), 0, logs_TNV.exp() * (logs_TNV - logs_NV))
    return Doubt(
        entropy=-torch.where(logs_NV.isneginf(), 0, logs_NV.exp() * logs_NV).sum(-1),
        divergence=(shares * gaps.sum(-1)).sum(0).clamp(min=0),
        dissent=(shares * (logs_TNV.argmax(-1) != logs_NV.argmax(-1))).sum(0),
    )


class EnsembleModule(nn.Module):
    """Base of the ensembles: T experts, their weights and how they are mixed."""

    def __init__(self, weights: Sequence[float], mixture: Mixture) -> None:
        super().__init__()
        self.mixture: Mixture = mixture
        self.weights: Tensor
        self.register_buffer("weights", torch.tensor(weights, dtype=torch.float64), persistent=False)
        self.config: Any
        self.generation_config: Any

    @property
    def count(self) -> int:
        """How many experts there are."""
        return len(self.weights)

    def mix(self, logits_TNV: Tensor) -> Tensor:
        """Return the mixture's log-probabilities, as sampling needs them."""
        return sampling_logits(logits_TNV, self.weights, self.mixture)

    @abstractmethod
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

    @abstractmethod
    def alone(self, number: int) -> Callable[..., Any]:
        """Return the forward pass of one expert, which takes and returns what a model of transformers does."""

    @property
    @abstractmethod
    def members(self) -> list[Any]:
        """The models of transformers that run: the experts, or the base that they share."""

    @abstractmethod
    def get_input_embeddings(self) -> nn.Module:
        """Return the embedding of tokens, one of them where experts have their own."""

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        use_cache: bool = False,
        logits_to_keep: int = 0,
    ) -> CausalLMOutputWithPast:
        """Return the mixture's log-probabilities as `logits`, of shape (batch, position, V)."""
        logits_TBSV, cache = self.expert_logits(
            input_ids, attention_mask, position_ids, past_key_values, use_cache, logits_to_keep
        )
        return CausalLMOutputWithPast(logits=self.mix(logits_TBSV), past_key_values=cache)


class SeparateExperts(EnsembleModule):
    """Experts that are models of their own, of any architecture, with one tokenizer and one size of vocabulary."""

    def __init__(self, experts: Sequence[Any], weights: Sequence[float], mixture: Mixture) -> None:
        super().__init__(weights, mixture)
        self.experts = nn.ModuleList(experts)
        self.config, self.generation_config = experts[0].config, experts[0].generation_config
        self._takes = [inspect.signature(expert.forward).parameters for expert in experts]

    @property
    def members(self) -> list[Any]:
        """The experts."""
        return list(self.experts)

    def alone(self, number: int) -> Callable[..., Any]:
        """Return the forward pass of one expert."""
        expert: Callable[..., Any] = self.experts[number]
        return expert

    def get_input_embeddings(self) -> nn.Module:
        """Return the first expert's embedding."""
        return self.experts[0].get_input_embeddings()  # type: ignore[operator,no-any-return]

    def expert_logits(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        use_cache: bool = False,
        logits_to_keep: int = 0,
    ) -> tuple[Tensor, Any]:
        """Return every expert's logits, of shape (T, batch, position, V), and the caches to continue from."""
        caches = [None] * self.count if past_key_values is None else past_key_values.parts
        logits, after = [], []
        for expert, takes, cache in zip(self.experts, self._takes, caches, strict=True):
            extra = {"position_ids": position_ids, "logits_to_keep": logits_to_keep, "past_key_values": cache}
            given = {name: value for name, value in extra.items() if name in takes and value is not None}
            output = expert(input_ids=input_ids, attention_mask=attention_mask, use_cache=use_cache, **given)
            logits.append(output.logits[:, -logits_to_keep:])
            after.append(getattr(output, "past_key_values", None))
        whole = use_cache and all(cache is not None for cache in after)
        return torch.stack(logits), ExpertCaches(after) if whole else None


class ExpertCaches(DynamicCache):  # type: ignore[misc]
    """The experts' caches, seen as one: its layers are all of theirs, so that it branches and divides as they do."""

    def __init__(self, parts: Sequence[Any]) -> None:
        super().__init__()
        self.parts = list(parts)
        self.layers = list(chain.from_iterable(getattr(part, "layers", [None]) for part in parts))

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keep the given rows, in that order, in every expert's cache."""
        for part in self.parts:
            part.batch_select_indices(indices)
