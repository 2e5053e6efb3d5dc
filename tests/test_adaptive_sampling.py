"""The benchmark of stopping early draws on the questions that a supervisor labels, hard ones among them."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from w2sg.tasks import build, task_config
from w2sg.tasks.splits import split


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the benchmark's module."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    return import_module("adaptive_sampling")


def test_what_is_drawn_are_transfer_questions_of_every_difficulty(benchmark: Any) -> None:
    task = build(task_config("world-maths"))
    roles = {row.example.id: row.role for row in split(task.load(), task.config.split).rows}
    examples = benchmark.labelled(task, 60)
    assert len({example.id for example in examples}) == 60
    assert {roles[example.id] for example in examples} == {"transfer"}
    of_each = Counter(example.difficulty for example in examples)
    assert sorted(of_each) == [1, 2, 3, 4, 5, 6]
    assert min(of_each.values()) >= 5


def test_more_questions_than_there_are_are_all(benchmark: Any) -> None:
    assert len(benchmark.labelled(build(task_config("world-maths")), 10_000)) == 400
