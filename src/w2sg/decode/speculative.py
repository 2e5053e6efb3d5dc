"""Sampling from an ensemble of the Llama family with few of its passes: the heaviest expert drafts, the others read
whole drafts at once, and only as far as they can still change what is said.

A token follows from the distribution and the response's own random number at its place (`decode.draw`), so a draft
that was drawn with the same numbers is right up to the first place where the mixture says something else: the
responses are those of the ensemble without drafts, token for token (`decode.drafting`, which does the same for models
of any architecture, one pass of all experts at a time). The rest is arithmetic:

- What the drafting expert said counts in the mixture; it is not asked again.
- Greedily, of the mean of probabilities: where the most probable token of the experts asked so far leads by more than
  the weight of the others, these cannot overturn it, and are not asked. They read what they have missed when a later
  token hangs on them. Drawn tokens, and geometric means, ask everyone.
- Drafts are as long as the share of right ones suggests.

Sums are taken in another order than token by token, so a choice between tokens whose probabilities agree to some
millionths may fall otherwise, as it may between any two of the engines; a lead counts only if it is larger than that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from w2sg.decode.base import Branch, Tick
from w2sg.decode.blocks import Reader
from w2sg.decode.config import SamplingConfig
from w2sg.decode.draw import check_numbers, pick
from w2sg.decode.generic import in_slots, prompt_length, slots_of
from w2sg.decode.llama import LlamaForward
from w2sg.models.base import RuntimeConfig
from w2sg.models.hf import LanguageModel
from w2sg.models.mixture import EnsembleModule

_LONGEST_DRAFT = 64
_PASS_TOKENS = 1.0
"""What checking a draft takes beside what each of its tokens takes, in tokens."""
_ELEMENTS = 1 << 26
"""Probabilities held at once, over texts, places and vocabulary."""
_ROUNDING = 1e-4
_KEPT_SHARE = 0.75


def fits(model: Any) -> bool:
    """Tell whether the ensemble is one whose experts can read on from any place: of the Llama family, on a CPU, where a
    pass of many tokens takes far less for each than a pass of one."""
    return isinstance(model, EnsembleModule) and model.weights.device.type == "cpu" and LlamaForward.fits(model)


def respond(
    model: LanguageModel, branches: Sequence[Branch], config: SamplingConfig, runtime: RuntimeConfig, tick: Tick
) -> list[list[int]]:
    """Sample the tokens of every branch, the stop token included where there is one."""
    with torch.inference_mode():
        experts = _Experts(model.model)
        slots = slots_of(model, runtime)
        return in_slots(branches, prompt_length, slots, lambda some: _Batch(model, experts, some, config).run(tick))


class _Experts:
    """The experts' forward passes and shares, the heaviest first, and how often drafts were right."""

    def __init__(self, ensemble: EnsembleModule) -> None:
        forwards = LlamaForward.of_each(ensemble)
        order = (-ensemble.weights).argsort(stable=True).tolist()
        self.shares: list[float] = (ensemble.weights / ensemble.weights.sum())[order].tolist()
        experts = [forwards[number] for number in order]
        self.forwards = [experts[0].merged(), *experts[1:]]
        self.logarithms = ensemble.mixture == "log-linear"
        self.precision = torch.promote_types(experts[0].dtype, torch.float32)
        self.right, self.wrong = 199.0, 1.0

    def draft_length(self, most: int) -> int:
        """Return the length that has drafts cost least per token that is right."""
        rate = self.right / (self.right + self.wrong)
        lengths = np.arange(1, most + 1)
        return int(lengths[((lengths + _PASS_TOKENS) / (1 - rate**lengths)).argmin()])

    def told(self, right: int, wrong: int) -> None:
        """Count drafted tokens, the last ones most."""
        keep = 0.8 if self.right + self.wrong > 64 else 1.0
        self.right, self.wrong = keep * self.right + right, keep * self.wrong + wrong

    def contribution(self, number: int, hidden: Tensor) -> Tensor:
        """Return what an expert adds to the mixture: its share of probabilities, or of logits."""
        logits = self.forwards[number].logits(hidden)
        logits = logits.to(self.precision)
        part: Tensor = (logits if self.logarithms else logits.softmax(-1)).mul_(self.shares[number])
        return part


