"""Scores of given responses: pinned to each expert's forward pass over the bare text, mixed from the definition."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tiny_ensembles import CPU, adapter_ensemble, model_ensemble
from w2sg.decode import score as scoring
from w2sg.decode.choices import Normalisation, normalised, option_probabilities
from w2sg.decode.config import SamplingConfig
from w2sg.decode.sampling import Request, sample
from w2sg.decode.score import likeliest, score
from w2sg.errors import ModelError
from w2sg.models import hf, loading
from w2sg.models.base import ModelConfig
from w2sg.models.ensemble import read_ensemble
from w2sg.models.hf import LanguageModel
from w2sg.records import ask

TinyModel = Callable[..., Path]

ASKED = ask("Ann has 12 apples.")
TEXTS = [
    (ASKED, "She has 19 apples."),
    (ask("Is every wumpus a tumpus? Think step by step."), "true"),
    (ASKED, ""),
    (ask("2"), "The quick brown fox jumps over the lazy dog 0 1 2."),
]


def load(folder: Path) -> LanguageModel:
    model = loading.load(ModelConfig(path=str(folder)), CPU)
    assert isinstance(model, LanguageModel)
    model.model.double()
    return model


def naive(
    experts: list[LanguageModel], weights: np.ndarray, prompt: list[int], response: list[int]
) -> list[np.ndarray]:
    """The experts' probabilities, of shape (T, V), of every token of the response."""
    with torch.no_grad():
        ids = torch.tensor([prompt + response])
        all_places = np.stack([expert.model(ids).logits[0].softmax(-1).numpy() for expert in experts])
    return [all_places[:, len(prompt) - 1 + place] for place in range(len(response))]


@pytest.fixture(scope="module", params=["adapters", "models", "single"])
def case(
    request: pytest.FixtureRequest, tiny_model: TinyModel, tmp_path_factory: pytest.TempPathFactory
) -> tuple[LanguageModel, list[LanguageModel], np.ndarray]:
    """A model, its experts and their shares."""
    folder = tmp_path_factory.mktemp(request.param) / "ensemble"
    if request.param == "single":
        return load(tiny_model("llama")), [load(tiny_model("llama"))], np.ones(1)
    if request.param == "adapters":
        adapter_ensemble(folder, tiny_model("llama"), (1.5, 0.5))
    else:
        model_ensemble(folder, ["llama", "gpt_neox"], (1.5, 0.5))
    found = read_ensemble(folder)
    experts = [
        hf.load(ModelConfig(path=found.base), CPU, folder / expert.path, merge=False) for expert in found.experts
    ]
    for expert in experts:
        expert.model.double()
    return load(folder), experts, np.array([0.75, 0.25])


