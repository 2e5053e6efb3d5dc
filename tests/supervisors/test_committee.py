"""The controls of boosting: as much training in one expert, as many weights in one adapter, the mean of weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tiny_boosting import CPU, made, rounds, sums_cast
from w2sg.decode.config import SamplingConfig
from w2sg.ensemble.config import EXPERTS
from w2sg.errors import ConfigError
from w2sg.models.base import ModelConfig
from w2sg.models.fit_config import FitConfig, LoraConfig
from w2sg.models.hf import load
from w2sg.runs.store import Store
from w2sg.schedules.methods import method
from w2sg.steps.cast import Cast
from w2sg.steps.fit import FitSettings
from w2sg.steps.inputs import MODEL, read_responses
from w2sg.steps.model import Node
from w2sg.steps.sample import sample_step
from w2sg.supervisors.committee import Committee


@pytest.fixture(scope="module")
def cast(tiny_model: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Cast:
    cast = sums_cast(tmp_path_factory.mktemp("data"), tiny_model("llama"))
    return replace(cast, teacher_fit=cast.teacher_fit.model_copy(update={"epochs": 1.5}))


def fits(node: Node) -> list[FitConfig]:
    assert node.tuned is not None
    return [step.settings.fit for step in node.tuned.ancestors() if isinstance(step.settings, FitSettings)]


def test_one_expert_is_tuned_as_long_as_all_of_an_ensemble(cast: Cast) -> None:
    (long,) = fits(method("single-expert-long").supervisor.node(cast))
    assert long == cast.teacher_fit.model_copy(update={"epochs": 7.5})
    own = Committee.parse({"experts": 1, "longer": 3, "fit": {"epochs": 2}}, "it")
    assert [fit.epochs for fit in fits(own.node(cast))] == [6.0]
    assert Committee().experts == method("single-expert-long").supervisor.identity()["longer"] == EXPERTS


def test_it_is_the_expert_that_a_fit_written_out_makes(cast: Cast) -> None:
    written = Committee(experts=1, fit=cast.teacher_fit.model_copy(update={"epochs": 7.5})).node(cast)
    long = method("single-expert-long").supervisor.node(cast)
    assert written.tuned is not None
    assert long.tuned is not None
    assert long.tuned.fingerprint == written.tuned.fingerprint


def test_one_adapter_has_the_rank_of_all_of_an_ensemble_at_the_same_scale(cast: Cast) -> None:
    (wide,) = fits(method("single-expert-large-rank").supervisor.node(cast))
    assert cast.teacher_fit.lora == LoraConfig(rank=4, alpha=8)
    assert wide == cast.teacher_fit.model_copy(update={"lora": LoraConfig(rank=20, alpha=40)})
    upper = replace(cast, teacher_fit=wide.model_copy(update={"lora": LoraConfig(rank=4, last_layers=2)}))
    (wide,) = fits(method("single-expert-large-rank").supervisor.node(upper))
    assert wide.lora == LoraConfig(rank=20, alpha=160, last_layers=2)


def test_without_an_adapter_there_is_no_rank(cast: Cast) -> None:
    whole = replace(cast, teacher_fit=FitConfig())
    with pytest.raises(ConfigError, match=r"5 times the rank \(wider\), and its fit has no adapter.* Set lora in"):
        method("single-expert-large-rank").supervisor.node(whole)


def test_averaged_weights_are_mixed_no_more() -> None:
    with pytest.raises(ConfigError, match="one model, with nothing to mix"):
        Committee.parse({"combine": "weights", "mixture": "log-linear"}, "it")


def test_the_same_experts_are_averaged_as_are_mixed(cast: Cast) -> None:
    mixed, averaged = (method(name).supervisor.node(cast).tuned for name in ("uniform-ensemble", "weight-averaged"))
    assert mixed is not None
    assert averaged is not None
    assert (mixed.kind, averaged.kind) == ("ensemble", "average")
    assert {part: step.fingerprint for part, step in mixed.parents.items()} == {
        part: step.fingerprint for part, step in averaged.parents.items()
    }


@pytest.mark.parametrize("differ", ["seed", "texts"])
def test_a_mean_of_adapters_is_one_whole_model_that_answers(differ: str, cast: Cast, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    node = Committee.parse({"experts": 2, "differ": differ, "combine": "weights"}, "it").node(cast)
    step, folder = made(node, store)
    assert sorted(path.name for path in (folder / MODEL).glob("*.safetensors")) == ["model.safetensors"]
    base = ModelConfig(path=cast.teacher.config.path)
    first, second = (load(base, CPU, one / MODEL).model.state_dict() for one in rounds(step, store))
    mean = load_file(folder / MODEL / "model.safetensors")
    assert any((first[name] != second[name]).any() for name in mean)
    for name, value in mean.items():
        torch.testing.assert_close(value, (first[name] + second[name]) / 2)
    sampling = SamplingConfig(max_new_tokens=4)
    answers = sample_step(node, cast.task, ("transfer",), sampling, 0, "the mean answers")
    _, answered = made(Node(cast.teacher, answers), store)
    assert len(list(read_responses(answered))) == 4
