"""Language models with different tokenizers as one: what they have in common are the bytes of the texts they write.

`BytewiseModel` is asked like any language model, but its tokens are the 256 bytes and one end, whatever the members'
own end tokens are. Every member reads a prompt in its own form and tokens. How the members' next-token distributions
become next-byte distributions, what in that is exact and what approximate, is told in `decode.prefixes`; the bytes'
distributions are mixed as those of tokens are (`models.mixture`), the weights counting anew at every byte. Which
experts of an ensemble are members together is decided in `models.ensemble_load`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import torch
from torch import Tensor, nn

from w2sg.models.base import Mixture, ModelConfig
from w2sg.models.hf import LanguageModel
from w2sg.models.trie import ByteTrie, token_bytes
from w2sg.records import Prompt

END = 256
"""What ends a response, beside the 256 bytes."""
BYTES_PER_TOKEN = 4
"""A limit on the tokens of a response allows so many bytes for each: about what a token of English text has."""


class JoinedPrompt(Sequence[int]):
    """One prompt in every member's own tokens; as a sequence, all of these, one member after the other.

    Args:
        parts: each member's ids.
    """

    def __init__(self, parts: Sequence[Sequence[int]]) -> None:
        self.parts = tuple(parts)
        self._ids = [id for part in parts for id in part]

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> list[int]: ...
    def __getitem__(self, place: int | slice) -> int | list[int]:
        return self._ids[place]

    def __iter__(self) -> Iterator[int]:
        return iter(self._ids)


class ByteMixture(nn.Module):
    """T language models, their weights and how their next-byte distributions are mixed.

    Args:
        members: of byte-level tokenizers; each may itself be an ensemble of one tokenizer.
        weights: only their ratios matter.

    Raises:
        ModelError: a tokenizer is not byte-level.
    """

    def __init__(self, members: Sequence[LanguageModel], weights: Sequence[float], mixture: Mixture) -> None:
        super().__init__()
        self.models = nn.ModuleList(member.model for member in members)
        self.members = tuple(members)
        self.mixture: Mixture = mixture
        self.weights: Tensor
        self.register_buffer("weights", torch.tensor(weights, dtype=torch.float64), persistent=False)
        texts = [token_bytes(member.tokenizer, repr(member.config.path), member.stop_ids) for member in members]
        self.tries = tuple(
            ByteTrie(text, member.stop_ids, member.device) for text, member in zip(texts, members, strict=True)
        )
        self.leads = tuple(
            b"".join(text.get(id, b"") for id in member.response_ids(""))
            for text, member in zip(texts, members, strict=True)
        )
        """What stands between each member's prompt and a response, as the form of its conversations has it."""

    @property
    def count(self) -> int:
        """How many members there are."""
        return len(self.members)

    @property
    def size(self) -> int:
        """How many numbers the members' vocabularies take, for one text and place."""
        return max(trie.size for trie in self.tries)


@dataclass
class BytewiseModel(LanguageModel):
    """Members with different tokenizers, asked in bytes. `model` is the `ByteMixture`; tokenizer and dialogue are the
    first member's, and nothing here uses them."""

    model: ByteMixture

    @classmethod
    def of(
        cls, members: Sequence[LanguageModel], weights: Sequence[float], mixture: Mixture, config: ModelConfig
    ) -> BytewiseModel:
        """Return the members as one model.

        Raises:
            ModelError: a tokenizer is not byte-level.
        """
        first = members[0]
        joined = ByteMixture(members, weights, mixture).eval()
        joined.to(first.device)
        return cls(joined, first.tokenizer, config, first.device, first.dialogue)

    @property
    def stop_ids(self) -> frozenset[int]:
        """What ends a response: `END`."""
        return frozenset([END])

    @property
    def end_id(self) -> int:
        """What ends a response."""
        return END

    @property
    def pad_id(self) -> int:
        """A byte for padding."""
        return 0

    @property
    def max_length(self) -> int:
        """The most positions that every member can attend to."""
        return min(member.max_length for member in self.model.members)

    def prompt_ids(self, prompt: Prompt) -> JoinedPrompt:  # type: ignore[override]
        """Return the prompt in every member's tokens, up to where the response begins."""
        return JoinedPrompt([member.prompt_ids(prompt) for member in self.model.members])

    def response_ids(self, text: str) -> list[int]:
        """Return the bytes of a response, the end last."""
        return [*text.encode(), END]

    def text(self, ids: Sequence[int]) -> str:
        """Return the response in `ids` without its end and what follows, outer white space stripped."""
        said = bytes(ids[: ids.index(END)] if END in ids else ids)
        return said.decode(errors="replace").strip()

    def room(self, prompt: Sequence[int], tokens: int) -> int:
        """Return how many bytes a response of at most `tokens` tokens may have: `BYTES_PER_TOKEN` for each, as far as
        every member's context holds them, where each byte may be a token."""
        assert isinstance(prompt, JoinedPrompt)
        places = zip(self.model.members, prompt.parts, self.model.leads, strict=True)
        left = min(member.max_length - len(part) - len(lead) for member, part, lead in places)
        return min(BYTES_PER_TOKEN * tokens, left)
