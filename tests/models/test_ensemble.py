"""An ensemble's folder: what is written, read and refused, and how it is named by its content."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tiny_ensembles import CPU, adapter_ensemble, build_adapter, model_ensemble
from tiny_models import build_model
from w2sg.errors import ConfigError, ModelError
from w2sg.models import hf, loading
from w2sg.models.base import EnsembleConfig, ModelConfig
from w2sg.models.ensemble import Ensemble, is_ensemble, read_ensemble, save_ensemble, save_first
from w2sg.models.identity import parameter_guess, resolve
from w2sg.models.mixture import SeparateExperts
from w2sg.models.mixture_bytes import BytewiseModel

TinyModel = Callable[..., Path]


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """The folder of an ensemble of two adapters whose weights nobody reads."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "adapter_config.json").write_text('{"base_model_name_or_path": "org/base"}')
        (tmp_path / name / "adapter_model.safetensors").write_bytes(name.encode())
    save_ensemble(tmp_path / "ensemble", "org/base", [(tmp_path / "a", 1.5), (tmp_path / "b", 0.5)])
    return tmp_path / "ensemble"


def change(folder: Path, **changes: Any) -> None:
    stored = json.loads((folder / "ensemble.json").read_text())
    (folder / "ensemble.json").write_text(json.dumps(stored | changes))


def config(folder: Path, **use: Any) -> ModelConfig:
    return ModelConfig(path=str(folder), ensemble=EnsembleConfig(**use))


def test_what_is_written_is_read(pair: Path) -> None:
    assert json.loads((pair / "ensemble.json").read_text()) == {
        "version": 1,
        "base": "org/base",
        "mixture": "probability",
        "experts": [{"path": "expert-01", "weight": 1.5}, {"path": "expert-02", "weight": 0.5}],
    }
    assert is_ensemble(pair)
    found = read_ensemble(pair)
    assert found.weights == (1.5, 0.5)
    assert Ensemble.parse(found.model_dump(), "here") == found


def test_used_as_the_settings_say(pair: Path) -> None:
    assert read_ensemble(pair, EnsembleConfig(experts=1)).weights == (1.5,)
    assert read_ensemble(pair, EnsembleConfig(weights="uniform")).weights == (1.0, 1.0)
    assert read_ensemble(pair, EnsembleConfig(mixture="log-linear")).mixture == "log-linear"
    with pytest.raises(ModelError, match="first 3 experts of an ensemble that has 2"):
        read_ensemble(pair, EnsembleConfig(experts=3))


def test_its_first_experts_are_an_ensemble_too(pair: Path, tmp_path: Path) -> None:
    named = [ModelConfig(path="org/base"), ModelConfig(path="org/other", revision="abc")]
    experts = [(pair / f"expert-{number:02d}", 3.0 - number) for number in (1, 2)]
    whole = save_ensemble(tmp_path / "whole", "org/base", experts, "log-linear", named)
    first = save_first(tmp_path / "first", tmp_path / "whole", 1)
    assert first == whole.model_copy(update={"experts": whole.experts[:1]})
    assert (tmp_path / "first" / "expert-01" / "adapter_config.json").is_file()
    assert not (tmp_path / "first" / "expert-02").exists()
    assert save_first(tmp_path / "all", tmp_path / "whole", 5) == whole
    assert read_ensemble(tmp_path / "all") == whole


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 2}, "version 2, and this w2sg reads version 1"),
        ({"version": None}, "version None"),
        ({"experts": []}, "experts"),
        ({"experts": [{"path": "expert-01", "weight": 0}]}, "experts.0.weight.*greater than 0"),
        ({"experts": [{"path": "expert-01", "weight": -1}]}, "experts.0.weight.*greater than 0"),
        ({"experts": [{"path": "expert-03", "weight": 1}]}, "'expert-03'.*missing"),
        ({"experts": [{"path": "../a", "weight": 1}]}, "inside the ensemble"),
        ({"experts": [{"path": "expert-01", "weight": 1}] * 2}, "two experts have the same path"),
        ({"mixture": "vote"}, "mixture"),
        ({"alpha": 1}, "unknown key"),
    ],
)
def test_damaged_files_are_refused(pair: Path, changes: dict[str, Any], words: str) -> None:
    change(pair, **changes)
    with pytest.raises(ModelError, match=words):
        read_ensemble(pair)


