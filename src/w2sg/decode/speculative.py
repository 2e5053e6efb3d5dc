"""Sampling from an ensemble of the Llama family with few of its passes: the heaviest expert drafts, the others read
whole drafts at once, and only as far as they can still change what is said.

A token follows from the distribution and the response's own random number at its place (`decode.draw`), so a draft
that was drawn with the same numbers is right up to the first place where the mixture says something else: the
responses are those of the ensemble without drafts, token for token (`decode.drafting`, which does the same for models
of any architecture, one pass of all experts at a time). The rest is arithmetic:

- What the drafting expert said counts in the mixture; it is not asked again.
- Greedily, of the mean of probabilities: where the most probable token of the experts asked so far leads by more than
  the weight of the others, these cannot overturn it, and are not asked. They read what they have missed when a later
  token hangs on them. Drawn tokens, and geometric means, ask everyone. Mostly it is enough to know how probable each
  expert thinks the drafted token (all else might be one other token's); whole distributions are added up only where
  it is not, so that none are kept.
- Drafts are as long as the share of right ones suggests.
- Layers that no adapter changes are the same for all experts: the drafting one goes through them, the others begin
  with what it found there.

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
from w2sg.decode.blocks import Reader, Trunk
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
_ELEMENTS = 1 << 25
"""Probabilities held at once, over places of texts and vocabulary."""
_ROUNDING = 1e-4
_KEPT_SHARE = 0.75


def fits(model: Any) -> bool:
    """Tell whether the ensemble is one whose experts can read on from any place: of the Llama family, on a CPU, where a
    pass of many tokens takes far less for each than a pass of one, and not in half precision, whose rounding would let
    other tokens be said than token by token."""
    if not isinstance(model, EnsembleModule) or model.weights.device.type != "cpu":
        return False
    precise = model.get_input_embeddings().weight.dtype in (torch.float32, torch.float64)
    return precise and LlamaForward.fits(model)


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
        self.in_common = LlamaForward.in_common(ensemble)
        self.logarithms = ensemble.mixture == "log-linear"
        self.precision = torch.promote_types(experts[0].dtype, torch.float32)
        self.right, self.wrong = 199.0, 1.0

    def readers(self, texts: int) -> list[Reader]:
        """Return the experts' readers of so many texts."""
        trunk = Trunk(self.forwards[0], self.in_common, texts) if self.in_common else None
        return [Reader(forward, texts, trunk, number == 0) for number, forward in enumerate(self.forwards)]

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

    def mixture(self, states: Sequence[Tensor]) -> Tensor:
        """Return the sum of what the first experts add, given their final hidden states (place, width)."""
        mixed = self.contribution(0, states[0])
        for number, hidden in enumerate(states[1:], start=1):
            mixed += self.contribution(number, hidden)
        return mixed

    def lead(self, number: int, hidden: Tensor, tokens: Tensor) -> Tensor:
        """Return by how much at least an expert's part of the mixture puts tokens before all others: what is left of
        its probabilities might be all another's."""
        part = self.contribution(number, hidden).gather(1, tokens[:, None])[:, 0]
        return part.mul_(2).sub_(self.shares[number])


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
        self.readers = experts.readers(len(branches))
        self.states: list[Tensor] = []
        """Of each expert, the final hidden states before each place of the drafts, (text, place, width)."""
        self.leads = np.empty((0, 0))
        """By how much the experts asked so far at least put each drafted token before all others, (text, place)."""

    def run(self, tick: Tick) -> list[list[int]]:
        while len(self.names):
            room = int((self.ends - self.lengths).max())
            counts = self._draft(self.experts.draft_length(min(room, _LONGEST_DRAFT)))
            self._keep(self._check(counts), counts, tick)
        return self.found

    def _draft(self, length: int) -> np.ndarray:
        """Write what the first expert says next into the texts, and return how many places of each draft count: up to
        a stop token, or to the end of the response."""
        rows, counts = np.arange(len(self.names)), np.zeros(len(self.names), dtype=np.int64)
        self.leads = np.zeros((len(rows), length))
        for place in range(length):
            ends = self.lengths[rows] + place
            hidden = self.readers[0].advance(self.tokens, rows, ends, np.ones_like(rows))
            own = self.experts.contribution(0, hidden)
            if place == 0:
                check_numbers(own[:1])
                self.states = [hidden.new_zeros(len(rows), length, hidden.shape[-1]) for _ in self.readers]
            self.states[0][torch.from_numpy(rows), place] = hidden
            if self.lazy:
                first, best = own.max(-1)
                drafted = best.numpy()
                self.leads[rows, place] = 2 * first.numpy() - self.experts.shares[0]
            else:
                drafted = self._pick(own / self.experts.shares[0], rows, ends)
            self.tokens[rows, ends] = drafted
            counts[rows] = place + 1
            rows = rows[~self.stops[drafted] & (ends + 1 < self.ends[rows])]
            if not len(rows):
                break
        return counts

    def _check(self, counts: np.ndarray) -> np.ndarray:
        """Ask the other experts where they are needed, and return what the mixture says at each place of the drafts;
        cut `counts` after a place where a draft is sure to be wrong."""
        shape = self.leads.shape
        said = np.full(shape, -1)
        for number in range(1, len(self.readers)):
            needed = self._open(number, counts, said) if self.lazy else counts
            asked = np.flatnonzero(needed)
            if not len(asked):
                break
            wanted = needed[asked]
            hidden = self.readers[number].advance(self.tokens, asked, self.lengths[asked] + wanted - 1, wanted)
            texts = np.repeat(asked, wanted)
            places = np.arange(len(texts)) - np.repeat(np.cumsum(wanted) - wanted, wanted)
            self.states[number][torch.from_numpy(texts), torch.from_numpy(places)] = hidden
            if self.lazy:
                drafted = torch.from_numpy(self.tokens[texts, self.lengths[texts] + places])
                pairs = zip(self._blocks(hidden), self._blocks(drafted), strict=True)
                leads = [self.experts.lead(number, *pair).numpy() for pair in pairs]
                self.leads[texts, places] += np.concatenate(leads)
        if self.lazy:
            self._open(len(self.readers), counts, said)
        texts, places = np.nonzero((said < 0) & (np.arange(shape[1]) < counts[:, None]))
        for some in self._blocks(np.arange(len(texts))):
            mixed = self._mixture(len(self.readers), texts[some], places[some])
            said[texts[some], places[some]] = self._pick(mixed, texts[some], self.lengths[texts[some]] + places[some])
        return said

    def _open(self, asked: int, counts: np.ndarray, said: np.ndarray) -> np.ndarray:
        """Write down what those who come after the first `asked` experts cannot overturn, and return up to which place
        each text's draft hangs on them."""
        places, left = np.arange(said.shape[1]), sum(self.experts.shares[asked:])
        inside, drafted = places < counts[:, None], self._drafted(len(places))
        if left < 0.5:  # else these can overturn whatever the others say
            np.copyto(said, drafted, where=inside & (said < 0) & (self.leads > left + _ROUNDING))
            texts, spots = np.nonzero(inside & (said < 0))
            for some in self._blocks(np.arange(len(texts))):
                mixed = self._mixture(asked, texts[some], spots[some])
                first, best = mixed.max(-1)
                sure = (first - mixed.scatter_(1, best[:, None], -1.0).amax(-1)).numpy() > left + _ROUNDING
                said[texts[some][sure], spots[some][sure]] = best.numpy()[sure]
        wrong = (said >= 0) & (said != drafted) & inside
        counts[:] = np.where(wrong.any(1), wrong.argmax(1) + 1, counts)
        unsure = (said < 0) & (places < counts[:, None])
        return np.where(unsure.any(1), len(places) - unsure[:, ::-1].argmax(1), 0)

    def _drafted(self, length: int) -> np.ndarray:
        """Return the drafts (text, place)."""
        drafted: np.ndarray = self.tokens[
            np.arange(len(self.names))[:, None], self.lengths[:, None] + np.arange(length)
        ]
        return drafted

    def _mixture(self, asked: int, texts: np.ndarray, places: np.ndarray) -> Tensor:
        """Return what the first `asked` experts make of the mixture at places of the drafts."""
        spots = torch.from_numpy(texts), torch.from_numpy(places)
        return self.experts.mixture([states[spots] for states in self.states[:asked]])

    def _blocks(self, rows: Any) -> list[Any]:
        """Cut what is there for every place into blocks whose probabilities may be held at once."""
        size = max(1, _ELEMENTS // self.vocabulary)
        return [rows[start : start + size] for start in range(0, len(rows), size)]

    def _pick(self, mixed: Tensor, rows: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Return the tokens drawn from mixtures, one for each, given texts and places."""
        if not self.experts.logarithms and self.config.temperature > 0:
            mixed = mixed.clamp(min=torch.finfo(mixed.dtype).tiny).log()
        drawn: np.ndarray = pick(mixed, torch.from_numpy(self.uniforms[rows, places]), self.config).numpy()
        return drawn

    def _keep(self, said: np.ndarray, counts: np.ndarray, tick: Tick) -> None:
        """Take over what was said up to the first place where the draft was wrong, and let go of finished texts."""
        differs = (said != self._drafted(said.shape[1])) & (np.arange(said.shape[1]) < counts[:, None])
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
