"""Sampling from an ensemble: pinned, token for token, to each expert's own forward pass over the whole text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from naive_sampling import draw
from tiny_ensembles import CPU, adapter_ensemble, build_adapter, model_ensemble
from w2sg.decode.config import SamplingConfig
from w2sg.decode.llama import LlamaForward
from w2sg.decode.sampling import Request, sample, uniforms
from w2sg.models import hf, loading
from w2sg.models.adapters import AdapterExperts
from w2sg.models.base import EnsembleConfig, Mixture, ModelConfig, RuntimeConfig
from w2sg.models.ensemble import read_ensemble, save_ensemble
from w2sg.models.hf import LanguageModel
from w2sg.models.mixture import SeparateExperts
from w2sg.records import Response, ask

TinyModel = Callable[..., Path]

REQUESTS = [
    Request(f"q{number}", ask(text))
    for number, text in enumerate(["Ann has 12 apples.", "Is every wumpus a tumpus? Think step by step.", "2"])
]
GREEDY = SamplingConfig(max_new_tokens=8)
SAMPLED = SamplingConfig(samples=3, temperature=0.8, top_p=0.9, max_new_tokens=8)
WEIGHTS = (1.5, 0.4, 0.7)


def load(folder: Path, **use: Any) -> LanguageModel:
    """The ensemble in `folder`, in double precision."""
    model = loading.load(ModelConfig(path=str(folder), ensemble=EnsembleConfig(**use)), CPU)
    assert isinstance(model, LanguageModel)
    model.model.double()
    return model


def experts_of(folder: Path) -> list[LanguageModel]:
    """Every expert by itself, in double precision; adapters are kept apart from the base, as peft computes them."""
    found = read_ensemble(folder)
    base = ModelConfig(path=found.base)
    models = [hf.load(base, CPU, folder / expert.path, merge=False) for expert in found.experts]
    for model in models:
        model.model.double()
    return models


def naive(folder: Path, config: SamplingConfig, mixture: Mixture) -> list[list[int]]:
    """Responses from the definition: at every token, all experts read the whole text; their mixture is drawn from."""
    models, weights = experts_of(folder), read_ensemble(folder).weights
    experts = [model.model for model in models]
    return [
        expected_of(experts, weights, models[0], request, number, config, mixture)
        for request in REQUESTS
        for number in range(config.samples)
    ]


def expected_of(
    experts: Sequence[Any],
    weights: Sequence[float],
    speaker: LanguageModel,
    request: Request,
    number: int,
    config: SamplingConfig = SAMPLED,
    mixture: Mixture = "probability",
) -> list[int]:
    """One response; `speaker` knows the tokens."""
    prompt, response = speaker.prompt_ids(request.prompt), list[int]()
    numbers = uniforms(3, request.id, number, config.max_new_tokens)
    while len(response) < config.max_new_tokens and not (response and response[-1] in speaker.stop_ids):
        ids = torch.tensor([prompt + response])
        with torch.no_grad():
            rows = [expert(ids).logits[0, -1].numpy() for expert in experts]
        response.append(draw(mixed(rows, weights, mixture), numbers[len(response)], config))
    return response


def scatter(models: Sequence[Any]) -> None:
    """Give norms and biases, which are all alike in fresh models, values of their own."""
    with torch.no_grad():
        for number, model in enumerate(models):
            generator = torch.Generator().manual_seed(number)
            for weight in model.parameters():
                if weight.dim() == 1:
                    weight.add_(0.3 * torch.randn(weight.shape, generator=generator))


def mixed(rows: Sequence[np.ndarray], weights: Sequence[float], mixture: Mixture) -> np.ndarray:
    """Logarithms of the mixture of the distributions whose logits are given, up to a constant."""
    probabilities = [np.exp(row - row.max()) / np.exp(row - row.max()).sum() for row in rows]
    shares = np.array(weights) / sum(weights)
    if mixture == "probability":
        return np.log(sum(share * p for share, p in zip(shares, probabilities, strict=True)))  # type: ignore[no-any-return]
    return sum(share * np.log(p) for share, p in zip(shares, probabilities, strict=True))  # type: ignore[return-value]


def responses(model: LanguageModel, config: SamplingConfig, slots: int = 0, seed: int = 3) -> list[Response]:
    chunks = sample(model, REQUESTS, config, seed=seed, runtime=RuntimeConfig(slots=slots))
    return [row for chunk in chunks for row in chunk]


def check(folder: Path, model: LanguageModel, config: SamplingConfig, mixture: Mixture, slots: int = 0) -> None:
    expected = naive(folder, config, mixture)
    found = responses(model, config, slots)
    assert [(row.text, row.tokens) for row in found] == [(model.text(ids), len(ids)) for ids in expected]


@pytest.fixture(scope="module")
def adapters(tiny_model: TinyModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return adapter_ensemble(tmp_path_factory.mktemp("adapters") / "ensemble", tiny_model("llama"), WEIGHTS)


@pytest.mark.parametrize("slots", [0, 2])
@pytest.mark.parametrize("config", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
@pytest.mark.parametrize("mixture", ["probability", "log-linear"])
def test_adapters_on_one_base(adapters: Path, config: SamplingConfig, mixture: Mixture, slots: int) -> None:
    model = load(adapters, mixture=mixture)
    assert isinstance(model.model, AdapterExperts)
    assert LlamaForward.fits(model.model)
    check(adapters, model, config, mixture, slots)


@pytest.mark.parametrize(("family", "traits"), [("qwen2", {}), ("qwen3", {"head_dim": 8})])
def test_adapters_on_some_layers_of_other_families(
    tiny_model: TinyModel, tmp_path: Path, family: str, traits: dict[str, Any]
) -> None:
    """One expert adapts attention alone, the base has biases or normed heads."""
    base = tiny_model(family, **traits)
    some = build_adapter(tmp_path / "some", base, 5, target_modules=["q_proj", "v_proj", "down_proj"])
    whole = build_adapter(tmp_path / "whole", base, 6, rank=2, use_rslora=True)
    save_ensemble(tmp_path / "ensemble", str(base), [(some, 1.0), (whole, 0.8)])
    model = load(tmp_path / "ensemble")
    assert LlamaForward.fits(model.model)
    check(tmp_path / "ensemble", model, SAMPLED, "probability")


def test_adapters_on_a_family_without_a_fast_path(tiny_model: TinyModel, tmp_path: Path) -> None:
    folder = adapter_ensemble(tmp_path / "ensemble", tiny_model("gpt_neox"), WEIGHTS)
    model = load(folder)
    assert isinstance(model.model, AdapterExperts)
    assert not LlamaForward.fits(model.model)
    check(folder, model, SAMPLED, "probability")


def test_adapters_that_cannot_be_stacked(tiny_model: TinyModel, tmp_path: Path) -> None:
    folder = adapter_ensemble(tmp_path / "ensemble", tiny_model("llama"), (1.0, 2.0), use_dora=True)
    model = load(folder)
    assert isinstance(model.model, SeparateExperts)


@pytest.mark.parametrize("config", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
def test_whole_models_of_different_families(tmp_path: Path, config: SamplingConfig) -> None:
    folder = model_ensemble(tmp_path / "ensemble", ["llama", "gpt_neox", "mamba"][:2], WEIGHTS[:2])
    check(folder, load(folder), config, "probability")


@pytest.mark.parametrize(("family", "traits"), [("llama", {}), ("qwen2", {}), ("qwen3", {"head_dim": 8})])
def test_whole_models_of_one_shape(tmp_path: Path, family: str, traits: dict[str, Any]) -> None:
    """Stacked: with biases (qwen2), with normed heads (qwen3)."""
    folder = model_ensemble(tmp_path / "ensemble", [family] * 3, WEIGHTS, **traits)
    model = load(folder)
    assert isinstance(model.model, SeparateExperts)
    scatter(model.model.members)
    model.model.double()
    assert LlamaForward.fits(model.model)
    experts = model.model.members
    expected = [
        expected_of(experts, WEIGHTS, model, request, number)
        for request in REQUESTS
        for number in range(SAMPLED.samples)
    ]
    found = responses(model, SAMPLED)
    assert [(row.text, row.tokens) for row in found] == [(model.text(ids), len(ids)) for ids in expected]


def test_models_of_different_shapes_are_not_stacked(tmp_path: Path) -> None:
    folder = model_ensemble(tmp_path / "ensemble", ["llama", "qwen2"], WEIGHTS[:2])
    model = load(folder)
    assert not LlamaForward.fits(model.model)
    assert all(LlamaForward.fits(expert) for expert in model.model.members)


def test_an_expert_without_a_cache_to_continue(tmp_path: Path) -> None:
    folder = model_ensemble(tmp_path / "ensemble", ["llama", "mamba"], WEIGHTS[:2])
    check(folder, load(folder), SAMPLED, "probability")


@pytest.mark.parametrize("mixture", ["probability", "log-linear"])
def test_equal_experts_are_the_single_model(tiny_model: TinyModel, tmp_path: Path, mixture: Mixture) -> None:
    one = build_adapter(tmp_path / "one", tiny_model("llama"), 1)
    save_ensemble(tmp_path / "ensemble", str(tiny_model("llama")), [(one, 0.3), (one, 2.0), (one, 1.0)], mixture)
    ensemble = load(tmp_path / "ensemble")
    single = hf.load(ModelConfig(path=str(tiny_model("llama"))), CPU, one)
    single.model.double()
    assert ensemble.model.count == 3
    assert responses(ensemble, SAMPLED) == responses(single, SAMPLED)


def test_an_ensemble_of_one_is_its_expert(adapters: Path, tiny_model: TinyModel) -> None:
    first = hf.load(ModelConfig(path=str(tiny_model("llama"))), CPU, adapters / "expert-01")
    first.model.double()
    assert responses(load(adapters, experts=1), SAMPLED) == responses(first, SAMPLED)


def test_greedy_responses_do_not_depend_on_the_scale_of_weights(adapters: Path, tmp_path: Path) -> None:
    found = read_ensemble(adapters)
    members = [(adapters / expert.path, 1e3 * expert.weight) for expert in found.experts]
    save_ensemble(tmp_path / "scaled", found.base, members)
    assert responses(load(tmp_path / "scaled"), GREEDY) == responses(load(adapters), GREEDY)


def test_the_first_experts_and_uniform_weights(adapters: Path, tmp_path: Path) -> None:
    found = read_ensemble(adapters)
    members = [(adapters / expert.path, 1.0) for expert in found.experts[:2]]
    save_ensemble(tmp_path / "first", found.base, members)
    check(tmp_path / "first", load(adapters, experts=2, weights="uniform"), SAMPLED, "probability")


def test_stacked_adapters_predict_what_merged_ones_do(adapters: Path) -> None:
    """The logits of each expert, through the model's own forward pass and without a cache."""
    ids = torch.randint(10, 300, (2, 9), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        found, _ = load(adapters).model.expert_logits(ids)
        for logits, expert in zip(found, experts_of(adapters), strict=True):
            assert torch.allclose(logits, expert.model(ids).logits, atol=1e-9)


def test_stacked_adapters_in_half_precision(adapters: Path) -> None:
    """They are as near to the exact logits as the experts run one by one, by peft or merged into the base, which differ
    from one another by as much; the rounding of bfloat16 leaves no more."""
    ids = torch.randint(10, 300, (2, 9), generator=torch.Generator().manual_seed(0))
    half, found = CPU.model_copy(update={"dtype": "bfloat16"}), read_ensemble(adapters)

    def apart(merge: bool) -> torch.Tensor:
        paths = [adapters / expert.path for expert in found.experts]
        models = [hf.load(ModelConfig(path=found.base), half, path, merge=merge).model for path in paths]
        return torch.stack([model(ids).logits for model in models]).double()

    with torch.no_grad():
        exact, _ = load(adapters).model.expert_logits(ids)
        stacked = loading.load(ModelConfig(path=str(adapters)), half).model.expert_logits(ids)[0]  # type: ignore[union-attr]
        assert stacked.dtype == torch.bfloat16
        off, *others = [float((one - exact).abs().mean()) for one in (stacked.double(), apart(False), apart(True))]
    assert off < 1.3 * max(others)
    assert max(others) < 0.02 * float(exact.abs().max())


def test_stacked_adapters_take_little_memory(adapters: Path) -> None:
    model = load(adapters).model
    base = sum(weight.numel() for weight in model.base.parameters())
    whole = sum(weight.numel() for weight in model.parameters()) + sum(part.numel() for part in model.buffers())
    ranks = 3 * 4  # three experts, filled up to the highest rank
    adapted = sum(ranks * (layer.base.in_features + layer.base.out_features) for layer in linears(model))
    assert base + adapted <= whole <= base + adapted + 64  # and the weights of the mixture, and tables of positions


def linears(model: Any) -> list[Any]:
    from w2sg.models.adapters import AdaptedLinear

    return [module for module in model.modules() if isinstance(module, AdaptedLinear)]
