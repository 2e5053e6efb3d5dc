"""Sampling from and scoring by models with different tokenizers, in bytes: each member's next-byte distributions
(`decode.prefixes`), mixed.

Temperature, top-k and top-p apply to the mixture's next byte, and a uniform number is spent on each byte; responses are
as long as they have bytes. Greedy decoding takes the most probable byte, which need not be how the most probable token
begins: several tokens with one first byte may outweigh it. So the answers of one member in bytes may differ from its
own in tokens (of 120 questions of the world, 88 greedy answers of the zoo's untuned nano are the same texts, 106 of
neox, as many of them right but for two). The two together answer them in about a second on one core.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from w2sg.decode.base import Branch, Tick
from w2sg.decode.config import SamplingConfig
from w2sg.decode.generic import in_slots, run_batches, slots_of
from w2sg.decode.prefixes import Prefixes
from w2sg.models.base import RuntimeConfig
from w2sg.models.hf import LanguageModel
from w2sg.models.mixture import doubt, log_mixture, sampling_logits
from w2sg.models.mixture_bytes import END, ByteMixture, JoinedPrompt

_NUMBERS = 1 << 25
"""How many numbers the trees' masses may take after one byte of all texts that are run side by side."""


def respond(
    model: LanguageModel, branches: Sequence[Branch], config: SamplingConfig, runtime: RuntimeConfig, tick: Tick
) -> list[list[int]]:
    """Sample the bytes of every branch, the end included where there is one."""
    return run_batches(model, branches, config, _slots(model, runtime), tick, MixedPrefixes)


def _slots(model: LanguageModel, runtime: RuntimeConfig) -> int:
    mixture: ByteMixture = model.model
    return min(slots_of(model, runtime), max(1, _NUMBERS // mixture.size))


class MixedPrefixes:
    """Responses side by side, each in the tokens of every member: a state of sampling (`decode.generic`)."""

    divisible = True

    def __init__(self, model: LanguageModel, prompts: Sequence[Sequence[int]]) -> None:
        self._mixture: ByteMixture = model.model
        parts = [_parts(prompt) for prompt in prompts]
        shared = self._mixture
        self._members = [
            Prefixes(member, trie, [part[number] for part in parts], lead)
            for number, (member, trie, lead) in enumerate(zip(shared.members, shared.tries, shared.leads, strict=True))
        ]

    @property
    def members_TBC(self) -> Tensor:  # noqa: N802
        """Every member's log-probabilities of the next byte or the end, of shape (T, B, 257)."""
        return torch.stack([member.log_probs for member in self._members])

    @property
    def logits(self) -> Tensor:
        """The mixture's log-probabilities of the next byte or the end, of shape (B, 257), as sampling needs them."""
        return sampling_logits(self.members_TBC, self._mixture.weights, self._mixture.mixture)

    def feed(self, tokens: Tensor) -> None:
        """Continue every response with its byte; one that has ended goes on with any."""
        bytes_B = tokens.where(tokens != END, 0)
        for member in self._members:
            member.feed(bytes_B)

    def select(self, rows: Tensor) -> None:
        """Keep the given responses, in that order."""
        for member in self._members:
            member.select(rows)


def _parts(prompt: Sequence[int]) -> tuple[Sequence[int], ...]:
    assert isinstance(prompt, JoinedPrompt)
    return prompt.parts


def read(
    model: LanguageModel, pairs: Sequence[tuple[Sequence[int], Sequence[int]]], runtime: RuntimeConfig
) -> list[tuple[tuple[float, ...], ...]]:
    """Return, for each prompt and the bytes of its response, what the mixture says of every byte: its log-probability,
    and the entropy, divergence and dissent of the distribution that it is taken from (`models.mixture.Doubt`)."""
    return in_slots(pairs, lambda pair: len(pair[1]), _slots(model, runtime), lambda some: _read(model, some))


def _read(
    model: LanguageModel, pairs: Sequence[tuple[Sequence[int], Sequence[int]]]
) -> list[tuple[tuple[float, ...], ...]]:
    """Read texts side by side, the longest first."""
    mixture: ByteMixture = model.model
    state = MixedPrefixes(model, [prompt for prompt, _ in pairs])
    columns: list[list[list[float]]] = [[[] for _ in range(4)] for _ in pairs]
    count, longest = len(pairs), len(pairs[0][1])
    for place in range(longest):
        left = sum(len(response) > place for _, response in pairs)
        if left < count:
            state.select(torch.arange(left, device=model.device))
            count = left
        bytes_B = torch.tensor([response[place] for _, response in pairs[:count]], device=model.device)
        logs_TBC = state.members_TBC
        logs_BC = log_mixture(logs_TBC, mixture.weights, mixture.mixture)
        said = logs_BC.gather(-1, bytes_B[:, None]).squeeze(-1)
        parts = (said, *doubt(logs_TBC, mixture.weights, mixture.mixture))
        for column, part in enumerate(parts):
            for row, value in enumerate(part.tolist()):
                columns[row][column].append(value)
        if place + 1 < longest:
            state.feed(bytes_B)
    return [tuple(map(tuple, column)) for column in columns]
