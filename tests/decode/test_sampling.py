"""Sampling: pinned, token for token, to one response at a time with the model's own forward pass and no cache."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from w2sg.decode.config import SamplingConfig
from w2sg.decode.sampling import Request, sample, uniforms
from w2sg.models import hf
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.hf import LanguageModel
from w2sg.records import Response, ask

TinyModel = Callable[..., Path]

QUESTIONS = [
    "Ann has 12 apples.",
    "Is every wumpus a tumpus?",
    "Who wrote the song of the river, and in which town was the writer born? Think step by step.",
    "2",
    "the quick brown fox jumps over the lazy dog " * 3,
]
REQUESTS = [Request(f"q{number}", ask(text)) for number, text in enumerate(QUESTIONS)]


def load(folder: Path, double: bool = True) -> LanguageModel:
    model = hf.load(ModelConfig(path=str(folder)), RuntimeConfig(device="cpu"))
    if double:
        model.model.double()
    return model


def reference(model: LanguageModel, request: Request, number: int, config: SamplingConfig, seed: int) -> list[int]:
    """One response, written from the definition: whole prompt and response through the model at every token."""
    ids = model.prompt_ids(request.prompt)
    response: list[int] = []
    limit = min(config.max_new_tokens, model.max_length - len(ids))
    numbers = uniforms(seed, request.id, number, max(limit, 0))
    for place in range(limit):
        with torch.no_grad():
            logits = model.model(torch.tensor([ids + response])).logits[0, -1].double().numpy()
        response.append(draw(logits, numbers[place], config))
        if response[-1] in model.stop_ids:
            break
    return response


def draw(logits: np.ndarray, uniform: float, config: SamplingConfig) -> int:
    if config.temperature == 0:
        return int(np.argmax(logits))
    scaled = logits / config.temperature
    weights = np.exp(scaled - scaled.max())
    order = np.argsort(-weights, kind="stable")
    kept = order[: config.top_k] if config.top_k else order
    shares = weights[kept] / weights[kept].sum()
    kept = kept[np.concatenate(([0.0], np.cumsum(shares)[:-1])) < config.top_p]
    only = np.zeros_like(weights)
    only[kept] = weights[kept]
    return int(np.searchsorted(np.cumsum(only), uniform * only.sum(), side="right"))


def flat(chunks: Sequence[list[Response]]) -> list[Response]:
    return [row for chunk in chunks for row in chunk]


def run(model: LanguageModel, config: SamplingConfig, seed: int = 3, slots: int = 0, **more: object) -> list[Response]:
    runtime = RuntimeConfig(slots=slots)
    return flat(list(sample(model, REQUESTS, config, seed=seed, runtime=runtime, **more)))  # type: ignore[arg-type]


SETTINGS = [
    SamplingConfig(max_new_tokens=40),
    SamplingConfig(samples=9, temperature=1.0, max_new_tokens=70),
    SamplingConfig(samples=4, temperature=0.7, top_k=20, max_new_tokens=20),
    SamplingConfig(samples=4, temperature=1.3, top_p=0.8, max_new_tokens=20),
    SamplingConfig(samples=3, temperature=1.0, top_p=0.9, top_k=50, max_new_tokens=20),
]
TRAITS = [
    ("llama", {"bos": True}),
    ("llama", {"num_key_value_heads": 1, "tie_word_embeddings": True, "pad": False}),
    ("llama", {"rope_parameters": {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.0}}),
    ("qwen2", {"chat": False}),
    ("qwen3", {"head_dim": 16}),
    ("mistral", {"sliding_window": None, "num_key_value_heads": 4}),
    ("mistral", {"sliding_window": 16}),
    ("gpt_neox", {}),
    ("gpt2", {}),
    ("opt", {}),
    ("bloom", {}),
]


@pytest.mark.parametrize(("family", "traits"), TRAITS, ids=lambda part: str(part))
@pytest.mark.parametrize("config", SETTINGS, ids=["greedy", "plain", "top-k", "top-p", "both"])
@pytest.mark.parametrize("slots", [0, 7])
def test_sampling_equals_one_response_at_a_time(
    tiny_model: TinyModel, family: str, traits: dict[str, object], config: SamplingConfig, slots: int
) -> None:
    model = load(tiny_model(family, **traits), double=family != "bloom")  # whose padding mask is NaN in float64
    for row in run(model, config, slots=slots):
        expected = reference(model, REQUESTS[int(row.id[1:])], row.sample, config, seed=3)
        assert (row.text, row.tokens) == (model.text(expected), len(expected)), (row.id, row.sample)
        assert row.finished == (expected[-1] in model.stop_ids)
