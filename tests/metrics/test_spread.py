"""How far accuracy differs between sets of items, and how often seeds disagree."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from w2sg.errors import DataError
from w2sg.metrics.spread import between, disagreement
from w2sg.metrics.verdict import Estimate


def test_the_difference_between_sets_of_items_by_hand() -> None:
    first, second = Estimate(0.6, 0.5, 0.68, "b"), Estimate(0.3, 0.26, 0.36, "b")
    found = between(first, second)
    assert found.value == pytest.approx(0.3)
    assert found.low == pytest.approx(0.3 - sqrt(0.1**2 + 0.06**2))
    assert found.high == pytest.approx(0.3 + sqrt(0.08**2 + 0.04**2))


def test_a_difference_stays_a_difference_of_shares() -> None:
    found = between(Estimate(1.0, 0.4, 1.0, "b"), Estimate(0.0, 0.0, 0.6, "b"))
    assert (found.value, found.high) == (1.0, 1.0)
    assert -1.0 <= found.low < 1.0


def test_disagreement_by_hand() -> None:
    """Of the three pairs, two differ on one question in two, and one on none."""
    answers = {0: {"p": "1", "q": "2"}, 1: {"q": "2", "p": "1"}, 2: {"p": "3", "q": "2"}}
    found = disagreement(answers, resamples=500)
    assert found.value == pytest.approx((0.0 + 0.5 + 0.5) / 3)
    assert found.low <= found.value <= found.high
    assert found.basis == "seeds: 3, interval over seeds and items"


@pytest.mark.parametrize(("second", "share"), [("same", 0.0), ("other", 1.0), (None, 1.0)])
def test_seeds_that_always_or_never_agree_leave_an_interval(second: str | None, share: float) -> None:
    answers = {0: dict.fromkeys(map(str, range(50)), "same"), 1: dict.fromkeys(map(str, range(50)), second)}
    found = disagreement(answers, resamples=200)
    assert found.value == share
    assert 0.05 < found.high - found.low < 0.1
    assert found.basis == "seeds: 2, interval over items only"


def test_two_unread_answers_do_not_differ() -> None:
    assert disagreement({0: {"p": None}, 1: {"p": None}}, resamples=200).value == 0.0


def test_one_seed_cannot_disagree_and_questions_must_be_the_same() -> None:
    with pytest.raises(DataError, match="two seeds"):
        disagreement({3: {"p": "1"}})
    with pytest.raises(DataError, match="seed 1"):
        disagreement({0: {"p": "1"}, 1: {"q": "1"}})


def test_the_interval_covers_what_it_promises() -> None:
    """Five seeds, each of its own carelessness: it errs on a share of its own of 300 questions, always in a way of
    its own, so that a pair differs where either errs."""
    generator = np.random.default_rng(5)
    rates = generator.uniform(0.05, 0.25, size=100_000)
    truth = 1 - np.mean(1 - rates) ** 2
    covered = 0
    for _ in range(200):
        shares = generator.uniform(0.05, 0.25, size=5)
        erred = generator.random((5, 300)) < shares[:, None]
        answers = {
            seed: {str(n): f"wrong {seed}" if erred[seed, n] else "right" for n in range(300)} for seed in range(5)
        }
        found = disagreement(answers, resamples=400)
        covered += found.low <= truth <= found.high
    assert covered >= 180
