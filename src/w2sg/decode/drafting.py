"""Sampling from an ensemble with drafts: one expert says several tokens, the whole ensemble checks them in one pass.

A token follows from the distribution and the response's own random number at its place (`decode.draw`). The expert
draws its draft with those same numbers, the ensemble then draws its own tokens at every place of the draft with them,
and what both agree on up to the first difference is kept, with the ensemble's token there. So the responses are the
ones that the ensemble gives without drafts, token for token (up to the rounding of floating-point sums), greedy or
sampled; how often the expert guesses right decides the speed alone. (Leviathan et al. 2023 keep the distribution, by
another rule that gives other responses.)

What was drafted in vain stays in the caches behind the attention mask until every row can do without it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from w2sg.decode.base import Branch, Tick
from w2sg.decode.config import SamplingConfig
from w2sg.decode.draw import check_numbers, pick
from w2sg.decode.generic import in_slots, is_plain, padded, positions_of, prompt_length, slots_of
from w2sg.models.base import RuntimeConfig
from w2sg.models.hf import LanguageModel
from w2sg.models.mixture import EnsembleModule

_KEPT_SHARE = 0.75


def fits(model: Any) -> bool:
    """Tell whether drafts can be made and checked: an ensemble of models that are told the positions of tokens and
    keep plain caches."""
    if not isinstance(model, EnsembleModule):
        return False
    members = model.members
    if not all("position_ids" in inspect.signature(member.forward).parameters for member in members):
        return False
    ids = torch.zeros(1, 1, dtype=torch.long, device=model.weights.device)
    with torch.inference_mode():
        outputs = [model.alone(number)(input_ids=ids, use_cache=True) for number in range(len(members))]
    return all(is_plain(getattr(output, "past_key_values", None)) for output in outputs)


def respond(
    model: LanguageModel, branches: Sequence[Branch], config: SamplingConfig, runtime: RuntimeConfig, tick: Tick
) -> list[list[int]]:
    """Sample the tokens of every branch, the stop token included where there is one."""
    with torch.inference_mode():
        slots = slots_of(model, runtime)
        return in_slots(
            branches, prompt_length, slots, lambda some: _Batch(model, some, config, runtime.draft).run(tick)
        )


class _Batch:
    """Responses side by side. `ages` counts the tokens of each; the last of them is not in the caches yet."""

    def __init__(self, model: LanguageModel, branches: Sequence[Branch], config: SamplingConfig, draft: int) -> None:
        experts: EnsembleModule = model.model
        self.config, self.draft, self.device = config, draft, model.device
        self.stops, self.last_position = model.stop_ids, model.max_length - 1
        self.limits = np.array([branch.limit for branch in branches])
        self.lengths = np.array([len(branch.prompt) for branch in branches])
        self.uniforms = np.zeros((len(branches), int(self.limits.max()) + draft + 2))
        for row, branch in enumerate(branches):
            self.uniforms[row, : len(branch.uniforms)] = branch.uniforms
        self.tokens: list[list[int]] = [[] for _ in branches]
        self.names = np.arange(len(branches))
        prompts = [branch.prompt for branch in branches]
        self.all = _Track(experts, prompts, model.pad_id, self.device)
        self.one = _Track(experts.alone(int(experts.weights.argmax())), prompts, model.pad_id, self.device)
        check_numbers(self.all.logits[:1])

    def run(self, tick: Tick) -> list[list[int]]:
        fresh = self._pick(self.all.logits[:, None], np.zeros(len(self.names), int))
        unread = np.zeros_like(fresh)  # the last token of the last draft, which the drafting expert did not read
        agreed = np.zeros(len(fresh), bool)
        ages = self._keep(fresh, np.zeros(len(fresh), int), tick)
        while len(live := np.flatnonzero(ages > 0)):
            if len(live) <= _KEPT_SHARE * len(ages):
                fresh, unread, agreed, ages = fresh[live], unread[live], agreed[live], ages[live]
                self._select(live)
            newest = fresh[:, -1]
            count = min(self.draft, int((self.limits[self.names] - ages)[ages > 0].max()) - 1)
            drafted = self._drafted(newest, unread[:, -1], agreed, ages, count)
            said = self._check(newest, drafted, ages)
            right = np.cumprod(said[:, :count] == drafted, axis=1).sum(1)
            self.all.keep(np.arange(count + 1) <= right[:, None])
            if count:
                # The pair that the draft began with stays as it was; of its own tokens, those that were right.
                self.one.keep(np.arange(1, count) <= right[:, None])
            unread, agreed = drafted if count else unread, right == count
            fresh = said[np.arange(len(said)), right][:, None]
            ages = self._keep(said, ages, tick, right + 1)
        return self.tokens

    def _drafted(
        self, newest: np.ndarray, unread: np.ndarray, agreed: np.ndarray, ages: np.ndarray, count: int
    ) -> np.ndarray:
        """Return `count` tokens that one expert says next, of shape (row, place)."""
        drafted = np.zeros((len(newest), count), dtype=np.int64)
        ids, present = np.stack((unread, newest), 1), np.stack((agreed, np.ones_like(agreed)), 1)
        places = ages[:, None] + np.array([-2, -1])
        for place in range(count):
            logits = self.one.feed(ids, present, self._positions(places))[:, -1:]
            drafted[:, place] = self._pick(logits, ages + place)[:, 0]
            ids, present, places = drafted[:, place : place + 1], np.ones((len(ids), 1), bool), ages[:, None] + place
        return drafted

    def _check(self, newest: np.ndarray, drafted: np.ndarray, ages: np.ndarray) -> np.ndarray:
        """Return what the ensemble says after the newest token and after each of the draft, (row, place)."""
        ids = np.concatenate((newest[:, None], drafted), 1)
        places = ages[:, None] - 1 + np.arange(ids.shape[1])
        logits = self.all.feed(ids, np.ones(ids.shape, bool), self._positions(places))
        return self._pick(logits, ages)

    def _keep(self, said: np.ndarray, ages: np.ndarray, tick: Tick, counts: np.ndarray | None = None) -> np.ndarray:
        """Add what was said, up to each row's count, to the responses, as far as they go; return the rows' ages, -1
        where a response has ended."""
        after, ended, sampled = ages.copy(), 0, 0
        for row, name in enumerate(self.names.tolist()):
            if ages[row] < 0:
                continue
            for token in said[row, : None if counts is None else counts[row]].tolist():
                self.tokens[name].append(token)
                sampled += 1
                after[row] += 1
                if token in self.stops or after[row] == self.limits[name]:
                    after[row], ended = -1, ended + 1
                    break
        tick(ended, sampled)
        return after

    def _pick(self, logits_BSV: Tensor, ages: np.ndarray) -> np.ndarray:
        """Return the tokens drawn at consecutive places of the responses, the first at each row's age."""
        rows, count, width = logits_BSV.shape
        places = (ages[:, None] + np.arange(count)).clip(0, self.uniforms.shape[1] - 1)
        numbers = torch.from_numpy(self.uniforms[self.names[:, None], places]).to(self.device)
        drawn: np.ndarray = pick(logits_BSV.reshape(-1, width), numbers.view(-1), self.config).cpu().numpy()
        return drawn.reshape(rows, count)

    def _positions(self, places: np.ndarray) -> np.ndarray:
        """Return the positions of places in the responses; those of drafts beyond the end of the context, which are
        never kept, stay within it."""
        positions: np.ndarray = (self.lengths[self.names][:, None] + places).clip(0, self.last_position)
        return positions

    def _select(self, rows: np.ndarray) -> None:
        self.names = self.names[rows]
        keep = torch.from_numpy(rows).to(self.device)
        self.all.select(keep)
        self.one.select(keep)


