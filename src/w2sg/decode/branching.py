"""Sampling from models of the Llama family: prompts run once, responses branch off, finished ones make room.

Responses to the same prompt are taken up together, in cohorts, whenever enough of the slots are free; every step
advances all of them by one token.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from w2sg.decode.base import Branch, Tick
from w2sg.decode.cohort import Cohort
from w2sg.decode.config import SamplingConfig
from w2sg.decode.draw import check_numbers, pick_rows
from w2sg.decode.llama import LlamaForward
from w2sg.models.base import RuntimeConfig
from w2sg.models.hf import LanguageModel

_SLOTS, _COHORTS = 1024, 4
_CPU_CACHE_BYTES, _GPU_CACHE_SHARE = 1 << 31, 0.25
_PREFILL_TOKENS = 1 << 14
"""Prompt tokens run at once, padding included: what bounds the memory of a cohort's start."""


def respond(
    model: LanguageModel, branches: Sequence[Branch], config: SamplingConfig, runtime: RuntimeConfig, tick: Tick
) -> list[list[int]]:
    """Sample the tokens of every branch, the stop token included where there is one."""
    with torch.inference_mode():
        return _Sampler(model, branches, config, runtime).run(tick)


class _Sampler:
    def __init__(
        self, model: LanguageModel, branches: Sequence[Branch], config: SamplingConfig, runtime: RuntimeConfig
    ) -> None:
        self.model = model
        self.forward = LlamaForward(model.model)
        self.branches, self.config = branches, config
        self.stops = np.zeros(model.model.get_input_embeddings().weight.shape[0], bool)
        self.stops[list(model.stop_ids)] = True
        self.cohorts: list[Cohort] = []
        # Prompts of like length side by side, to pad little; responses to one prompt stay together.
        self.waiting = sorted(range(len(branches)), key=lambda number: len(branches[number].prompt), reverse=True)
        self.limits = np.array([branch.limit for branch in branches], dtype=np.int64)
        self.slots = runtime.slots or self._affordable_slots()
        self.counts = np.zeros(len(branches), dtype=np.int64)
        longest = int(self.limits.max(initial=0))
        self.tokens = np.zeros((len(branches), longest), dtype=np.int64)
        self.uniforms = np.zeros((len(branches), longest), dtype=np.float64)
        for number, branch in enumerate(branches):
            self.uniforms[number, : len(branch.uniforms)] = branch.uniforms

    def run(self, tick: Tick) -> list[list[int]]:
        while self.waiting or self.cohorts:
            size = self._next_size()
            if size and size + sum(cohort.rows for cohort in self.cohorts) <= self.slots:
                hidden, fresh = self._admit(size)
                self._choose(hidden, [fresh], tick)
                self.cohorts.append(fresh)
            else:
                names, ages = self._rows(self.cohorts)
                positions = np.concatenate([cohort.positions for cohort in self.cohorts])
                hidden = self.forward.step(self._put(self.tokens[names, ages]), self._put(positions), self.cohorts)
                for cohort in self.cohorts:
                    cohort.grow()
                self._choose(hidden, self.cohorts, tick)
            self.cohorts = [cohort for cohort in self.cohorts if cohort.rows]
        return [row[:count].tolist() for row, count in zip(self.tokens, self.counts, strict=True)]

    def _affordable_slots(self) -> int:
        """Return how many responses to sample side by side: as many as help, within a share of the memory."""
        device = self.model.device
        cpu = device.type == "cpu"
        budget = _CPU_CACHE_BYTES if cpu else _GPU_CACHE_SHARE * torch.cuda.get_device_properties(device).total_memory
        longest = max((len(branch.prompt) + branch.limit for branch in self.branches), default=1)
        return max(1, min(_SLOTS, int(budget // (longest * self.forward.bytes_per_token))))

    def _next_size(self) -> int:
        """Return how many waiting responses make up the next cohort."""
        size = min(len(self.waiting), max(1, self.slots // _COHORTS))
        prompts: set[int] = set()
        for place, name in enumerate(self.waiting[:size]):
            prompts.add(id(self.branches[name].prompt))
            longest = len(self.branches[self.waiting[0]].prompt)  # the longest wait in front
            if place and len(prompts) * longest * self.forward.copies > _PREFILL_TOKENS:
                return place
        return size

    def _admit(self, size: int) -> tuple[Tensor, Cohort]:
        """Run the prompts of the next responses; return each response's final hidden state, and their cohort."""
        names, self.waiting = self.waiting[:size], self.waiting[size:]
        prompts: dict[int, Sequence[int]] = {
            id(self.branches[name].prompt): self.branches[name].prompt for name in names
        }
        place = {key: number for number, key in enumerate(prompts)}
        owners = np.array([place[id(self.branches[name].prompt)] for name in names])
        hidden, prefix = self.forward.prefill(list(prompts.values()))
        check_numbers(self.forward.logits(hidden[:1]))
        lengths = [len(prompt) for prompt in prompts.values()]
        return hidden[self._put(owners)], Cohort(prefix, lengths, owners, np.array(names))

    def _choose(self, hidden: Tensor, cohorts: Sequence[Cohort], tick: Tick) -> None:
        """Draw every row's next token, and drop the rows that it ends."""
        names, ages = self._rows(cohorts)
        drawn = pick_rows(self.forward.logits, hidden, self._put(self.uniforms[names, ages]), self.config)
        tokens = drawn.cpu().numpy()
        self.tokens[names, ages] = tokens
        finished = self.stops[tokens] | (ages + 1 >= self.limits[names])
        self.counts[names[finished]] = ages[finished] + 1
        start = 0
        for cohort in cohorts:
            rows = cohort.rows
            cohort.drop(finished[start : start + rows])
            start += rows
        tick(int(finished.sum()), len(tokens))

    def _rows(self, cohorts: Sequence[Cohort]) -> tuple[np.ndarray, np.ndarray]:
        """Return, for every row of every cohort, its branch and the place of its next token in the response."""
        names = np.concatenate([cohort.names for cohort in cohorts])
        return names, np.repeat([cohort.age for cohort in cohorts], [cohort.rows for cohort in cohorts])

    def _put(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.model.device)
