"""A model is named by its content: what changes the name, what does not."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from w2sg.errors import ModelError
from w2sg.models import identity
from w2sg.models.base import ModelConfig

TinyModel = Callable[..., Path]


@pytest.fixture(autouse=True)
def _own_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    identity._remembered.cache_clear()


@pytest.fixture
def copy(tiny_model: TinyModel, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model("llama"), tmp_path / "model"))


def resolve(folder: Path) -> dict[str, object]:
    return identity.resolve(ModelConfig(path=str(folder)))


def test_a_moved_folder_is_the_same_model(copy: Path, tmp_path: Path) -> None:
    found = resolve(copy)
    assert set(found["files"]) == {  # type: ignore[call-overload]
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
        "chat_template.jinja",
    }  # fmt: skip
    assert resolve(Path(shutil.copytree(copy, tmp_path / "moved"))) == found


def test_what_the_model_does_not_read_is_not_its_content(copy: Path) -> None:
    found = resolve(copy)
    (copy / "README.md").write_text("hello")
    (copy / "training_log.txt").write_text("1")
    assert resolve(copy) == found


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "chat_template.jinja"])
def test_changed_files_are_another_model(copy: Path, name: str) -> None:
    found = resolve(copy)
    data = bytearray((copy / name).read_bytes())
    data[-2] ^= 1  # of the same size
    (copy / name).write_bytes(data)
    os.utime(copy / name, ns=(1, 1))
    assert resolve(copy) != found


def test_large_files_are_hashed_once(copy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (copy / "more.safetensors").write_bytes(bytes(1 << 20))
    found = resolve(copy)
    identity._remembered.cache_clear()  # as in a new process
    hashed: list[str] = []
    original = identity.hash_file
    monkeypatch.setattr(identity, "hash_file", lambda path: hashed.append(path.name) or original(path))
    assert resolve(copy) == found
    assert "more.safetensors" not in hashed


def test_a_memory_that_cannot_be_kept_changes_nothing(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (copy / "more.safetensors").write_bytes(bytes(1 << 20))
    monkeypatch.setenv("XDG_CACHE_HOME", str(copy / "config.json"))
    assert "more.safetensors" in resolve(copy)["files"]  # type: ignore[operator]


def test_a_damaged_memory_is_passed_over(copy: Path, tmp_path: Path) -> None:
    (tmp_path / "cache" / "w2sg").mkdir(parents=True)
    (tmp_path / "cache" / "w2sg" / "digests.json").write_text("[1")
    assert resolve(copy)["files"]


def test_hub_models_are_named_by_id_and_revision() -> None:
    assert identity.resolve(ModelConfig(path="org/name")) == {"hub": "org/name", "revision": "main"}
    assert identity.resolve(ModelConfig(path="gpt2", revision="v1")) == {"hub": "gpt2", "revision": "v1"}


def test_scripted_models_are_named_by_their_function() -> None:
    assert identity.resolve(ModelConfig(path="scripted:a.b:c")) == {"scripted": "a.b:c"}


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="holds no model"):
        resolve(tmp_path)


@pytest.mark.parametrize("path", ["/no/such", "./no", "~/no-such-folder", "a/b/c"])
def test_missing_folders(path: str) -> None:
    with pytest.raises(ModelError, match="no model folder"):
        identity.resolve(ModelConfig(path=path))


def test_zoo_members_that_do_not_exist() -> None:
    with pytest.raises(ModelError, match="zoo"):
        identity.resolve(ModelConfig(path="zoo/gigantic"))


def test_parameters_are_counted_from_the_weights_an_adapter_as_what_it_adapts(tmp_path: Path) -> None:
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    base.mkdir()
    adapter.mkdir()
    (base / "config.json").write_text("{}")
    (base / "model.safetensors").write_bytes(bytes(2000))
    (adapter / "adapter_model.safetensors").write_bytes(bytes(10))
    settings = adapter / "adapter_config.json"

    def guess(path: object) -> float:
        return identity.parameter_guess(ModelConfig(path=str(path)))

    settings.write_text(f'{{"base_model_name_or_path": "{base}"}}')
    assert guess(base) == guess(adapter) == 1000
    for unknown in ('{"base_model_name_or_path": "some/model"}', '{"base_model_name_or_path": 3}', "{}", "[]", "{"):
        settings.write_text(unknown)
        assert guess(adapter) == 0
    assert guess("some/model") == guess(tmp_path / "absent") == 0
    assert guess("scripted:any:thing") == 1