class _Batch:
    """Responses side by side. `lengths` counts the tokens of each text, prompt included, that are decided."""

    def __init__(
        self, model: LanguageModel, experts: _Experts, branches: Sequence[Branch], config: SamplingConfig
    ) -> None:
        self.experts, self.config = experts, config
        self.lazy = config.temperature == 0 and not experts.logarithms
        self.vocabulary = model.model.get_input_embeddings().weight.shape[0]
        self.stops = np.zeros(self.vocabulary, bool)
        self.stops[list(model.stop_ids)] = True
        self.prompts = np.array([len(branch.prompt) for branch in branches])
        self.lengths, self.ends = self.prompts.copy(), self.prompts + [branch.limit for branch in branches]
        self.names = np.arange(len(branches))
        self.tokens = np.zeros((len(branches), int(self.ends.max()) + _LONGEST_DRAFT), dtype=np.int64)
        self.uniforms = np.zeros(self.tokens.shape)  # of each place in a text, as its tokens are
        for row, branch in enumerate(branches):
            self.tokens[row, : len(branch.prompt)] = branch.prompt
            self.uniforms[row, len(branch.prompt) :][: len(branch.uniforms)] = branch.uniforms
        self.found: list[list[int]] = [[] for _ in branches]
        self.readers = self._readers([branch.prompt for branch in branches])

    def _readers(self, prompts: Sequence[Sequence[int]]) -> list[Reader]:
        """Return the experts' readers; prompts of several responses have been read once for all, but the last token."""
        firsts = list({id(prompt): row for row, prompt in reversed(list(enumerate(prompts)))}.values())
        if len(firsts) == len(prompts):
            return [Reader(forward, len(prompts)) for forward in self.experts.forwards]
        place = {id(prompts[row]): number for number, row in enumerate(firsts)}
        owners = np.array([place[id(prompt)] for prompt in prompts])
        readers = []
        for forward in self.experts.forwards:
            reader = Reader(forward, len(firsts))
            ends = self.prompts[firsts] - 1
            rows = np.flatnonzero(ends)
            if len(rows):
                reader.advance(self.tokens[firsts], rows, ends[rows], np.ones_like(rows))
            reader.select(owners)
            readers.append(reader)
        return readers

    def run(self, tick: Tick) -> list[list[int]]:
        while len(self.names):
            room = int((self.ends - self.lengths).max())
            bound = max(1, _ELEMENTS // (len(self.names) * self.vocabulary))
            length = self.experts.draft_length(min(room, bound, _LONGEST_DRAFT))
            mixed, counts = self._draft(length)
            self._keep(self._check(mixed, counts), counts, tick)
        return self.found

    def _draft(self, length: int) -> tuple[Tensor, np.ndarray]:
        """Write what the first expert says next into the texts; return its part of the mixture (text, place, V), and
        how many places of each draft count: up to a stop token, or to the end of the response."""
        mixed = torch.zeros(len(self.names), length, self.vocabulary, dtype=self.experts.precision)
        rows, counts = np.arange(len(self.names)), np.zeros(len(self.names), dtype=np.int64)
        for place in range(length):
            ends = self.lengths[rows] + place
            own = self.experts.contribution(0, self.readers[0].advance(self.tokens, rows, ends, np.ones_like(rows)))
            if place == 0:
                check_numbers(own[:1])
            mixed[torch.from_numpy(rows), place] = own
            drafted = self._pick(own / self.experts.shares[0], rows, ends)
            self.tokens[rows, ends] = drafted
            counts[rows] = place + 1
            rows = rows[~self.stops[drafted] & (ends + 1 < self.ends[rows])]
            if not len(rows):
                break
        return mixed, counts

    def _check(self, mixed: Tensor, counts: np.ndarray) -> np.ndarray:
        """Add the other experts' parts where they are needed, and return what the mixture says at each place of the
        drafts; cut `counts` after a place where a draft is sure to be wrong."""
        rows, length = mixed.shape[:2]
        left = np.full((rows, length), sum(self.experts.shares[1:]))
        said = np.full((rows, length), -1)
        for number in range(1, len(self.readers)):
            needed = self._open(mixed, counts, left, said) if self.lazy else counts
            asked = np.flatnonzero(needed)
            if not len(asked):
                break
            wanted = needed[asked]
            hidden = self.readers[number].advance(self.tokens, asked, self.lengths[asked] + wanted - 1, wanted)
            texts = np.repeat(asked, wanted)
            places = np.arange(len(texts)) - np.repeat(np.cumsum(wanted) - wanted, wanted)
            flat = torch.from_numpy(texts * length + places)
            mixed.view(-1, self.vocabulary).index_add_(0, flat, self.experts.contribution(number, hidden))
            left[texts, places] -= self.experts.shares[number]
        texts, places = np.nonzero((said < 0) & (np.arange(length) < counts[:, None]))
        said[texts, places] = self._pick(self._at(mixed, texts, places), texts, self.lengths[texts] + places)
        return said

    def _open(self, mixed: Tensor, counts: np.ndarray, left: np.ndarray, said: np.ndarray) -> np.ndarray:
        """Write down what those who were not asked yet cannot overturn, and return up to which place each text's draft
        hangs on them."""
        places = np.arange(mixed.shape[1])
        texts, spots = np.nonzero((said < 0) & (places < counts[:, None]))
        parts = self._at(mixed, texts, spots)
        first, best = parts.max(-1, keepdim=True)
        second = parts.scatter_(-1, best, -1.0).amax(-1)
        sure = (first[:, 0] - second).numpy() > left[texts, spots] + _ROUNDING
        said[texts[sure], spots[sure]] = best[:, 0].numpy()[sure]
        drafted = self.tokens[np.arange(len(said))[:, None], self.lengths[:, None] + places]
        wrong = (said >= 0) & (said != drafted) & (places < counts[:, None])
        counts[:] = np.where(wrong.any(1), wrong.argmax(1) + 1, counts)
        unsure = (said < 0) & (places < counts[:, None])
        return np.where(unsure.any(1), len(places) - unsure[:, ::-1].argmax(1), 0)

    def _at(self, mixed: Tensor, texts: np.ndarray, places: np.ndarray) -> Tensor:
        """Return a copy of the mixtures at places of the drafts."""
        return mixed.view(-1, self.vocabulary)[torch.from_numpy(texts * mixed.shape[1] + places)]

    def _pick(self, mixed: Tensor, rows: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Return the tokens drawn from mixtures, one for each, given texts and places."""
        if not self.experts.logarithms and self.config.temperature > 0:
            mixed = mixed.clamp(min=torch.finfo(mixed.dtype).tiny).log()
        drawn: np.ndarray = pick(mixed, torch.from_numpy(self.uniforms[rows, places]), self.config).numpy()
        return drawn

    def _keep(self, said: np.ndarray, counts: np.ndarray, tick: Tick) -> None:
        """Take over what was said up to the first place where the draft was wrong, and let go of finished texts."""
        places = np.arange(said.shape[1])
        drafted = self.tokens[np.arange(len(said))[:, None], self.lengths[:, None] + places]
        differs = (said != drafted) & (places < counts[:, None])
        wrong = differs.any(1)
        fresh = np.where(wrong, differs.argmax(1) + 1, counts)
        self.experts.told(int(fresh.sum() - wrong.sum()), int(wrong.sum()))
        last = said[np.arange(len(said)), fresh - 1]
        self.tokens[np.arange(len(said)), self.lengths + fresh - 1] = last
        self.lengths += fresh
        for reader in self.readers:
            np.minimum(reader.read, self.lengths - 1, out=reader.read)
        done = self.stops[last] | (self.lengths >= self.ends)
        tick(int(done.sum()), int(fresh.sum()))
        for row in np.flatnonzero(done):
            self.found[self.names[row]] = self.tokens[row, self.prompts[row] : self.lengths[row]].tolist()
        self._select(np.flatnonzero(~done))

    def _select(self, rows: np.ndarray) -> None:
        if len(rows) == len(self.names):
            return
        self.tokens, self.uniforms = self.tokens[rows], self.uniforms[rows]
        self.prompts, self.lengths, self.ends = self.prompts[rows], self.lengths[rows], self.ends[rows]
        self.names = self.names[rows]
        for reader in self.readers:
            reader.select(rows)
