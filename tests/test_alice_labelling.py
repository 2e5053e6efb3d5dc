"""The benchmark's plain twin of Alice's labelling: it groups as w2sg does, and embeds as often as the published one."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from w2sg.elicit.clusters_embedding import leader_groups, similarities


@pytest.fixture
def leaders(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the benchmark's clustering."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    return import_module("alice_labelling").leaders


def test_every_leader_has_what_is_free_embedded_anew(leaders: Any) -> None:
    """Three directions: a and its like, b, c. Five texts are embedded for a, then two for b, then one for c."""
    angles = {"a": 0.0, "a too": 0.1, "b": 1.5, "c": 3.0}
    embedded: list[int] = []

    def encode(texts: Sequence[str]) -> Any:
        embedded.append(len(texts))
        return np.array([[np.cos(angles[text]), np.sin(angles[text])] for text in texts])

    texts = ["a", "b", "a too", "c", "a"]
    assert leaders(texts, encode, 0.9) == [(0, 2, 4), (1,), (3,)]
    assert embedded == [5, 2, 1]
    assert leader_groups(similarities(texts, encode), 0.9) == [(0, 2, 4), (1,), (3,)]


def test_no_texts_are_no_groups(leaders: Any) -> None:
    assert leaders([], lambda texts: np.zeros((0, 2)), 0.9) == []


def test_random_vectors_are_grouped_alike(leaders: Any) -> None:
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(60, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    texts = [str(number) for number in range(60)]

    def encode(given: Sequence[str]) -> Any:
        return vectors[[int(text) for text in given]]

    assert leaders(texts, encode, 0.7) == leader_groups(similarities(texts, encode), 0.7)
