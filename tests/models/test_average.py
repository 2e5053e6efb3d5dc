"""Averaged weights: of copies the model itself, of two by hand, of adapters the base and the mean of what they add."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tiny_ensembles import CPU, build_adapter
from tiny_models import build_model
from w2sg.errors import ModelError
from w2sg.models.average import average
from w2sg.models.base import ModelConfig
from w2sg.models.hf import load


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize("tied", [False, True])
def test_of_copies_it_is_the_model_bit_for_bit(tied: bool, tmp_path: Path) -> None:
    model = build_model(tmp_path / "model", "llama", tie_word_embeddings=tied)
    average(ModelConfig(path=str(model)), [model] * 3, tmp_path / "mean", CPU)
    mean, own = weights(tmp_path / "mean"), weights(model)
    assert mean.keys() == own.keys()
    assert all(torch.equal(mean[name], own[name]) for name in own)


def test_of_one_it_is_that_one(tmp_path: Path) -> None:
    base, other = (build_model(tmp_path / f"{seed}", "llama", seed=seed) for seed in range(2))
    average(ModelConfig(path=str(base)), [other], tmp_path / "mean", CPU)
    assert all(torch.equal(value, weights(other)[name]) for name, value in weights(tmp_path / "mean").items())


def test_of_three_by_hand(tmp_path: Path) -> None:
    members = [build_model(tmp_path / f"{seed}", "llama", seed=seed) for seed in range(3)]
    average(ModelConfig(path=str(members[0])), members[:2], tmp_path / "two", CPU)
    average(ModelConfig(path=str(members[0])), members, tmp_path / "three", CPU)
    one, two, three = map(weights, members)
    for name, value in weights(tmp_path / "two").items():
        torch.testing.assert_close(value, (one[name] + two[name]) / 2)
        torch.testing.assert_close(weights(tmp_path / "three")[name], (one[name] + two[name] + three[name]) / 3)


def test_of_adapters_it_is_the_base_and_the_mean_of_what_they_add(tmp_path: Path) -> None:
    """Of ranks 4 and 2, each with a scale of 2; the result is a whole model that needs no adapter."""
    base = build_model(tmp_path / "base", "llama")
    members = [build_adapter(tmp_path / f"{rank}", base, seed=rank, rank=rank) for rank in (4, 2)]
    average(ModelConfig(path=str(base)), members, tmp_path / "mean", CPU)
    assert not (tmp_path / "mean" / "adapter_config.json").exists()
    adapters = [load_file(member / "adapter_model.safetensors") for member in members]
    moved = 0
    for name, value in weights(tmp_path / "mean").items():
        expected = weights(base)[name].clone()
        path = f"base_model.model.{name.removesuffix('.weight')}"
        for adapter in adapters:
            if f"{path}.lora_A.weight" in adapter:
                expected += 2 * (adapter[f"{path}.lora_B.weight"] @ adapter[f"{path}.lora_A.weight"]) / 2
                moved += 1
        torch.testing.assert_close(value, expected, atol=1e-5, rtol=1e-5)
    assert moved == 2 * 2 * 7  # adapters, layers of the model, linear maps of each


def test_of_copies_of_an_adapter_it_answers_as_one(tmp_path: Path) -> None:
    base = build_model(tmp_path / "base", "llama")
    member = build_adapter(tmp_path / "adapter", base, seed=1)
    config = ModelConfig(path=str(base))
    average(config, [member, member], tmp_path / "mean", CPU)
    ids = torch.tensor([[5, 17, 30, 2]])
    alone, mean = (load(config, CPU, folder).model(ids).logits for folder in (member, tmp_path / "mean"))
    assert torch.equal(alone, mean)


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    one = build_model(tmp_path / "one", "llama")
    wide = build_model(tmp_path / "wide", "llama", intermediate_size=80)
    deep = build_model(tmp_path / "deep", "llama", num_hidden_layers=3)
    with pytest.raises(ModelError, match=r"'model.layers.0.mlp.down_proj.weight' has the shape \(32, 64\) in one and"):
        average(ModelConfig(path=str(one)), [one, wide], tmp_path / "mean", CPU)
    with pytest.raises(ModelError, match=r"'model.layers.2.input_layernorm.weight' has the shape None in one and"):
        average(ModelConfig(path=str(one)), [one, deep], tmp_path / "mean", CPU)
    assert not (tmp_path / "mean").exists()


def test_a_script_has_no_weights(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="has no weights that could be averaged"):
        average(ModelConfig(path="scripted:scripted_world:weak"), [tmp_path], tmp_path / "mean", CPU)