@pytest.mark.parametrize("text", ["[1]", "{", '{"version": 1, "base": "b", "experts": [{"path": "x", "weight": NaN}]}'])
def test_texts_that_are_no_ensemble_are_refused(pair: Path, text: str) -> None:
    (pair / "ensemble.json").write_text(text)
    with pytest.raises(ModelError, match=r"ensemble\.json"):
        read_ensemble(pair)


def test_saving_refuses_what_could_not_be_read(pair: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="already"):
        save_ensemble(pair, "org/base", [(tmp_path / "a", 1.0)])
    with pytest.raises(ConfigError, match="weight"):
        save_ensemble(tmp_path / "new", "org/base", [(tmp_path / "a", 0.0)])
    with pytest.raises(ModelError, match="no expert in"):
        save_ensemble(tmp_path / "new", "org/base", [(tmp_path / "nowhere", 1.0)])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="missing"):
        save_ensemble(tmp_path / "new", "org/base", [(tmp_path / "empty", 1.0)])
    assert not is_ensemble(tmp_path / "new")


def test_an_ensemble_is_named_by_what_is_used_of_it(pair: Path, tmp_path: Path) -> None:
    found = resolve(config(pair))
    assert found["ensemble"]["base"] == {"hub": "org/base", "revision": "main"}
    assert resolve(config(Path(shutil.copytree(pair, tmp_path / "moved")))) == found
    assert resolve(config(pair, experts=2)) == found
    others = [config(pair, experts=1), config(pair, weights="uniform"), config(pair, mixture="log-linear")]
    assert all(resolve(other) != found for other in others)
    (pair / "expert-02" / "adapter_model.safetensors").write_bytes(b"c")
    assert resolve(config(pair)) != found
    assert resolve(config(pair, experts=1)) == resolve(config(tmp_path / "moved", experts=1))


def test_settings_of_ensembles_are_for_ensembles(tiny_model: TinyModel) -> None:
    for read in (resolve, lambda found: loading.load(found, CPU)):
        with pytest.raises(ModelError, match="is no ensemble"):
            read(config(tiny_model("llama"), experts=2))


def test_the_default_settings_leave_old_fingerprints_alone() -> None:
    assert ModelConfig(path="zoo/nano").identity() == {
        "path": "zoo/nano", "revision": None, "trust_remote_code": False
    }  # fmt: skip


def test_the_size_of_an_ensemble_is_that_of_its_experts(tiny_model: TinyModel, tmp_path: Path) -> None:
    base = tiny_model("llama")
    adapter = build_adapter(tmp_path / "adapter", base, 0)
    save_ensemble(tmp_path / "ensemble", str(base), [(adapter, 1.0), (base, 1.0)])
    assert parameter_guess(config(tmp_path / "ensemble")) == 2 * parameter_guess(ModelConfig(path=str(base)))


def test_an_ensemble_is_not_trained_nor_a_base(tiny_model: TinyModel, tmp_path: Path) -> None:
    base = tiny_model("llama")
    save_ensemble(tmp_path / "ensemble", str(base), [(base, 1.0), (base, 2.0)])
    with pytest.raises(ModelError, match="can teach and answer but not be trained"):
        hf.load(config(tmp_path / "ensemble"), CPU, merge=False)


def test_adapters_of_different_bases_are_refused(tiny_model: TinyModel, tmp_path: Path) -> None:
    base, other = tiny_model("llama"), tiny_model("qwen2")
    adapters = [build_adapter(tmp_path / "a", base, 0), build_adapter(tmp_path / "b", other, 1)]
    save_ensemble(tmp_path / "both", str(base), [(adapter, 1.0) for adapter in adapters])
    with pytest.raises(ModelError, match="adapt different bases"):
        loading.load(config(tmp_path / "both"), CPU)
    save_ensemble(tmp_path / "wrong", str(other), [(adapters[0], 1.0), (adapters[0], 2.0)])
    with pytest.raises(ModelError, match="trained on another model"):
        loading.load(config(tmp_path / "wrong"), CPU)


def test_experts_of_one_tokenizer_are_one_member_beside_those_of_another(tmp_path: Path) -> None:
    models = [build_model(tmp_path / "a"), build_model(tmp_path / "b", chat=False), build_model(tmp_path / "c", seed=1)]
    save_ensemble(tmp_path / "ensemble", str(models[0]), [(model, n) for n, model in enumerate(models, start=1)])
    model = loading.load(config(tmp_path / "ensemble"), CPU)
    assert isinstance(model, BytewiseModel)
    assert model.model.weights.tolist() == [4, 2]
    assert isinstance(model.model.members[0].model, SeparateExperts)
    assert model.model.members[0].model.weights.tolist() == [1, 3]


