"""On which layers adapters are put, by the names of modules alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from tiny_ensembles import build_adapter
from w2sg.config import fingerprint
from w2sg.errors import ModelError
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.fit_adapter import _left_alone, check_adapter, put_adapter
from w2sg.models.fit_config import FitConfig, LoraConfig
from w2sg.models.hf import load

CPU = RuntimeConfig(device="cpu")


class Stacks(torch.nn.Module):
    """Models by their lists of layers alone."""

    def __init__(self, count: int, *stacks: str) -> None:
        super().__init__()
        text = SimpleNamespace(num_hidden_layers=count)
        self.config = SimpleNamespace(get_text_config=lambda: text)
        for name in stacks:
            layers = torch.nn.ModuleList(torch.nn.Linear(1, 1) for _ in range(count))
            self.add_module(name, torch.nn.ModuleDict({"layers": layers}))


def test_layers_of_two_digits_are_told_from_those_of_one() -> None:
    """Of twelve layers the last ten are 2 to 11: layer 1 is left alone, layers 10 and 11 are not."""
    pattern = _left_alone(Stacks(12, "body"), LoraConfig(last_layers=10), "m")
    assert pattern is not None
    names = [f"body.layers.{number}.weight" for number in range(12)]
    assert [bool(re.fullmatch(pattern, name)) for name in names] == [True] * 2 + [False] * 10


def test_all_layers_leave_none_alone() -> None:
    assert _left_alone(Stacks(3, "body"), LoraConfig(last_layers=3), "m") is None
    assert _left_alone(Stacks(3), LoraConfig(), "m") is None


@pytest.mark.parametrize("stacks", [(), ("encoder", "decoder")])
def test_layers_that_cannot_be_told_apart(stacks: tuple[str, ...]) -> None:
    with pytest.raises(ModelError, match=r"of 'm': its layers cannot be told apart"):
        _left_alone(Stacks(3, *stacks), LoraConfig(last_layers=1), "m")


def test_the_setting_decides_the_result_and_its_default_is_as_before() -> None:
    assert "last_layers" not in FitConfig(lora=LoraConfig()).identity()["lora"]
    found = {fingerprint(FitConfig(lora=LoraConfig(last_layers=count)).identity()) for count in (None, 1, 2)}
    assert len(found) == 3


def test_an_adapter_of_another_make_is_trained_on(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    """Whatever it is on, where the settings do not say; and by what it is on, where they do."""
    path, above = tiny_model("llama"), {"layers_to_transform": [1], "target_modules": ["q_proj", "up_proj"]}
    build_adapter(tmp_path / "a", path, 0, exclude_modules=["down_proj"])
    build_adapter(tmp_path / "b", path, 0, **above)
    for name, last_layers in (("a", None), ("a", 2), ("b", None), ("b", 1)):
        model = load(ModelConfig(path=str(path)), CPU, tmp_path / name, merge=False)
        check_adapter(model, LoraConfig(rank=4, alpha=8, last_layers=last_layers), tmp_path / name)
    with pytest.raises(ModelError, match=r"layers \[1\] of 2, but the settings ask for the last 2"):
        check_adapter(model, LoraConfig(rank=4, alpha=8, last_layers=2), tmp_path / "b")


def test_nothing_left_to_adapt_is_told_with_its_reason(tiny_model: Callable[..., Path]) -> None:
    path, lora = str(tiny_model("llama")), LoraConfig(target_modules=("layers.0.mlp.up_proj",), last_layers=1)
    model = load(ModelConfig(path=path), CPU)
    with pytest.raises(ModelError, match=r"'layers.0.mlp.up_proj',\) on the last layers \(last_layers 1\)"):
        put_adapter(model, lora, path, 0)
