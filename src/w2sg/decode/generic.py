"""Sampling from any causal language model, by its own forward pass: prompts run once where its cache can branch.

Batches of like prompt length, padded on the left; rows that finish are taken out of the batch and its cache. Models
that hand back no `past_key_values` (Mamba keeps its state under another name) read the whole text anew for every
token, which is slow and right.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
import torch

from w2sg.decode.base import Branch, Tick
from w2sg.decode.config import SamplingConfig
from w2sg.decode.draw import check_numbers, pick
from w2sg.models.base import RuntimeConfig
from w2sg.models.hf import LanguageModel

_CPU_SLOTS, _GPU_SLOTS = 128, 256
_KEPT_SHARE = 0.75
"""Finished rows stay until this share of a batch is left: taking them out copies the cache."""


def respond(
    model: LanguageModel, branches: Sequence[Branch], config: SamplingConfig, runtime: RuntimeConfig, tick: Tick
) -> list[list[int]]:
    """Sample the tokens of every branch, the stop token included where there is one."""
    return run_batches(model, branches, config, slots_of(model, runtime), tick, State)


class Rows(Protocol):
    """Responses side by side, in the middle of sampling."""

    @property
    def logits(self) -> torch.Tensor:
        """Logits of each row's next token."""
        ...

    @property
    def divisible(self) -> bool:
        """Whether rows can be taken out."""
        ...

    def feed(self, tokens: torch.Tensor) -> None:
        """Continue every row with its token."""
        ...

    def select(self, rows: torch.Tensor) -> None:
        """Keep the given rows, in that order."""
        ...


Item = TypeVar("Item")
Result = TypeVar("Result")
Start = Callable[[LanguageModel, Sequence[Sequence[int]]], Rows]
"""Reads prompts, those of several responses several times."""


def run_batches(
    model: LanguageModel, branches: Sequence[Branch], config: SamplingConfig, slots: int, tick: Tick, start_rows: Start
) -> list[list[int]]:
    """Sample the tokens of every branch, `slots` of them side by side."""
    with torch.inference_mode():
        return in_slots(branches, prompt_length, slots, lambda some: _batch(model, some, config, tick, start_rows))


def prompt_length(branch: Branch) -> int:
    """Return how many tokens a branch goes on from."""
    return len(branch.prompt)


def in_slots(
    items: Sequence[Item], size: Callable[[Item], int], slots: int, work: Callable[[list[Item]], Sequence[Result]]
) -> list[Result]:
    """Return what `work` makes of every item, in their order; it is given `slots` of them at a time, the longest first,
    so that those side by side are alike in `size`."""
    order = sorted(range(len(items)), key=lambda number: size(items[number]), reverse=True)
    found: dict[int, Result] = {}
    for start in range(0, len(order), slots):
        numbers = order[start : start + slots]
        found.update(zip(numbers, work([items[number] for number in numbers]), strict=True))
    return [found[number] for number in range(len(items))]


def slots_of(model: LanguageModel, runtime: RuntimeConfig) -> int:
    """Return how many responses are sampled side by side."""
    return runtime.slots or (_CPU_SLOTS if model.device.type == "cpu" else _GPU_SLOTS)


def _batch(
    model: LanguageModel, branches: Sequence[Branch], config: SamplingConfig, tick: Tick, start_rows: Start
) -> list[list[int]]:
    """Sample the responses of one batch, side by side until the last has ended."""
    device = model.device
    limits = np.array([branch.limit for branch in branches])
    uniforms = np.zeros((len(branches), int(limits.max())))
    for row, branch in enumerate(branches):
        uniforms[row, : len(branch.uniforms)] = branch.uniforms
    tokens: list[list[int]] = [[] for _ in branches]
    names, ended = np.arange(len(branches)), np.zeros(len(branches), bool)
    state = start_rows(model, [branch.prompt for branch in branches])
    check_numbers(state.logits[:1])
    stops = np.zeros(state.logits.shape[-1], bool)
    stops[list(model.stop_ids)] = True
    for age in range(int(limits.max())):
        numbers = torch.from_numpy(uniforms[names, age]).to(device)
        drawn = pick(state.logits, numbers, config)
        fresh = drawn.cpu().numpy()
        for name, token in zip(names[~ended].tolist(), fresh[~ended].tolist(), strict=True):
            tokens[name].append(token)
        ending = ~ended & (stops[fresh] | (age + 1 >= limits[names]))
        tick(int(ending.sum()), int((~ended).sum()))
        ended |= ending
        if ended.all():
            break
        if state.divisible and (~ended).sum() <= _KEPT_SHARE * len(ended):
            left = np.flatnonzero(~ended)
            names, ended = names[left], ended[left]
            keep = torch.from_numpy(left).to(device)
            state.select(keep)
            drawn = drawn[keep]
        state.feed(drawn)
    return tokens