class _Track:
    """The cache of one model, or of the ensemble, and the mask of what in it counts."""

    def __init__(
        self, forward: Callable[..., Any], prompts: Sequence[Sequence[int]], pad: int, device: torch.device
    ) -> None:
        self._forward, self._device = forward, device
        distinct = {id(prompt): prompt for prompt in prompts}
        ids, self._mask = padded(list(distinct.values()), pad, device)
        output = forward(
            input_ids=ids, attention_mask=self._mask, position_ids=positions_of(self._mask), use_cache=True
        )
        self._cache, self.logits = output.past_key_values, output.logits[:, -1]
        if len(distinct) < len(prompts):
            place = {key: number for number, key in enumerate(distinct)}
            self.select(torch.tensor([place[id(prompt)] for prompt in prompts], device=device))

    def feed(self, ids: np.ndarray, present: np.ndarray, positions: np.ndarray) -> Tensor:
        """Continue every row with tokens, those that are not `present` for the form alone; return the logits after
        each, of shape (row, token, vocabulary)."""
        self._mask = torch.cat((self._mask, self._put(present).long()), -1)
        output = self._forward(
            input_ids=self._put(ids),
            attention_mask=self._mask,
            position_ids=self._put(positions),
            past_key_values=self._cache,
            use_cache=True,
        )
        self._cache = output.past_key_values
        logits: Tensor = output.logits
        return logits

    def keep(self, present: np.ndarray) -> None:
        """Forget those of the last tokens that are not `present`, and drop the places that no row needs."""
        count = present.shape[1]
        if not count:
            return
        self._mask[:, -count:] = self._put(present).long()
        needless = count - int(np.flatnonzero(present.any(0)).max(initial=-1)) - 1
        if needless:
            self._mask = self._mask[:, :-needless]
            for layer in self._cache.layers:
                layer.crop(-needless)

    def select(self, rows: Tensor) -> None:
        """Keep the given rows, in that order; a row may be taken several times."""
        self._cache.batch_select_indices(rows)
        self._mask, self.logits = self._mask[rows], self.logits[rows]

    def _put(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)
