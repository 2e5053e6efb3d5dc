"""Markov chains as language models: the next token depends on the last one alone, by a table that a test writes."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from w2sg.models.base import ModelConfig
from w2sg.models.hf import LanguageModel, assemble

END = "<|end|>"


class Chain(nn.Module):
    """A chain of tokens, as transformers would call one. It keeps no cache, so every text is read anew.

    Args:
        table: for each last token, the logits of the next, of shape (V, V).
    """

    def __init__(self, table: Tensor) -> None:
        from transformers import PretrainedConfig

        super().__init__()
        self.table = nn.Embedding.from_pretrained(table)
        self.config, self.generation_config = PretrainedConfig(), None

    def get_input_embeddings(self) -> nn.Module:
        """The table."""
        return self.table

    def forward(self, input_ids: Tensor, **ignored: Any) -> Any:
        """Return the logits of what follows each token."""
        return SimpleNamespace(logits=self.table(input_ids))


def build_tokenizer(*merged: str) -> Any:
    """A byte-level tokenizer with a token for each byte, for the texts `merged` (of two tokens each), and an end."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {text: id for id, text in enumerate([*letters, *merged])}
    merges = []
    for text in merged:
        pairs = [(text[:cut], text[cut:]) for cut in range(1, len(text))]
        merges.append(next(pair for pair in pairs if set(pair) <= set(vocabulary)))
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=END)


def build_chain(rows: Mapping[str, Mapping[str, float]], *merged: str) -> LanguageModel:
    """A model whose tokens are bytes and `merged`.

    Args:
        rows: for each last token the probabilities of the next; those of "" also after every token that has none.
    """
    tokenizer = build_tokenizer(*merged)
    ids = tokenizer.get_vocab()

    def logits(row: Mapping[str, float]) -> Tensor:
        found = torch.full((len(ids),), -1000.0, dtype=torch.float64)
        for text, probability in row.items():
            found[ids[text]] = torch.tensor(probability, dtype=torch.float64).log()
        return found

    table = logits(rows[""]).repeat(len(ids), 1)
    for last, row in rows.items():
        if last:
            table[ids[last]] = logits(row)
    config = ModelConfig(path="a/chain")
    return assemble(Chain(table).eval(), tokenizer, config, torch.device("cpu"), "a/chain")
