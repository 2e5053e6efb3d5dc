"""What a language model of tokens says of the next byte of a text, whatever its tokens are.

A model gives probabilities to sequences of tokens, and many sequences write the same text. The probability that a
response begins with the bytes b is the sum over all ways to cover b: tokens that write b up to a place j before its
end, and one more token that begins with the rest of b (it may reach beyond). What the next byte is, follows from these
sums for b and for b with one byte more. They would take a pass of the model for every way to write b up to j, of which
there are exponentially many; here one is read for every j: **the most probable one among the ways that reach j by one
token from the ways read before**, the text's tokenisation so far as the model itself sees it. The probability of all
others that reach j is counted and not lost: what follows them is taken to be what follows the one that is read.

So the bytes' probabilities always add up to 1, and they are exact where what a model says next depends on the text
before it and not on how that text is cut into tokens, in particular where every text has one way to be written (tokens
of one byte), or where all other ways have no probability. Elsewhere they approximate: the ways that are not read have
little probability in a model trained on one tokenisation of each text. (The sums are those of Vieira et al. 2024, "From
language models over tokens to language models over characters", arXiv 2412.03719, who keep several ways for each j.)

A model reads one token for every byte, each in the context of its own way to write what is before it: tokens of other
ways stay in the cache behind the attention mask. Models whose caches cannot branch read every text anew.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from w2sg.decode.generic import State, padded
from w2sg.models.hf import LanguageModel
from w2sg.models.mixture import EnsembleModule
from w2sg.models.trie import ByteTrie, Masses


@dataclass
class _Boundary:
    """A place j where a token may end and the next begin, in each of B texts; all of shape (B), the path (B, S)."""

    weights: Tensor
    """Logarithm of the probability of all ways to write the text up to j, relative to that of the whole text."""
    nodes: Tensor
    """The text from j on as a node of the vocabulary's tree; the tree's `none` where no token begins so."""
    masses: Masses
    """What the model says after j."""
    path: Tensor
    """Which of the tokens read so far write the text up to j in the way that was read, the prompt's among them."""

    def select(self, rows: Tensor) -> _Boundary:
        masses = Masses(self.masses.prefix[:, rows], self.masses.token[:, rows], self.masses.end[rows])
        return _Boundary(self.weights[rows], self.nodes[rows], masses, self.path[rows])


class Prefixes:
    """B responses that a model may continue, byte by byte.

    Args:
        model: of one tokenizer; it may be an ensemble of such.
        trie: the tokens of its vocabulary.
        prompts: for each response the ids of its prompt.
        lead: bytes that every response begins with.
    """

    def __init__(self, model: LanguageModel, trie: ByteTrie, prompts: Sequence[Sequence[int]], lead: bytes) -> None:
        self._trie = trie
        self._reader = _Reader(model, prompts)
        logits, path = self._reader.logits, self._reader.prompt_BS
        nothing = torch.zeros(len(prompts), dtype=torch.float64, device=logits.device)
        self._live = [_Boundary(nothing, nothing.long(), trie.masses(logits), path)]
        self.log_probs = self._next()
        """Log-probabilities of the next byte, and at 256 of the end, of shape (B, 257), in double precision."""
        for byte in lead:
            self.feed(torch.full((len(prompts),), byte, device=logits.device))

    def feed(self, bytes_B: Tensor) -> None:
        """Continue every response with its byte."""
        trie, rows_B = self._trie, torch.arange(len(bytes_B), device=bytes_B.device)
        said_B = self.log_probs[rows_B, bytes_B]
        tokens, arrived = [], []
        for place in self._live:
            place.nodes = trie.step(place.nodes, bytes_B)
            place.weights = place.weights - said_B
            tokens.append(trie.tokens_at(place.nodes))
            arrived.append(place.weights + place.masses.token[tokens[-1], rows_B].log())
        arrived_JB = torch.stack(arrived)
        best_B = arrived_JB.argmax(0)
        width = self._reader.width
        path = bytes_B.new_ones(len(bytes_B), width + 1)
        path[:, :width] = 0
        for number, place in enumerate(self._live):
            path[:, : place.path.shape[1]] += place.path * (best_B == number)[:, None]
        logits = self._reader.read(torch.stack(tokens)[best_B, rows_B], path)
        self._live = [place for place in self._live if bool(trie.goes_on(place.nodes).any())]
        fresh = _Boundary(arrived_JB.logsumexp(0), torch.zeros_like(bytes_B), trie.masses(logits), path)
        self._live.append(fresh)
        self.log_probs = self._next()

    def select(self, rows: Tensor) -> None:
        """Keep the given responses, in that order."""
        self._reader.select(rows)
        self._live = [place.select(rows) for place in self._live]
        self.log_probs = self.log_probs[rows]

    def _next(self) -> Tensor:
        logs = []
        for place in self._live:
            below_BC = self._trie.below(place.nodes)
            rows_B1 = torch.arange(len(below_BC), device=below_BC.device)[:, None]
            logs.append(place.weights[:, None] + place.masses.prefix[below_BC, rows_B1].log())
        last = self._live[-1]
        end_B = last.weights + last.masses.end.log()
        return torch.cat((torch.stack(logs).logsumexp(0), end_B[:, None]), -1)


class _Reader:
    """A model reading, for each of B texts, token after token, every token after those that its path shows."""

    def __init__(self, model: LanguageModel, prompts: Sequence[Sequence[int]]) -> None:
        self._model = model
        self._state = State(model, prompts)
        self._branches = self._state.divisible and _told_positions(model.model)
        self._ids_BS, self.prompt_BS = padded(prompts, model.pad_id, model.device)
        self.logits = self._state.logits
        """What the model says after the last tokens."""

    @property
    def width(self) -> int:
        """How many tokens of each text were read, padding of prompts included."""
        return self._ids_BS.shape[1]

    def read(self, tokens_B: Tensor, path_BS: Tensor) -> Tensor:
        """Read a token of each text, the last of its path, and return the logits of what follows it."""
        self._ids_BS = torch.cat((self._ids_BS, tokens_B[:, None]), -1)
        if self._branches:
            self._state.feed(tokens_B, path_BS)
        else:
            pairs = zip(self._ids_BS, path_BS.bool(), strict=True)
            self._state = State(self._model, [ids[path].tolist() for ids, path in pairs])
        self.logits = self._state.logits
        return self.logits

    def select(self, rows: Tensor) -> None:
        """Keep the given texts, in that order."""
        self._ids_BS = self._ids_BS[rows]
        if self._branches:
            self._state.select(rows)


def _told_positions(model: Any) -> bool:
    """Tell whether tokens get the positions that they are given, and not those of their places in the cache."""
    models = model.members if isinstance(model, EnsembleModule) else [model]
    return all("position_ids" in inspect.signature(one.forward).parameters for one in models)
