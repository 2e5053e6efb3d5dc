"""The scripted model: its distribution, its memory, and the way it is sampled."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from w2sg.decode.config import SamplingConfig
from w2sg.decode.sampling import Request, sample
from w2sg.errors import ModelError
from w2sg.models import scripted
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.loading import load
from w2sg.models.scripted import Answers, ScriptedModel
from w2sg.records import Response, Target, ask

REQUESTS = [Request("a", ask("A?")), Request("b", ask("B?"))]


def script(question: str) -> Answers:
    return {"A?": {"yes": 3.0, "no": 1.0}, "B?": ["one", "two", "two"]}.get(question, "unknown")


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> ModelConfig:
    monkeypatch.setitem(sys.modules, "played", sys.modules[__name__])
    return ModelConfig(path="scripted:played:script")


def answers(model: ScriptedModel, settings: SamplingConfig, seed: int = 0) -> list[Response]:
    chunks = sample(model, REQUESTS, settings, seed=seed, runtime=RuntimeConfig())
    return [row for chunk in chunks for row in chunk]


def test_distributions_are_normalised() -> None:
    model = ScriptedModel(script)
    assert model.distribution(ask("A?")) == {"yes": 0.75, "no": 0.25}
    assert model.distribution(ask("B?")) == pytest.approx({"one": 1 / 3, "two": 2 / 3})
    assert model.distribution(ask("C?")) == {"unknown": 1.0}


def test_responses_follow_the_uniform_number() -> None:
    model = ScriptedModel(script)
    assert [model.respond(ask("A?"), u) for u in (0.0, 0.74, 0.76, 0.9999999)] == ["yes", "yes", "no", "no"]
    assert model.respond(ask("B?"), None) == "two"


def test_sampling_draws_by_seed_and_greedy_takes_the_most_probable() -> None:
    model = ScriptedModel(script)
    many = SamplingConfig(samples=2000, temperature=1.0)
    counts = Counter(row.text for row in answers(model, many) if row.id == "a")
    assert counts["yes"] / 2000 == pytest.approx(0.75, abs=0.04)
    assert answers(model, many) == answers(model, many) != answers(model, many, seed=1)
    assert [row.text for row in answers(model, SamplingConfig())] == ["yes", "two"]


def test_training_remembers_and_is_kept(tmp_path: Path, config: ModelConfig) -> None:
    targets = [
        Target("1", ask("A?"), "no"),
        Target("2", ask("A?"), "perhaps", weight=3.0),
        Target("3", ask("B?"), "none", weight=0.0),
    ]
    trained = scripted.load(config).trained(targets, seed=1)
    assert trained.distribution(ask("A?")) == {"no": 0.25, "perhaps": 0.75}
    assert trained.distribution(ask("B?")) == pytest.approx({"one": 1 / 3, "two": 2 / 3})
    trained.save(tmp_path)
    again = load(config, RuntimeConfig(), tuned=tmp_path)
    assert isinstance(again, ScriptedModel)
    assert again.distribution(ask("A?")) == trained.distribution(ask("A?"))


@pytest.mark.parametrize("path", ["scripted:no.such:thing", "scripted:json:nothing", "scripted:", "scripted:json"])
def test_paths_that_name_no_function(path: str) -> None:
    with pytest.raises(ModelError, match="scripted:<module>:<function>"):
        scripted.load(ModelConfig(path=path))


@pytest.mark.parametrize("answer", [[], {}, {"a": 0.0}, {"a": -1.0, "b": 2.0}])
def test_scripts_without_a_response(answer: Answers) -> None:
    with pytest.raises(ModelError, match="response"):
        ScriptedModel(lambda question: answer).distribution(ask("A?"))


def test_nothing_here_needs_torch() -> None:
    code = (
        "import sys; import w2sg.models.scripted, w2sg.models.loading, w2sg.decode.sampling;"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