@pytest.mark.parametrize("elements", [1, 1 << 26])
def test_scores_of_given_texts(
    case: tuple[LanguageModel, list[LanguageModel], np.ndarray], elements: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, experts, shares = case
    monkeypatch.setattr(scoring, "_ELEMENTS", elements)
    for (prompt, text), found in zip(TEXTS, score(model, TEXTS, CPU), strict=True):
        response = model.response_ids(text)
        places = naive(experts, shares, model.prompt_ids(prompt), response)
        mixed = [shares @ place for place in places]
        assert found.log_probabilities == pytest.approx(
            [math.log(p[token]) for p, token in zip(mixed, response, strict=True)]
        )
        assert found.total == pytest.approx(sum(found.log_probabilities))
        assert found.entropies == pytest.approx([float(-(p * np.log(p)).sum()) for p in mixed])
        own = [shares @ -(place * np.log(place)).sum(-1) for place in places]
        gaps = [whole - part for whole, part in zip(found.entropies, own, strict=True)]
        assert found.divergences == pytest.approx(gaps, abs=1e-9)
        dissent = [shares @ (place.argmax(-1) != p.argmax()) for place, p in zip(places, mixed, strict=True)]
        assert found.dissents == pytest.approx(dissent)


def test_the_likeliest_tokens_in_the_place_of_each(
    case: tuple[LanguageModel, list[LanguageModel], np.ndarray],
) -> None:
    """Those of the mixture, end token included, brought to sum 1; as many as there are where more are asked for."""
    model, experts, shares = case
    for (prompt, text), found in zip(TEXTS, likeliest(model, TEXTS, 3, CPU), strict=True):
        places = naive(experts, shares, model.prompt_ids(prompt), model.response_ids(text))
        mixed = [shares @ place for place in places]
        orders = [np.argsort(-p, kind="stable")[:3] for p in mixed]
        assert found.token_ids == tuple(tuple(order.tolist()) for order in orders)
        for p, order, own in zip(mixed, orders, found.probabilities, strict=True):
            assert own == pytest.approx(p[order] / p[order].sum())
    (whole,) = likeliest(model, TEXTS[:1], 10**6, CPU)
    assert {len(row) for row in whole.token_ids} == {len(mixed[0])}


def test_a_response_is_not_scored_by_mixing_whole_responses(tiny_model: TinyModel, tmp_path: Path) -> None:
    folder = adapter_ensemble(tmp_path / "ensemble", tiny_model("llama"), (1.0, 1.0))
    model = load(folder)
    (found,) = score(model, TEXTS[:1], CPU)
    base = ModelConfig(path=str(tiny_model("llama")))
    experts = [hf.load(base, CPU, folder / name) for name in ("expert-01", "expert-02")]
    wholes = [score(expert, TEXTS[:1], CPU)[0].total for expert in experts]
    assert abs(found.total - math.log((math.exp(wholes[0]) + math.exp(wholes[1])) / 2)) > 1


def test_greedy_tokens_score_highest(case: tuple[LanguageModel, list[LanguageModel], np.ndarray]) -> None:
    """What sampling takes for the most probable token, scoring takes too."""
    model = case[0]
    ((row,),) = sample(model, [Request("q", ASKED)], SamplingConfig(max_new_tokens=1), seed=0, runtime=CPU)
    texts = [(ASKED, row.text), (ASKED, "apples"), (ASKED, "2")]
    first = [found.log_probabilities[0] for found in score(model, texts, CPU)]
    if model.response_ids(row.text)[:-1] == model.response_ids(row.text)[:1]:  # its text is its token
        assert first[0] == max(first)
    assert len(score(model, texts, CPU, end=False)[1].dissents) == len(model.response_ids("apples")) - 1


def test_options_and_their_normalisations(case: tuple[LanguageModel, list[LanguageModel], np.ndarray]) -> None:
    """Of an ensemble, an option's score is the sum of the logarithms of its mixed distributions, token by token."""
    model, options, prior = case[0], ["true", "false", "I cannot say that"], ask("Answer:")
    totals = np.array([found.total for found in score(model, [(ASKED, option) for option in options], CPU)])
    unasked = np.array([found.total for found in score(model, [(prior, option) for option in options], CPU)])
    lengths = np.array([len(model.response_ids(option)) for option in options])
    wanted: dict[Normalisation, np.ndarray] = {
        "none": totals, "tokens": totals / lengths, "prior": totals - unasked
    }  # fmt: skip
    questions = [(ASKED, options), (prior, options[:2])]
    for how, logs in wanted.items():
        first, second = option_probabilities(model, questions, CPU, normalise=how, prior=prior)
        assert first == pytest.approx(normalised(logs), rel=1e-4)
        assert len(second) == 2
        assert second.sum() == pytest.approx(1)
    assert second == pytest.approx([0.5, 0.5])  # asked nothing, the prior leaves nothing
    with pytest.raises(ValueError, match="need the prompt"):
        option_probabilities(model, questions, CPU, normalise="prior")


def test_what_does_not_fit_is_refused(tiny_model: TinyModel) -> None:
    with pytest.raises(ModelError, match="do not fit the 256 positions"):
        score(load(tiny_model("llama")), [(ASKED, "0 1 2 3 " * 200)], CPU)


def test_no_texts_no_scores(tiny_model: TinyModel) -> None:
    assert score(load(tiny_model("llama")), [], CPU) == []
