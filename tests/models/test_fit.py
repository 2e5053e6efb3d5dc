"""Training against a naive twin, adapters, limits of memory, and what a user can do wrong."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from w2sg.errors import ModelError, StoreError
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.fit import FitResult, fit
from w2sg.models.fit_config import FitConfig, LoraConfig
from w2sg.models.fit_data import encode, schedule
from w2sg.models.hf import LanguageModel, load
from w2sg.records import SoftTargets, Target, ask

CPU = RuntimeConfig(device="cpu")
TINY = FitConfig(learning_rate=1e-2, epochs=2, batch_size=4, warmup_fraction=0.2)


def texts(count: int = 10) -> list[Target]:
    return [
        Target(str(place), ask(f"What is {place} + 3?"), f"It is {place + 3}. " + "so " * (place % 5))
        for place in range(count)
    ]


def weighted(model: LanguageModel) -> list[Target]:
    """Texts of every kind: plain, weighted, with token weights, with soft targets, without weight."""
    rows = texts(9)
    lengths = [len(model.response_ids(row.response)) for row in rows]
    soft = SoftTargets(((5, 9, 20),) * lengths[3], ((0.5, 0.3, 0.2),) * lengths[3])
    changes: dict[int, dict[str, Any]] = {
        1: {"weight": 3.0},
        2: {"token_weights": tuple(float(place % 3) for place in range(lengths[2]))},
        3: {"soft": soft, "weight": 0.7},
        4: {"weight": 0.0},
    }
    return [Target(row.id, row.prompt, row.response, **changes.get(place, {})) for place, row in enumerate(rows)]


def run(folder: Path, path: Path, targets: Sequence[Target], config: FitConfig = TINY, **changes: Any) -> FitResult:
    arguments: dict[str, Any] = {"seed": 0, "runtime": CPU, **changes}
    return fit(ModelConfig(path=str(path)), targets, config, folder=folder, **arguments)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    (file,) = folder.glob("*.safetensors")
    return load_file(file)


def far(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    assert a.keys() == b.keys()
    return max((a[name].float() - b[name].float()).abs().max().item() for name in a)


def naive_twin(path: Path, targets: Sequence[Target], config: FitConfig) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Train by the formula: one text at a time, token by token, AdamW and its schedule written out."""
    model = load(ModelConfig(path=str(path)), CPU)
    rows = encode(model, targets, config).texts
    steps = schedule([len(row) for row in rows], config, 0)
    named = list(model.model.named_parameters())
    decayed = [weight for name, weight in named if "norm" not in name and "bias" not in name]
    spared = [weight for name, weight in named if "norm" in name or "bias" in name]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": spared, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, config.beta2), eps=1e-8)
    warmup, losses = math.ceil(config.warmup_fraction * len(steps)), []
    chances = {target.id: target.soft for target in targets}
    for number, batch in enumerate(steps):
        total, weight = torch.zeros(()), 0.0
        for place in batch:
            row = rows[place]
            log_probs = model.model(input_ids=torch.tensor([row.ids])).logits[0].log_softmax(-1)
            for token, factor in enumerate(row.weights):
                at = log_probs[row.prompt_length + token - 1]
                told = chances[row.id]
                if told is None:
                    surprise = -at[row.ids[row.prompt_length + token]]
                else:
                    pairs = zip(told.token_ids[token], told.probabilities[token], strict=True)
                    surprise = -sum((chance * at[id] for id, chance in pairs), torch.zeros(()))
                total = total + factor * surprise
                weight += factor
        loss = total / weight
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.model.parameters(), config.max_grad_norm)
        done = (number - warmup) / (len(steps) - warmup)
        rate = number / warmup if number < warmup else 0.5 * (1 + math.cos(math.pi * done))
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * rate
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses, {name: weight.detach() for name, weight in named}


