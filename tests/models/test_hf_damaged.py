"""Folders that hold no model that could be loaded: each is refused with a reason."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from w2sg.errors import ModelError
from w2sg.models import hf
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.hf import LanguageModel


def load(folder: Path) -> LanguageModel:
    return hf.load(ModelConfig(path=str(folder)), RuntimeConfig(device="cpu"))


@pytest.fixture
def copy(tiny_model: Callable[..., Path], tmp_path: Path) -> Path:
    """A tiny Llama's folder, to be damaged."""
    return Path(shutil.copytree(tiny_model("llama"), tmp_path / "model"))


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_a_missing_folder() -> None:
    with pytest.raises(ModelError, match="no model folder '/no/such/folder'"):
        load(Path("/no/such/folder"))


def test_a_file_instead_of_a_folder(copy: Path) -> None:
    with pytest.raises(ModelError, match="is a file"):
        load(copy / "model.safetensors")


def test_a_folder_without_configuration(copy: Path) -> None:
    (copy / "config.json").unlink()
    with pytest.raises(ModelError, match=r"no config\.json"):
        load(copy)


def test_a_damaged_configuration(copy: Path) -> None:
    (copy / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"config\.json .* cannot be read"):
        load(copy)


def test_a_folder_without_weights(copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="holds no weights"):
        load(copy)


def test_a_folder_with_pickled_weights_only(copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    (copy / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(ModelError, match=r"pickle \(pytorch_model\.bin\).*safetensors"):
        load(copy)


def test_a_folder_without_a_tokenizer(copy: Path) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        (copy / name).unlink()
    with pytest.raises(ModelError, match="tokenizer"):
        load(copy)


def test_a_damaged_tokenizer(copy: Path) -> None:
    (copy / "tokenizer.json").write_text('{"version": ')
    with pytest.raises(ModelError, match=r"tokenizer .* does not load"):
        load(copy)


@pytest.mark.parametrize("size", [0, 4, 1000, -10])
def test_damaged_weights(copy: Path, size: int) -> None:
    weights = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(weights[:size])
    with pytest.raises(ModelError, match="damaged or incomplete"):
        load(copy)


def test_weights_of_another_shape(copy: Path) -> None:
    edit(copy / "config.json", intermediate_size=96)
    with pytest.raises(ModelError, match="does not load"):
        load(copy)


def test_weights_that_lack_a_layer(copy: Path) -> None:
    edit(copy / "config.json", num_hidden_layers=3)
    with pytest.raises(ModelError, match="lack 9 tensors"):
        load(copy)


@pytest.mark.parametrize("kind", ["llama9", "t5"])
def test_an_unknown_architecture(copy: Path, kind: str) -> None:
    edit(copy / "config.json", model_type=kind, architectures=["Nothing"])
    with pytest.raises(ModelError, match="architecture is not a causal language model"):
        load(copy)


def test_remote_code_is_off(copy: Path) -> None:
    edit(copy / "config.json", model_type="own", auto_map={"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"})
    (copy / "own.py").write_text("raise SystemExit('this code ran')")
    with pytest.raises(ModelError, match="trust_remote_code: true"):
        load(copy)