def test_experts_of_other_bases_are_named_by_them(tmp_path: Path) -> None:
    bases = [build_model(tmp_path / "a"), build_model(tmp_path / "b", "gpt_neox", chat=False)]
    adapters = [build_adapter(tmp_path / f"adapter-{n}", base, n) for n, base in enumerate(bases)]
    made = tmp_path / "ensemble"
    named = [ModelConfig(path=str(base)) for base in bases]
    save_ensemble(made, str(bases[0]), [(adapter, 1.0) for adapter in adapters], bases=named)
    stored = json.loads((made / "ensemble.json").read_text())["experts"]
    assert [expert.get("base") for expert in stored] == [None, str(bases[1])]
    assert list(resolve(config(made))["ensemble"]["bases"]) == ["1"]
    assert parameter_guess(config(made)) == sum(map(parameter_guess, named))
    model = loading.load(config(made), CPU)
    assert isinstance(model, BytewiseModel)
    assert [member.model.config.model_type for member in model.model.members] == ["llama", "gpt_neox"]


def test_revisions_of_one_base_are_kept_apart(pair: Path, tmp_path: Path) -> None:
    """The file names its base by a path alone, and loaded by itself nothing else says which revision was tuned."""
    early, late = (ModelConfig(path="org/base", revision=name) for name in ("step1000", "main"))
    experts = [(pair / f"expert-{number:02d}", 1.0) for number in (1, 2)]
    plain = ModelConfig(path="org/base")
    for name, bases in {"both": [early, late], "first": [early, plain], "same": [early, early]}.items():
        found = save_ensemble(tmp_path / name, "org/base", experts, bases=bases)
        for alone in (plain, early):  # loaded by itself, or as the tuned form of the first one's base
            assert [found.base_of(expert, alone) for expert in found.experts] == bases
        assert save_first(tmp_path / f"{name}-1", tmp_path / name, 1).base_of(found.experts[0], plain) == early


def test_experts_of_different_vocabularies_are_refused(tmp_path: Path) -> None:
    models = [build_model(tmp_path / "a"), build_model(tmp_path / "b", vocab_size=500)]
    save_ensemble(tmp_path / "ensemble", str(models[0]), [(model, 1.0) for model in models])
    with pytest.raises(ModelError, match=r"vocabularies of \d+ and 500 rows"):
        loading.load(config(tmp_path / "ensemble"), CPU)


def test_experts_of_different_ends_are_refused(tmp_path: Path) -> None:
    models = [build_model(tmp_path / "a"), build_model(tmp_path / "b", generation_eos=[9])]
    save_ensemble(tmp_path / "ensemble", str(models[0]), [(model, 1.0) for model in models])
    with pytest.raises(ModelError, match="end their responses with different tokens"):
        loading.load(config(tmp_path / "ensemble"), CPU)


def test_a_missing_weight_file_is_named(tiny_model: TinyModel, tmp_path: Path) -> None:
    folder = adapter_ensemble(tmp_path / "ensemble", tiny_model("llama"), (1.0, 1.0))
    (folder / "expert-02" / "adapter_model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"expert-02.*adapter_model\.safetensors"):
        loading.load(config(folder), CPU)


def test_an_ensemble_that_a_step_made_stands_on_the_steps_model(tiny_model: TinyModel, tmp_path: Path) -> None:
    """The tuned form of a model may be an ensemble; the path in its file may then be another machine's."""
    folder = adapter_ensemble(tmp_path / "ensemble", tiny_model("llama"), (1.0, 1.0))
    change(folder, base="/elsewhere/model")
    model = loading.load(ModelConfig(path=str(tiny_model("llama")), system="Be brief."), CPU, folder)
    assert isinstance(model, hf.LanguageModel)
    assert model.model.count == 2
    assert model.config.system == "Be brief."


def test_whole_models_need_no_base(tmp_path: Path) -> None:
    folder = model_ensemble(tmp_path / "ensemble", ["llama", "llama"], (1.0, 1.0))
    change(folder, base="/elsewhere/model")
    model = loading.load(config(folder), CPU)
    assert isinstance(model, hf.LanguageModel)
    assert model.model.count == 2