class State:
    """A batch in the middle of sampling: cache, attention mask, positions, and the logits of the next tokens."""

    def __init__(self, model: LanguageModel, prompts: Sequence[Sequence[int]]) -> None:
        self._forward, self._device, self._pad = model.model, model.device, model.pad_id
        self._takes = inspect.signature(model.model.forward).parameters
        self.logits: torch.Tensor
        distinct = {id(prompt): prompt for prompt in prompts}
        self._start(list(distinct.values()))
        self.divisible = self._cached and is_plain(self._cache)
        if len(distinct) < len(prompts):
            if self.divisible:
                place = {key: number for number, key in enumerate(distinct)}
                self.select(torch.tensor([place[id(prompt)] for prompt in prompts], device=self._device))
            else:
                self._start(prompts)

    def _start(self, prompts: Sequence[Sequence[int]]) -> None:
        self._cache: Any = None
        self._ids, self._mask = padded(prompts, self._pad, self._device)
        self._run(self._ids, self._positions())
        self._cached = _holds_state(self._cache)

    def feed(self, tokens: torch.Tensor, mask: torch.Tensor | None = None) -> None:
        """Continue every row with its token, after all tokens of the row, or those that `mask` shows (only where the
        rows are divisible; the new token is the last place of the mask)."""
        if mask is None:
            mask = torch.cat((self._mask, self._mask.new_ones(len(tokens), 1)), -1)
        self._mask = mask
        if self._cached:
            self._run(tokens[:, None], self._mask.sum(-1, keepdim=True) - 1)
        else:
            self._cache, self._ids = None, torch.cat((self._ids, tokens[:, None]), -1)
            self._run(self._ids, self._positions())

    def _positions(self) -> torch.Tensor:
        return positions_of(self._mask)

    def select(self, rows: torch.Tensor) -> None:
        """Keep the given rows, in that order; a row may be taken several times."""
        self._cache.batch_select_indices(rows)
        self._mask, self.logits = self._mask[rows], self.logits[rows]

    def _run(self, ids: torch.Tensor, positions: torch.Tensor) -> None:
        extra = {"position_ids": positions, "logits_to_keep": 1}
        extra = {name: value for name, value in extra.items() if name in self._takes}
        if self._cache is not None:
            extra["past_key_values"] = self._cache
        output = self._forward(input_ids=ids, attention_mask=self._mask, use_cache=True, **extra)
        self._cache = getattr(output, "past_key_values", None)
        self.logits = output.logits[:, -1]


def padded(prompts: Sequence[Sequence[int]], pad: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the ids of prompts, padded on the left to one length, and the mask of what is no padding."""
    longest = max(map(len, prompts))
    padding = [longest - len(prompt) for prompt in prompts]
    ids = [[pad] * count + list(prompt) for count, prompt in zip(padding, prompts, strict=True)]
    mask = [[0] * count + [1] * len(prompt) for count, prompt in zip(padding, prompts, strict=True)]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def positions_of(mask: torch.Tensor) -> torch.Tensor:
    """Return the position of every token among those that the mask shows."""
    return (mask.cumsum(-1) - 1).clamp(min=0)


def is_plain(cache: Any) -> bool:
    """Return whether a cache is one of plain keys and values, whose rows can be taken out and repeated. Recurrent
    states and other kinds start from every prompt anew."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    return isinstance(cache, DynamicCache) and all(type(layer) is DynamicLayer for layer in cache.layers)


def _holds_state(cache: Any) -> bool:
    """Return whether a forward pass left something in the cache to continue from."""
    return cache is not None and (not hasattr(cache, "layers") or len(cache.layers) > 0)
