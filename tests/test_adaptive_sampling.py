"""The benchmark of stopping early draws on the questions that a supervisor labels, hard ones among them."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
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


@pytest.fixture
def least_samples(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the bound's function."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")
    return import_module("adaptive_bound").least_samples


def test_the_bound_by_hand(least_samples: Any) -> None:
    """Two samples alike: one tells all, and guessing without is wrong half the time, so that at an error of .01 a
    rule may guess two questions in a hundred."""
    assert least_samples([(2, 0)], 2, 0.0) == pytest.approx(0.5)
    assert 0.48 < least_samples([(2, 0)], 2, 0.01) <= 0.49
    # two of three: the first sample is the leader's with 2/3, the second decides only where both agree (1/3)
    assert least_samples([(2, 1)], 3, 0.0) == pytest.approx((2 + 2 / 3) / 3)
    # one question of two is a tie, which either answer meets, and after one sample the other's looks the same
    assert least_samples([(2, 0), (1, 1)], 2, 0.0) == pytest.approx(0.5)


def test_nothing_to_decide_needs_no_samples(least_samples: Any) -> None:
    assert least_samples([(2, 2)], 4, 0.0) == 0
    assert least_samples([(0, 0)], 4, 0.01) == 0  # no readable answer
    assert least_samples([(4, 0)], 4, 0.5) == pytest.approx(0)


def test_no_simple_rule_beats_the_bound(least_samples: Any) -> None:
    """Stopping at a lead of so many votes, in every order drawn at random, costs more than the bound at its error."""
    generator = np.random.default_rng(0)
    votes = [(12, 8), (15, 3), (20, 0), (11, 7)]
    for lead in (2, 3, 5):
        drawn, wrong = [], []
        for first, second in votes * 300:
            order = generator.permutation([1] * first + [-1] * second + [0] * (20 - first - second))
            ahead = order.cumsum()
            stop = int(np.argmax(np.append(np.abs(ahead[:-1]) >= lead, True)))
            drawn.append(stop + 1)
            wrong.append(ahead[stop] < 0)
        assert least_samples(votes, 20, float(np.mean(wrong))) < np.mean(drawn) / 20
