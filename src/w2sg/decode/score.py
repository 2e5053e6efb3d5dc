"""What a model, or an ensemble, thinks of given responses: log-probabilities and doubt of every token, or what it holds
most probable in that token's place.

An ensemble is scored as it is sampled: the experts' distributions are mixed token by token, and a response's score is
the sum of the mixture's log-probabilities. That is not the mixture of the experts' probabilities of whole responses.
Where experts have different tokenizers, bytes stand for tokens (`decode.bytewise`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from w2sg.decode import bytewise
from w2sg.decode.generic import padded, positions_of
from w2sg.errors import ModelError
from w2sg.models.base import Mixture, RuntimeConfig
from w2sg.models.hf import LanguageModel
from w2sg.models.machine import enough_memory, threads
from w2sg.models.mixture import EnsembleModule, doubt, log_mixture
from w2sg.models.mixture_bytes import BytewiseModel
from w2sg.records import Prompt, SoftTargets

_ELEMENTS = 1 << 26
"""Logits computed at once, over texts, places, experts and vocabulary."""

Pair = tuple[Sequence[int], Sequence[int]]
"""The ids of a prompt and of a response."""
Found = TypeVar("Found")


@dataclass(frozen=True)
class TextScore:
    """The scores of one response, a number for each of its tokens, the end token last."""

    log_probabilities: tuple[float, ...]
    """Natural logarithms of the tokens' probabilities."""
    entropies: tuple[float, ...]
    """Entropy of the distribution that each token is taken from, in nats."""
    divergences: tuple[float, ...]
    """How far the experts' distributions are from their mixture (`models.mixture.Doubt`); 0 for a single model."""
    dissents: tuple[float, ...]
    """Share of the experts' weights whose favourite is not the mixture's; 0 for a single model."""

    @property
    def total(self) -> float:
        """The log-probability of the whole response."""
        return sum(self.log_probabilities)

    @property
    def mean(self) -> float:
        """The mean log-probability of its tokens."""
        return self.total / len(self.log_probabilities)


def score(
    model: LanguageModel, texts: Sequence[tuple[Prompt, str]], runtime: RuntimeConfig, end: bool = True
) -> list[TextScore]:
    """Return the scores of each response, given its prompt.

    Args:
        end: score the end token too; without it, a response and its continuations are scored alike up to there.

    Raises:
        ModelError: a text does not fit the model's context, or the memory runs out.
    """
    pairs = _pairs(model, texts, end)
    if isinstance(model, BytewiseModel):
        with torch.inference_mode(), threads(runtime.threads), enough_memory(f"scoring with {model.config.path!r}"):
            return [TextScore(*columns) for columns in bytewise.read(model, pairs, runtime)]
    return _in_batches(model, pairs, runtime, _scores)


def likeliest(
    model: LanguageModel, texts: Sequence[tuple[Prompt, str]], most: int, runtime: RuntimeConfig
) -> list[SoftTargets]:
    """Return, for each response, the `most` most probable tokens in the place of each of its own (the end token's
    included) after those before it, falling, and their probabilities, which are made to sum to 1.

    Raises:
        ModelError: a text does not fit the model's context, the memory runs out, or the model is asked in bytes.
    """
    if isinstance(model, BytewiseModel):
        raise ModelError(
            f"The model {model.config.path!r} is made of models with different tokenizers, so it says how likely bytes "
            "are and not tokens. Learn its texts (recipe.distributions: 0), or use models that share a tokenizer."
        )

    def work(model: LanguageModel, pairs: Sequence[Pair]) -> list[SoftTargets]:
        mixed = _mixed(model, pairs).logs
        values_BSK, ids_BSK = mixed.topk(min(most, mixed.shape[-1]), dim=-1)
        ids, chances = ids_BSK.cpu().tolist(), values_BSK.softmax(-1).cpu().tolist()
        places = [slice(len(row) - len(response), None) for row, (_, response) in zip(ids, pairs, strict=True)]
        return [
            SoftTargets(tuple(map(tuple, ids[row][own])), tuple(map(tuple, chances[row][own])))
            for row, own in enumerate(places)
        ]

    return _in_batches(model, _pairs(model, texts, end=True), runtime, work)


def fits(model: LanguageModel, prompt: Prompt, text: str) -> bool:
    """Tell whether a response and its end fit the model's context behind their prompt."""
    count = len(model.response_ids(text))
    return model.room(model.prompt_ids(prompt), count) >= count


