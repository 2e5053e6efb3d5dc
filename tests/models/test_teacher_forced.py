"""How a model reads given answers, against a loop over single tokens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.fit_config import FitConfig
from w2sg.models.fit_data import TrainingText, encode
from w2sg.models.hf import LanguageModel, load
from w2sg.models.teacher_forced import Reading, read_answers, tokens_before
from w2sg.records import Target, ask

CPU = RuntimeConfig(device="cpu")


def loaded(folder: Path) -> LanguageModel:
    return load(ModelConfig(path=str(folder)), CPU)


def texts_for(model: LanguageModel, count: int = 7, **changes: float) -> list[TrainingText]:
    targets = [
        Target(str(n), ask(f"What is {n} + 3?" + " now" * (n % 3)), f"It is {n + 3}." + " so" * (n % 4), **changes)
        for n in range(count)
    ]
    return encode(model, targets, FitConfig()).texts


def naive(model: LanguageModel, texts: list[TrainingText]) -> list[Reading]:
    """One text and one token at a time, the whole vocabulary sorted."""
    found = []
    for text in texts:
        ranks, log_probs = [], []
        for end in range(text.prompt_length, len(text)):
            with torch.no_grad():
                logits = model.model(input_ids=torch.tensor([text.ids[:end]])).logits[0, -1]
            order = torch.argsort(logits, descending=True, stable=True).tolist()
            ranks.append(order.index(text.ids[end]))
            log_probs.append(float(logits.log_softmax(-1)[text.ids[end]]))
        found.append(Reading(np.array(ranks, dtype=np.int32), np.array(log_probs, dtype=np.float32)))
    return found


@pytest.mark.parametrize("family", ["llama", "gpt_neox"])
@pytest.mark.parametrize("micro_batch", [0, 2])
def test_equals_the_naive_loop(family: str, micro_batch: int, tiny_model: Callable[..., Path]) -> None:
    model = loaded(tiny_model(family))
    texts = texts_for(model)
    expected = naive(model, texts)
    found = read_answers(model, texts, CPU.model_copy(update={"micro_batch": micro_batch}))
    assert [one.ranks.tolist() for one in found] == [one.ranks.tolist() for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.log_probs == pytest.approx(other.log_probs, abs=1e-4)
        assert one.wrong.tolist() == (other.ranks != 0).tolist()


def test_weights_do_not_matter_and_the_model_is_left_as_it_was(tiny_model: Callable[..., Path]) -> None:
    model = loaded(tiny_model("llama"))
    (plain,), (weighted,) = texts_for(model, 1), texts_for(model, 1, weight=0.5)
    other = TrainingText("0", weighted.ids, weighted.prompt_length, [0.0, *weighted.weights[1:]])
    ranks = [one.ranks.tolist() for one in read_answers(model, [plain, weighted, other], CPU)]
    assert ranks[0] == ranks[1] == ranks[2]
    assert model.model(input_ids=torch.tensor([plain.ids])).logits.shape[1] == len(plain)


def test_of_equal_logits_the_first_token_is_taken() -> None:
    """Three tokens alike: greedy decoding takes the first of them, so the others are wrong."""
    from w2sg.models.teacher_forced import _read

    logits = torch.zeros(3, 3)
    ranks, log_probs = _read(logits, torch.tensor([[0], [1], [2]]))
    assert ranks.tolist() == [0, 1, 2]
    assert log_probs == pytest.approx(-np.log(3))


def test_where_the_final_answer_begins_in_tokens(tiny_model: Callable[..., Path]) -> None:
    model = loaded(tiny_model("llama"))
    response = "She has 12 + 7 = 19 apples.\nAnswer: 19"
    ids = model.response_ids(response)
    count = tokens_before(model.dialogue, response, response.rindex("19"))
    assert model.tokenizer.decode(ids[:count]) == "She has 12 + 7 = 19 apples.\nAnswer:"
    assert model.text(ids[count:]) == "19"
    assert tokens_before(model.dialogue, response, 0) == 0
    assert tokens_before(model.dialogue, response, len(response)) == len(ids) - 1
