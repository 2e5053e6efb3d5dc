"""The tree of a vocabulary's bytes: its tokens, and the masses of its nodes by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from markov import END, build_tokenizer
from w2sg.errors import ModelError
from w2sg.models.trie import ByteTrie, token_bytes


def trie_of(tokenizer: Any) -> ByteTrie:
    stops = frozenset([tokenizer.eos_token_id])
    return ByteTrie(token_bytes(tokenizer, "it", stops), stops, torch.device("cpu"))


def test_tokens_are_the_bytes_that_they_write() -> None:
    tokenizer = build_tokenizer("ab", "Ġa")
    found = token_bytes(tokenizer, "it")
    ids = tokenizer.get_vocab()
    assert len(found) == len(set(found.values())) == 258
    assert (found[ids["ab"]], found[ids["Ġa"]], found[ids["Ċ"]], found[ids["Ã"]]) == (b"ab", b" a", b"\n", b"\xc3")
    assert ids[END] not in found
    assert len(token_bytes(tokenizer, "it", frozenset([ids["ab"]]))) == 257


def test_an_added_token_writes_its_own_letters_and_of_equal_tokens_the_first_counts() -> None:
    tokenizer = build_tokenizer("ab")
    tokenizer.add_tokens(["é?", "ab"])
    found = token_bytes(tokenizer, "it")
    assert found[tokenizer.get_vocab()["é?"]] == "é?".encode()
    assert list(found.values()).count(b"ab") == 1


def test_the_masses_of_prefixes() -> None:
    """a .4, b .1, ab .2, abc .1, the end .2: of 1.0, what begins with a is .7, with ab .3, with abc .1."""
    tokenizer = build_tokenizer("ab", "abc")
    ids, trie = tokenizer.get_vocab(), trie_of(tokenizer)
    logits = torch.full((1, len(ids)), -1000.0)
    for text, probability in {"a": 0.4, "b": 0.1, "ab": 0.2, "abc": 0.1, END: 0.2}.items():
        logits[0, ids[text]] = torch.tensor(probability).log()
    masses = trie.masses(logits)

    def node(text: bytes) -> torch.Tensor:
        found = torch.zeros(1, dtype=torch.long)
        for byte in text:
            found = trie.step(found, torch.tensor([byte]))
        return found

    texts = [b"a", b"b", b"ab", b"abc", b"c", b"ac", b"abcd"]
    prefixes = [float(masses.prefix[node(text)]) for text in texts]
    assert prefixes == pytest.approx([0.7, 0.1, 0.3, 0.1, 0, 0, 0], abs=1e-7)
    tokens = [float(masses.token[trie.tokens_at(node(text))]) for text in texts]
    assert tokens == pytest.approx([0.4, 0.1, 0.2, 0.1, 0, 0, 0], abs=1e-7)
    assert float(masses.end) == pytest.approx(0.2)
    assert [bool(trie.goes_on(node(text))) for text in texts] == [True, False, True, False, False, False, False]
    assert float(masses.prefix[trie.below(torch.zeros(1, dtype=torch.long))].sum() + masses.end) == pytest.approx(1)


def test_tokens_that_are_not_text_are_left_out() -> None:
    tokenizer = build_tokenizer()
    tokenizer.add_special_tokens({"pad_token": "<pad>"})
    masses = trie_of(tokenizer).masses(torch.zeros(1, len(tokenizer)))
    assert float(masses.end) == pytest.approx(1 / 257)


def test_tokenizers_that_cannot_write_every_byte_are_refused() -> None:
    from tokenizers import Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"a": 0, END: 1}, unk_token=END))
    with pytest.raises(ModelError, match=r"'it' is not byte-level.*share one tokenizer"):
        token_bytes(PreTrainedTokenizerFast(tokenizer_object=words), "'it'")
    words.decoder = decoders.ByteLevel()
    with pytest.raises(ModelError, match="no token for 255 of the 256 bytes, first 0x00"):
        token_bytes(PreTrainedTokenizerFast(tokenizer_object=words), "'it'")
