"""Texts as ids and weights, the order of batches and the tensors of a micro-batch: counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from w2sg.errors import DataError, ModelError
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.fit_config import FitConfig
from w2sg.models.fit_data import StepBatches, TrainingText, batches, collate, cut, encode, schedule
from w2sg.models.hf import LanguageModel, load
from w2sg.records import SoftTargets, Target, ask


@pytest.fixture(scope="module")
def model(tiny_model: Callable[..., Path]) -> LanguageModel:
    return load(ModelConfig(path=str(tiny_model("llama"))), RuntimeConfig(device="cpu"))


def text(id: str, ids: list[int], prompt: int, weights: list[float], soft: Any = None) -> TrainingText:
    arrays = None if soft is None else (np.array(soft[0]), np.array(soft[1], dtype=np.float32))
    return TrainingText(id, ids, prompt, weights, arrays)


def test_places_targets_and_weights_of_a_padded_batch() -> None:
    """Two texts of 5 and 3 tokens: the place before each response token predicts it, and the last predicts nothing."""
    batch = collate([text("a", [1, 2, 3, 4, 5], 2, [1, 0.5, 2]), text("b", [6, 7, 8], 2, [3])], pad_id=0)
    assert batch.ids.tolist() == [[1, 2, 3, 4], [6, 7, 0, 0]]
    assert batch.places.tolist() == [1, 2, 3, 5]
    assert batch.token_ids.tolist() == [[3], [4], [5], [8]]
    assert batch.weights.tolist() == [1, 0.5, 2, 3]
    assert batch.probabilities is None


def test_packed_texts_stand_in_one_row_and_count_their_own_positions() -> None:
    both = [text("a", [1, 2, 3, 4, 5], 2, [1, 0.5, 2]), text("b", [6, 7, 8], 2, [3])]
    batch, padded = collate(both, pad_id=0, packed=True), collate(both, pad_id=0)
    assert batch.ids.tolist() == [[1, 2, 3, 4, 6, 7]]
    assert batch.positions is not None
    assert batch.positions.tolist() == [[0, 1, 2, 3, 0, 1]]
    assert batch.places.tolist() == [1, 2, 3, 5]
    assert batch.token_ids.tolist() == padded.token_ids.tolist()
    assert batch.weights.tolist() == padded.weights.tolist()
    assert padded.positions is None


def test_tokens_of_weight_zero_are_left_out() -> None:
    batch = collate([text("a", [1, 2, 3, 4], 1, [0, 1, 0])], pad_id=0)
    assert (batch.places.tolist(), batch.token_ids.tolist(), batch.weights.tolist()) == ([1], [[3]], [1])


def test_soft_and_hard_texts_share_a_batch() -> None:
    soft = ([[7, 0], [8, 9]], [[1.0, 0.0], [0.25, 0.75]])
    batch = collate([text("a", [1, 2, 3], 1, [1, 1], soft), text("b", [4, 5], 1, [1])], pad_id=0)
    assert batch.token_ids.tolist() == [[7, 0], [8, 9], [5, 5]]
    assert batch.probabilities is not None
    assert batch.probabilities.tolist() == [[1, 0], [0.25, 0.75], [1, 0]]


def test_soft_targets_stay_with_their_token_when_others_weigh_nothing() -> None:
    soft = ([[7, 1], [8, 2], [9, 3]], [[0.5, 0.5], [0.25, 0.75], [0.1, 0.9]])
    batch = collate([text("a", [1, 2, 3, 4], 1, [1, 0, 1], soft)], pad_id=0)
    assert batch.token_ids.tolist() == [[7, 1], [9, 3]]


@pytest.mark.parametrize("grouped", [True, False])
def test_every_text_once_per_pass(grouped: bool) -> None:
    config = FitConfig(batch_size=4, group_by_length=grouped)
    lengths = [3 + place % 7 for place in range(103)]
    first, again, other = (batches(lengths, config, 0, epoch) for epoch in (0, 0, 1))
    assert sorted(place for batch in first for place in batch) == list(range(103))
    assert sorted(map(len, first)) == [3] + [4] * 25
    assert first == again != other
    assert first != batches(lengths, config, 1, 0)


def test_grouping_spares_padding() -> None:
    lengths = [10 + (place * 37) % 90 for place in range(512)]

    def padded(grouped: bool) -> int:
        found = batches(lengths, FitConfig(batch_size=8, group_by_length=grouped), 0, 0)
        return sum(len(batch) * max(lengths[place] for place in batch) for batch in found)

    assert padded(True) < 1.05 * sum(lengths) < 1.4 * sum(lengths) < padded(False)


@pytest.mark.parametrize(("epochs", "steps"), [(1, 5), (2, 10), (0.4, 2), (1.5, 8), (0.01, 1)])
def test_schedule_takes_fractions_of_a_pass(epochs: float, steps: int) -> None:
    """17 texts in batches of 4 make 5 steps a pass; a fraction ends the last pass early, and one step is the least."""
    assert len(schedule([5] * 17, FitConfig(batch_size=4, epochs=epochs), 0)) == steps


def test_micro_batches_keep_within_texts_and_tokens() -> None:
    assert cut([8, 7, 5, 2, 2, 2], sequences=3, tokens=15) == [slice(0, 1), slice(1, 3), slice(3, 6)]
    assert cut([100], sequences=3, tokens=15) == [slice(0, 1)]


def test_processes_share_a_batch_without_loss() -> None:
    texts = [text(str(place), list(range(2 + place)), 1, [1.0] * (1 + place)) for place in range(5)]
    parts = [StepBatches(texts, [[0, 1, 2, 3, 4]], 0, 2, 1000, rank, 2) for rank in range(2)]
    places = [sum(len(micro.places) for micro in part[0]) for part in parts]
    assert sum(places) == sum(len(row.weights) for row in texts) == parts[0].total_weight(0)
    assert parts[0].tokens_up_to(1) == sum(map(len, texts))


def test_a_process_without_texts_gets_one_of_weight_zero() -> None:
    part = StepBatches([text("a", [1, 2, 3], 1, [1.0, 1.0])], [[0]], 0, 2, 1000, rank=1, world=2)
    (idle,) = part[0]
    assert torch.equal(idle.weights, torch.zeros(2))


def target(id: str = "a", **changes: Any) -> Target:
    return Target(id, ask("What is 2 + 3?"), "It is 5.", **changes)


def test_encoded_text_is_what_sampling_sees(model: LanguageModel) -> None:
    found = encode(model, [target()], FitConfig()).texts[0]
    prompt, response = model.prompt_ids(ask("What is 2 + 3?")), model.response_ids("It is 5.")
    assert found.ids == prompt + response
    assert (found.prompt_length, found.ids[-1]) == (len(prompt), model.end_id)
    assert found.weights == [1.0] * len(response)


def test_soft_targets_of_differing_sizes_become_arrays(model: LanguageModel) -> None:
    length = len(model.response_ids("It is 5."))
    soft = SoftTargets(((7,), *((8, 9),) * (length - 1)), ((1.0,), *((0.25, 0.75),) * (length - 1)))
    found = encode(model, [target(soft=soft)], FitConfig()).texts[0].soft
    assert found is not None
    assert found[0].tolist() == [[7, 0]] + [[8, 9]] * (length - 1)
    assert found[1].tolist() == [[1, 0]] + [[0.25, 0.75]] * (length - 1)


def test_long_responses_are_cut_and_counted_and_long_prompts_left_out(model: LanguageModel) -> None:
    prompt = len(model.prompt_ids(ask("What is 2 + 3?")))
    long = Target("long", ask("What is 2 + 3? " * 9), "5")
    found = encode(model, [target(), long, target("zero", weight=0.0)], FitConfig(max_length=prompt + 2))
    assert (found.truncated, found.too_long, found.weightless) == (1, 1, 1)
    assert [(row.id, len(row), len(row.weights)) for row in found.texts] == [("a", prompt + 2, 2)]


def test_the_model_limits_length_too(model: LanguageModel) -> None:
    assert model.max_length == 256
    found = encode(model, [Target("a", ask("What?"), "5 " * 400)], FitConfig(max_length=10_000))
    assert (found.truncated, len(found.texts[0])) == (1, 256)


def test_token_weights_multiply_the_weight(model: LanguageModel) -> None:
    own = tuple(float(place) for place in range(len(model.response_ids("It is 5."))))
    found = encode(model, [target(weight=0.5, token_weights=own)], FitConfig()).texts[0]
    assert found.weights == [place / 2 for place in range(len(own))]


@pytest.mark.parametrize(
    ("targets", "says"),
    [
        ([], "list of training texts is empty"),
        ([target(weight=0.0), target("b", weight=0.0)], "all 2 training texts have weight 0"),
        ([target("odd", token_weights=(1.0, 2.0))], "'odd' has 2 token weights, but its response has"),
        ([target("odd", weight=-1.0)], "'odd' has a weight that is negative"),
        ([target("odd", weight=float("nan"))], "'odd' has a weight that is negative or not a number"),
        ([target("odd", soft=SoftTargets(((1,),), ((1.0,),)))], "'odd' has soft targets for 1 tokens"),
    ],
)
def test_unusable_targets_are_named(model: LanguageModel, targets: list[Target], says: str) -> None:
    with pytest.raises(DataError, match=says):
        encode(model, targets, FitConfig())


@pytest.mark.parametrize(("id", "chance"), [(1, 0.5), (10**6, 1.0), (1, -1.0)])
def test_soft_targets_must_be_distributions_over_the_vocabulary(model: LanguageModel, id: int, chance: float) -> None:
    length = len(model.response_ids("It is 5."))
    soft = SoftTargets(((id,),) * length, ((chance,),) * length)
    with pytest.raises(DataError, match="'odd' has soft targets at response token 0 that are no distribution"):
        encode(model, [target("odd", soft=soft)], FitConfig())


def test_no_text_fits(model: LanguageModel) -> None:
    with pytest.raises(ModelError, match="None of the 1 training texts fits: with the limit of 5 tokens"):
        encode(model, [target()], FitConfig(max_length=5))
