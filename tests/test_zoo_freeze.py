"""World, corpus, tokenizers and weights are those that every published figure was measured on."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from w2sg.storage import read_json


@pytest.fixture
def freeze(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "scripts")
    return import_module("zoo_freeze")


def test_everything_is_as_it_was_frozen(freeze: ModuleType) -> None:
    assert freeze.differences(read_json(freeze.FROZEN), freeze.now()) == []


def test_a_difference_is_told_with_its_place(freeze: ModuleType) -> None:
    frozen = {"a": {"b": 1, "c": 2}, "d": 3}
    assert freeze.differences(frozen, {"a": {"b": 1, "c": 4}, "e": 3}) == [
        "a/c: frozen 2, now 4",
        "d: frozen 3, now None",
        "e: frozen None, now 3",
    ]


def test_another_question_or_document_is_another_hash(freeze: ModuleType) -> None:
    assert freeze.digest([["a", 1]]) != freeze.digest([["a", 2]])
    assert freeze.digest([["a"], ["b"]]) != freeze.digest([["b"], ["a"]])