@pytest.mark.parametrize("family", ["llama", "qwen2", "gpt_neox"])
def test_equals_the_naive_twin(family: str, tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    path = tiny_model(family)
    targets = weighted(load(ModelConfig(path=str(path)), CPU))
    losses, trained = naive_twin(path, targets, TINY)
    result = run(tmp_path, path, targets)
    assert [loss for _, loss in result.losses] == pytest.approx(losses, abs=2e-5)
    saved = dict(load(ModelConfig(path=str(tmp_path / "model")), CPU).model.named_parameters())
    # The bias of attention keys changes no attention: its gradient is rounding noise, which AdamW blows up.
    compared = [name for name in trained if not name.endswith(("k_proj.bias", "query_key_value.bias"))]
    assert far({name: saved[name] for name in compared}, {name: trained[name] for name in compared}) < 2e-4
    assert (result.texts, result.weightless, result.steps) == (8, 1, 4)


def test_loss_of_one_step_by_hand(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    """Two texts, weights 1 and 3: the loss is the weighted mean over tokens, not the mean of the texts' means."""
    path = tiny_model("llama")
    model = load(ModelConfig(path=str(path)), CPU)
    targets = [Target("a", ask("One?"), "It is 1."), Target("b", ask("Two?"), "It is 2. so so so so", weight=3.0)]
    total = count = 0.0
    for target in targets:
        prompt, response = model.prompt_ids(target.prompt), model.response_ids(target.response)
        logits = model.model(input_ids=torch.tensor([prompt + response])).logits[0, len(prompt) - 1 : -1]
        surprise = torch.nn.functional.cross_entropy(logits, torch.tensor(response), reduction="sum").item()
        total, count = total + target.weight * surprise, count + target.weight * len(response)
    result = run(tmp_path, path, targets, FitConfig(epochs=1))
    assert result.losses == [(1, pytest.approx(total / count, abs=1e-5))]
    lengths = [len(model.prompt_ids(row.prompt)) + len(model.response_ids(row.response)) for row in targets]
    assert result.tokens_trained == sum(lengths)


@pytest.mark.parametrize("lora", [None, LoraConfig(rank=4)])
def test_micro_batches_change_only_rounding(
    lora: LoraConfig | None, tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    path, config = tiny_model("llama"), TINY.model_copy(update={"lora": lora})
    found = {}
    for size in (0, 1, 3):
        runtime = CPU.model_copy(update={"micro_batch": size})
        result = run(tmp_path / str(size), path, texts(), config, runtime=runtime)
        found[size] = (weights(tmp_path / str(size) / "model"), [loss for _, loss in result.losses])
    for size in (1, 3):
        assert found[size][1] == pytest.approx(found[0][1], abs=1e-4)
        assert far(found[size][0], found[0][0]) < 2e-3


@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_packing_changes_only_rounding(family: str, tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    """Texts in one row see only themselves: the same losses and weights as in rows of their own."""
    path = tiny_model(family)
    targets = weighted(load(ModelConfig(path=str(path)), CPU))
    found = {}
    for packing in ("off", "on"):
        runtime = CPU.model_copy(update={"packing": packing})
        result = run(tmp_path / packing, path, targets, runtime=runtime)
        found[packing] = (weights(tmp_path / packing / "model"), [loss for _, loss in result.losses])
    assert found["on"][1] == pytest.approx(found["off"][1], abs=1e-4)
    assert far(found["on"][0], found["off"][0]) < 2e-3


def test_a_model_whose_texts_see_each_other_is_not_packed(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    from w2sg.models import fit as module

    model = load(ModelConfig(path=str(tiny_model("llama"))), CPU)
    assert module._keeps_texts_apart(model)
    forward = model.model.forward
    model.model.forward = lambda position_ids=None, **given: forward(**given)  # deaf to positions
    assert not module._keeps_texts_apart(model)
    assert not module._packed(CPU, model)
    with pytest.raises(ModelError, match="cannot be trained on packed texts"):
        module._packed(CPU.model_copy(update={"packing": "on"}), model)


def test_activation_checkpointing_changes_nothing(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    config = TINY.model_copy(update={"activation_checkpointing": True})
    plain = run(tmp_path / "a", tiny_model("llama"), texts())
    saving = run(tmp_path / "b", tiny_model("llama"), texts(), config)
    assert [loss for _, loss in saving.losses] == pytest.approx([loss for _, loss in plain.losses], abs=1e-5)
    assert config.identity() == TINY.identity()


@pytest.mark.parametrize("lora", [None, LoraConfig(rank=4)])
def test_bfloat16_is_for_the_arithmetic(
    lora: LoraConfig | None, tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    """Losses come near those of float32, and the model is saved in the format it is sampled in."""
    config = TINY.model_copy(update={"lora": lora})
    runtime = CPU.model_copy(update={"dtype": "bfloat16"})
    exact = run(tmp_path / "a", tiny_model("llama"), texts(), config)
    rough = run(tmp_path / "b", tiny_model("llama"), texts(), config, runtime=runtime)
    assert [loss for _, loss in rough.losses] == pytest.approx([loss for _, loss in exact.losses], rel=0.03)
    assert {weight.dtype for weight in weights(tmp_path / "b" / "model").values()} == {torch.bfloat16}


@pytest.mark.parametrize("family", ["llama", "qwen2", "gpt_neox"])
def test_right_padding_needs_no_mask(family: str, tiny_model: Callable[..., Path]) -> None:
    model = load(ModelConfig(path=str(tiny_model(family))), CPU)
    ids = torch.randint(10, 300, (3, 12), generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([12, 7, 3])
    mask = (torch.arange(12)[None] < lengths[:, None]).long()
    with torch.no_grad():
        masked = model.model(input_ids=ids, attention_mask=mask).logits
        bare = model.model(input_ids=ids).logits
    assert (masked - bare)[mask.bool()].abs().max() < 1e-4


def test_adapter_is_written_alone_and_loads(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    path = tiny_model("llama")
    run(tmp_path, path, texts(), TINY.model_copy(update={"lora": LoraConfig(rank=4)}))
    assert (tmp_path / "model" / "adapter_config.json").is_file()
    assert not (tmp_path / "model" / "model.safetensors").exists()
    plain, tuned = (load(ModelConfig(path=str(path)), CPU, folder) for folder in (None, tmp_path / "model"))
    ids = torch.tensor([plain.prompt_ids(ask("What is 1 + 3?"))])
    assert not torch.allclose(plain.model(input_ids=ids).logits, tuned.model(input_ids=ids).logits, atol=1e-2)


def test_an_adapter_is_trained_on(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    path, config = tiny_model("llama"), TINY.model_copy(update={"lora": LoraConfig(rank=4)})
    first = run(tmp_path / "1", path, texts(), config)
    second = run(tmp_path / "2", path, texts(), config, tuned=tmp_path / "1" / "model")
    assert second.losses[0][1] < first.losses[0][1] - 1
    assert (tmp_path / "2" / "model" / "adapter_config.json").is_file()
    other = TINY.model_copy(update={"lora": LoraConfig(rank=8)})
    with pytest.raises(ModelError, match=r"has rank 4 and alpha 32.*ask for rank 8"):
        run(tmp_path / "3", path, texts(), other, tuned=tmp_path / "1" / "model")


@pytest.mark.parametrize("lora", [(LoraConfig(rank=4), None), (None, LoraConfig(rank=4))])
def test_other_starts_from_tuned_models_give_a_full_model(
    lora: tuple[LoraConfig | None, LoraConfig | None], tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    """An adapter then full training, or full training then an adapter: neither fits on the first base alone."""
    path = tiny_model("llama")
    first = run(tmp_path / "1", path, texts(), TINY.model_copy(update={"lora": lora[0]}))
    config = TINY.model_copy(update={"lora": lora[1], "warmup_fraction": 0.0})
    second = run(tmp_path / "2", path, texts(), config, tuned=tmp_path / "1" / "model")
    assert second.losses[0][1] < first.losses[0][1] - 1
    assert (tmp_path / "2" / "model" / "model.safetensors").is_file()
    tuned = load(ModelConfig(path=str(path)), CPU, tmp_path / "2" / "model")
    third = run(tmp_path / "3", path, texts(), config, tuned=tmp_path / "2" / "model")
    assert third.losses[0][1] < second.losses[0][1]
    assert type(tuned.model).__name__ == "LlamaForCausalLM"


def test_saved_model_keeps_its_cache_setting(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    """The Trainer turns the key-value cache off in the configuration, which would make sampling slow for ever."""
    run(tmp_path, tiny_model("llama"), texts(), FitConfig(epochs=1))
    assert load(ModelConfig(path=str(tmp_path / "model")), CPU).model.config.use_cache


def test_layers_that_do_not_exist(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    config = TINY.model_copy(update={"lora": LoraConfig(target_modules=("w_nope",))})
    with pytest.raises(ModelError, match=r"LoRA cannot be put on.*'w_nope'"):
        run(tmp_path, tiny_model("llama"), texts(), config)


@pytest.mark.parametrize(
    ("family", "stack", "depth"),
    [("llama", "model.layers", 2), ("gpt2", "transformer.h", 2), ("gpt_neox", "gpt_neox.layers", 2)],
)
def test_adapters_on_the_last_layers_alone(
    family: str, stack: str, depth: int, tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    """What lies below, and nothing else, is left as the base has it; on all layers they are as without the setting."""
    path, lora = tiny_model(family), LoraConfig(rank=4, last_layers=1)
    run(tmp_path / "1", path, texts(), TINY.model_copy(update={"lora": lora}))
    named = {name.split(".lora_")[0].removeprefix("base_model.model.") for name in weights(tmp_path / "1" / "model")}
    run(tmp_path / "2", path, texts(), TINY.model_copy(update={"lora": LoraConfig(rank=4)}))
    everywhere = {
        name.split(".lora_")[0].removeprefix("base_model.model.") for name in weights(tmp_path / "2" / "model")
    }
    assert named == {name for name in everywhere if name.startswith(f"{stack}.{depth - 1}.")}
    assert len(everywhere) == depth * len(named)
    whole = TINY.model_copy(update={"lora": LoraConfig(rank=4, last_layers=depth)})
    run(tmp_path / "3", path, texts(), whole)
    for name, weight in weights(tmp_path / "2" / "model").items():
        assert torch.equal(weights(tmp_path / "3" / "model")[name], weight)
    with pytest.raises(ModelError, match=r"is on the layers \[1\] of 2, but the settings ask for the last 2"):
        run(tmp_path / "4", path, texts(), whole, tuned=tmp_path / "1" / "model")
    again = run(tmp_path / "5", path, texts(), TINY.model_copy(update={"lora": lora}), tuned=tmp_path / "1" / "model")
    assert len(again.losses)


def test_more_last_layers_than_there_are(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    config = TINY.model_copy(update={"lora": LoraConfig(last_layers=3)})
    with pytest.raises(ModelError, match=r"the last 3 layers \(lora.last_layers\) of .*: it has 2. Ask for"):
        run(tmp_path, tiny_model("llama"), texts(), config)


def test_a_loss_that_is_not_finite(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    """The message names step and learning rate, nothing is written as a model, and a good checkpoint stays."""
    config = FitConfig(learning_rate=1e30, epochs=4, batch_size=4, schedule="constant", warmup_fraction=0.5)
    runtime = CPU.model_copy(update={"checkpoint_every_seconds": 0})
    with pytest.raises(ModelError, match=r"Training broke off: .* at step \d+ of 12, with learning rate"):
        run(tmp_path, tiny_model("llama"), texts(), config, runtime=runtime)
    assert not (tmp_path / "model").exists()
    for file in (tmp_path / "checkpoints").rglob("model.safetensors"):
        assert all(weight.isfinite().all() for weight in weights(file.parent).values())


def test_same_seed_same_bits_and_another_seed_other_ones(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    path, config = tiny_model("llama"), TINY.model_copy(update={"lora": LoraConfig(rank=4, dropout=0.2)})
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        torch.rand(3)  # what others draw does not matter
        run(tmp_path / name, path, texts(), config, seed=seed)
    a, b, c = (weights(tmp_path / name / "model") for name in "abc")
    assert far(a, b) == 0
    assert far(a, c) > 0


def test_a_finished_folder_is_not_trained_again(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    calls: list[int] = []
    first = run(tmp_path, tiny_model("llama"), texts(), progress=lambda done, total, note: calls.append(done))
    assert calls == list(range(first.steps + 1))
    assert not (tmp_path / "checkpoints").exists()
    assert run(tmp_path, tiny_model("llama"), texts(), progress=lambda *_: pytest.fail("it trains")) == first


@pytest.mark.parametrize("change", ["seed", "texts", "settings", "model"])
def test_a_folder_of_another_training_is_refused(change: str, tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    run(tmp_path, tiny_model("llama"), texts(), TINY, seed=0)
    with pytest.raises(StoreError, match="holds a model that was trained from other texts, settings or weights"):
        run(
            tmp_path,
            tiny_model("qwen2" if change == "model" else "llama"),
            texts(11 if change == "texts" else 10),
            TINY.model_copy(update={"epochs": 1.0}) if change == "settings" else TINY,
            seed=int(change == "seed"),
        )


def test_how_it_is_run_is_no_part_of_the_training(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    first = run(tmp_path, tiny_model("llama"), texts())
    assert run(tmp_path, tiny_model("llama"), texts(), runtime=CPU.model_copy(update={"micro_batch": 2})) == first


def test_progress_shows_the_loss(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    result = run(tmp_path, tiny_model("llama"), texts(), progress=lambda *row: told.append(row))
    assert told[0] == (0, result.steps, "")
    assert told[-1] == (result.steps, result.steps, f"loss {result.losses[-1][1]:.4f}")


def test_global_states_are_left_as_they_were(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    import numpy as np

    torch.manual_seed(7)
    random.seed(7)
    before = (torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist(), torch.get_num_threads())
    run(tmp_path, tiny_model("llama"), texts(), FitConfig(epochs=1))
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_num_threads())


def test_too_little_memory_is_one_paragraph(
    tiny_model: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import LlamaForCausalLM

    def full(*inputs: Any, **more: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")

    monkeypatch.setattr(LlamaForCausalLM, "forward", full)
    with pytest.raises(ModelError, match=r"memory ran out while training.*runtime\.micro_batch"):
        run(tmp_path, tiny_model("llama"), texts())
