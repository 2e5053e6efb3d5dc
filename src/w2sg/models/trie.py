"""The text tokens of a byte-level vocabulary as a tree of their bytes, and what a next-token distribution says of every
node of it: how likely the next token begins with these bytes.

How such distributions become those of bytes is `decode.prefixes`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from w2sg.errors import ModelError

TINY = 1e-300
"""Least probability of a token that is text, so that every text has a logarithm."""


def token_bytes(tokenizer: Any, name: str, stop_ids: frozenset[int] = frozenset()) -> dict[int, bytes]:
    """Return the bytes of every token that is text: all but special and empty ones and those that end a response, and
    of tokens with the same bytes only the first. Every single byte is among them.

    Args:
        tokenizer: a transformers tokenizer.
        name: what error messages call its model.
        stop_ids: the tokens that end a response.

    Raises:
        ModelError: the tokenizer is not byte-level, or has no token for some byte.
    """
    if not _is_byte_level(tokenizer):
        raise ModelError(
            f"The tokenizer of {name} is not byte-level, so its tokens cannot be mixed, byte by byte, with those of "
            "another tokenizer. Mix models that share one tokenizer, or models with byte-level ones (GPT-2, GPT-NeoX, "
            "Llama 3, Qwen and the zoo have such)."
        )
    letters = {letter: byte for byte, letter in _letters().items()}
    added = tokenizer.added_tokens_decoder
    found: dict[bytes, int] = {}
    for text, id in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1]):
        if id in added:
            said = b"" if added[id].special else added[id].content.encode()
        else:
            said = bytes(letters[letter] for letter in text) if set(text) <= letters.keys() else b""
        if said and id not in stop_ids:
            found.setdefault(said, id)
    missing = [byte for byte in range(256) if bytes([byte]) not in found]
    if missing:
        raise ModelError(
            f"The tokenizer of {name} has no token for {len(missing)} of the 256 bytes, first {missing[0]:#04x}, so "
            "there are texts that it cannot write. Mix models whose tokenizers hold all bytes."
        )
    return {id: said for said, id in found.items()}


def _is_byte_level(tokenizer: Any) -> bool:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return False
    decoder = json.loads(backend.to_str()).get("decoder") or {}
    return "ByteLevel" in [part.get("type") for part in (decoder, *decoder.get("decoders", ()))]


def _letters() -> dict[int, str]:
    """Return the letter that byte-level vocabularies write for each byte."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    letters: dict[int, str] = bytes_to_unicode()
    return letters


class Masses(NamedTuple):
    """What B next-token distributions say of the tree; a last row stands for no node, or no token: it is 0."""

    prefix: Tensor
    """Probability that the next token begins with the bytes of a node, of shape (N, B); the root is left at 0."""
    token: Tensor
    """Probability of each token that is text, of shape (V, B)."""
    end: Tensor
    """Probability that the response ends, of shape (B)."""


class ByteTrie:
    """The tree of a vocabulary. Nodes are numbers, 0 is the root; `none` is the number that stands for no node.

    Args:
        tokens: the bytes of each token that is text (`token_bytes`).
        stop_ids: the tokens that end a response.
        device: where distributions are.
    """

    def __init__(self, tokens: Mapping[int, bytes], stop_ids: frozenset[int], device: torch.device) -> None:
        children: list[dict[int, int]] = [{}]
        walks: dict[int, list[int]] = {}
        for id, said in tokens.items():
            walk, node = [], 0
            for byte in said:
                if byte not in children[node]:
                    children[node][byte] = len(children)
                    children.append({})
                node = children[node][byte]
                walk.append(node)
            walks[id] = walk
        # Nodes with children come first, so that the table of children has rows for them alone, and one for all others.
        order = sorted(range(len(children)), key=lambda node: not children[node])
        number = {node: place for place, node in enumerate(order)}
        self.none = len(children)
        self.inner = sum(map(bool, children))
        table = torch.full((self.inner + 1, 256), self.none, dtype=torch.int32)
        for node, below in enumerate(children):
            for byte, child in below.items():
                table[number[node], byte] = number[child]
        self._children = table.to(device)
        self._no_token = max(tokens) + 1
        token_at = torch.full((self.none + 1,), self._no_token)
        for id, walk in walks.items():
            token_at[number[walk[-1]]] = id
        self._token_at = token_at.to(device)
        pairs = [(number[node], id) for id, walk in walks.items() for node in walk]
        self._nodes, self._tokens = torch.tensor(pairs).T.contiguous().to(device)
        self._texts = torch.tensor(sorted(tokens), device=device)
        self._stops = torch.tensor(sorted(stop_ids), device=device)

    @property
    def size(self) -> int:
        """How many numbers the masses of one distribution take, and a little more."""
        return 2 * len(self._nodes)

    def masses(self, logits_BV: Tensor) -> Masses:
        """Return what next-token distributions, given as logits, say of the tree, in double precision. Tokens that are
        neither text nor end a response are left out, and the others' probabilities add up to 1."""
        logits_BV = logits_BV.double()
        said = torch.cat((self._texts, self._stops))
        probabilities = logits_BV[:, said].softmax(-1).clamp(min=TINY).T
        token_VB = logits_BV.new_zeros(self._no_token + 1, len(logits_BV))
        token_VB[self._texts] = probabilities[: len(self._texts)]
        prefix_NB = logits_BV.new_zeros(self.none + 1, len(logits_BV))
        prefix_NB.index_add_(0, self._nodes, token_VB[self._tokens])
        return Masses(prefix_NB, token_VB, probabilities[len(self._texts) :].sum(0))

    def below(self, nodes_B: Tensor) -> Tensor:
        """Return every node's child for each byte, of shape (B, 256)."""
        return self._children[nodes_B.clamp(max=self.inner)].long()

    def step(self, nodes_B: Tensor, bytes_B: Tensor) -> Tensor:
        """Return every node's child for its byte."""
        return self._children[nodes_B.clamp(max=self.inner), bytes_B].long()

    def tokens_at(self, nodes_B: Tensor) -> Tensor:
        """Return the token that ends at each node, for those without one a number beyond all tokens."""
        return self._token_at[nodes_B]

    def goes_on(self, nodes_B: Tensor) -> Tensor:
        """Return which nodes have children."""
        return nodes_B < self.inner