def _pairs(model: LanguageModel, texts: Sequence[tuple[Prompt, str]], end: bool) -> list[Pair]:
    pairs: list[Pair] = []
    for prompt, text in texts:
        response = model.response_ids(text)
        pairs.append((model.prompt_ids(prompt), response if end else response[:-1]))
    for start, told in pairs:
        if model.room(start, len(told)) < len(told):
            raise ModelError(
                f"A prompt of {len(start)} tokens and its response of {len(told)} do not fit the "
                f"{model.max_length} positions of {model.config.path!r}. Shorten them, or use another model."
            )
    return pairs


def _in_batches(
    model: LanguageModel,
    pairs: Sequence[Pair],
    runtime: RuntimeConfig,
    work: Callable[[LanguageModel, Sequence[Pair]], list[Found]],
) -> list[Found]:
    """Return what `work` makes of each pair, in their order; it is given those of like length together."""
    order = sorted(range(len(pairs)), key=lambda number: (len(pairs[number][1]), len(pairs[number][0])))
    results: dict[int, Found] = {}
    with torch.inference_mode(), threads(runtime.threads), enough_memory(f"scoring with {model.config.path!r}"):
        while order:
            longest = max(1, len(pairs[order[-1]][1]))
            count = max(1, _ELEMENTS // (longest * _width(model)))
            numbers, order = order[-count:], order[:-count]
            results.update(zip(numbers, work(model, [pairs[number] for number in numbers]), strict=True))
    return [results[number] for number in range(len(pairs))]


def _width(model: LanguageModel) -> int:
    """Return how many logits a place takes."""
    experts = model.model.count if isinstance(model.model, EnsembleModule) else 1
    return int(experts * model.model.get_input_embeddings().weight.shape[0])


@dataclass(frozen=True)
class _Mixed:
    """Predictions of the S last tokens of B texts, which are `chosen` (B, S): every expert's `logits` (T, B, S, V), and
    the logarithms of their mixture's probabilities, `logs` (B, S, V)."""

    chosen: Tensor
    logits: Tensor
    weights: Tensor
    kind: Mixture
    logs: Tensor


def _mixed(model: LanguageModel, pairs: Sequence[Pair]) -> _Mixed:
    """Run one batch side by side."""
    keep = max(len(response) for _, response in pairs) + 1
    # Padded on the left, so that the places of all responses are the last ones.
    ids, mask = padded([[*prompt, *response] for prompt, response in pairs], model.pad_id, model.device)
    logits_TBSV, weights = _logits(model, ids, mask, keep)
    chosen_BS = ids[:, -keep + 1 :] if keep > 1 else ids[:, :0]
    logits_TBSV = logits_TBSV[:, :, :-1]
    if isinstance(model.model, EnsembleModule):
        kind, logs_BSV = model.model.mixture, log_mixture(logits_TBSV, weights, model.model.mixture)
    else:
        kind, logs_BSV = "probability", logits_TBSV[0].to(torch.promote_types(logits_TBSV.dtype, torch.float32))
        logs_BSV = logs_BSV.log_softmax(-1)
    return _Mixed(chosen_BS, logits_TBSV, weights, kind, logs_BSV)


def _scores(model: LanguageModel, pairs: Sequence[Pair]) -> list[TextScore]:
    """Return the scores of one batch."""
    mixed = _mixed(model, pairs)
    found = doubt(mixed.logits, mixed.weights, mixed.kind)
    parts = (mixed.logs.gather(-1, mixed.chosen[..., None]).squeeze(-1), *found)
    columns = [part.cpu().tolist() for part in parts]
    return [
        TextScore(*(tuple(column[row][len(column[row]) - len(response) :]) for column in columns))
        for row, (_, response) in enumerate(pairs)
    ]


def _logits(model: LanguageModel, ids: Tensor, mask: Tensor, keep: int) -> tuple[Tensor, Tensor]:
    """Return the last `keep` places' logits of every expert, of shape (T, batch, keep, V), and their weights."""
    positions = positions_of(mask)
    if isinstance(model.model, EnsembleModule):
        logits, _ = model.model.expert_logits(ids, mask, positions, logits_to_keep=keep)
        return logits, model.model.weights
    extra = {"position_ids": positions, "logits_to_keep": keep}
    takes = inspect.signature(model.model.forward).parameters
    given = {name: value for name, value in extra.items() if name in takes}
    found = model.model(input_ids=ids, attention_mask=mask, use_cache=False, **given).logits
    return found[None, :, -keep:], torch.ones(1, device=ids.device)
