"""Drafts by one expert, checked by all: the responses are those of the ensemble without drafts, token for token."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tiny_ensembles import CPU, adapter_ensemble, build_adapter, model_ensemble
from w2sg.decode import drafting
from w2sg.decode.config import SamplingConfig
from w2sg.decode.sampling import Request, engine_of, sample
from w2sg.models import loading
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.ensemble import save_ensemble
from w2sg.models.hf import LanguageModel
from w2sg.records import Response, ask

TinyModel = Callable[..., Path]

REQUESTS = [
    Request(f"q{number}", ask(text))
    for number, text in enumerate(
        ["Ann has 12 apples.", "Is every wumpus a tumpus? Think step by step.", "2", "the quick brown fox " * 8]
    )
]
GREEDY = SamplingConfig(max_new_tokens=17)
SAMPLED = SamplingConfig(samples=3, temperature=0.7, top_p=0.9, max_new_tokens=17)


def load(folder: Path) -> LanguageModel:
    model = loading.load(ModelConfig(path=str(folder)), CPU)
    assert isinstance(model, LanguageModel)
    model.model.double()
    return model


def responses(
    model: LanguageModel, config: SamplingConfig, told: list[Any] | None = None, **how: int
) -> list[Response]:
    runtime = RuntimeConfig(**how)  # type: ignore[arg-type]
    chunks = sample(model, REQUESTS, config, seed=3, runtime=runtime, progress=lambda *all: (told or []).append(all))
    return [row for chunk in chunks for row in chunk]


@pytest.fixture(scope="module")
def adapters(tiny_model: TinyModel, tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """Experts that are near to one another, so that drafts are right now and then."""
    folder = tmp_path_factory.mktemp("adapters")
    base = tiny_model("llama")
    experts = [(build_adapter(folder / f"{seed}", base, seed, lora_alpha=0.6), 1.0) for seed in (0, 1)]
    save_ensemble(folder / "ensemble", str(base), [*experts, (experts[0][0], 0.5)])
    return load(folder / "ensemble")


@pytest.mark.parametrize("slots", [0, 2])
@pytest.mark.parametrize("draft", [1, 4])
@pytest.mark.parametrize("config", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
def test_drafts_change_nothing(adapters: LanguageModel, config: SamplingConfig, draft: int, slots: int) -> None:
    assert engine_of(adapters, RuntimeConfig(draft=draft)) is drafting.respond
    assert responses(adapters, config, draft=draft, slots=slots) == responses(adapters, config)


@pytest.mark.parametrize("config", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
def test_whole_models_draft_too(tmp_path: Path, config: SamplingConfig) -> None:
    """Models that have nothing in common, whose drafts are hardly ever right."""
    model = load(model_ensemble(tmp_path / "ensemble", ["llama", "gpt_neox"], (1.0, 1.3)))
    assert engine_of(model, RuntimeConfig(draft=3)) is drafting.respond
    assert responses(model, config, draft=3) == responses(model, config)


def test_right_drafts_spare_passes(adapters: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an ensemble of equal experts every draft is right: 16 tokens after the first take four passes of five."""
    passes = []
    forward = adapters.model.expert_logits
    monkeypatch.setattr(adapters.model, "expert_logits", lambda *all, **more: passes.append(1) or forward(*all, **more))
    monkeypatch.setattr(
        adapters.model, "weights", adapters.model.weights * 0 + adapters.model.weights.new_tensor([1, 1e-9, 1])
    )
    found = responses(adapters, GREEDY, draft=4)
    longest = max(row.tokens for row in found)
    assert len(passes) <= 1 + -(-(longest - 1) // 5) + 1


def test_drafts_end_where_the_context_ends(tiny_model: TinyModel, tmp_path: Path) -> None:
    base = tiny_model("llama", max_position_embeddings=72)
    model = load(adapter_ensemble(tmp_path / "ensemble", base, (1.0, 0.5)))
    config = SamplingConfig(max_new_tokens=200)
    assert responses(model, config, draft=4) == responses(model, config)
    assert any(not row.finished for row in responses(model, config))


def test_models_without_plain_caches_do_not_draft(tmp_path: Path) -> None:
    model = load(model_ensemble(tmp_path / "ensemble", ["llama", "mamba"], (1.0, 1.3)))
    assert not drafting.fits(model.model)
    assert engine_of(model, RuntimeConfig(draft=3)) is not drafting.respond
