"""Draws of tokens and texts: what is learnt, what is spared, with which chance."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from w2sg.ensemble.config import Draw, Unit
from w2sg.ensemble.distribution import normalised
from w2sg.ensemble.draws import draw


def random(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_weights_as_they_are_take_no_chance() -> None:
    weights = np.array([0.5, 1.5, 1.0])
    drawn = draw(weights, np.array([2, 1]), "weight", "tokens", random())
    assert drawn.weights.tolist() == [0.5, 1.5, 1.0]
    assert not drawn.spared.any()


def test_a_mask_says_where_counts_are_not_zero() -> None:
    weights, lengths = normalised(random(1).random(50)), np.full(10, 5)
    counts = draw(weights, lengths, "count", "tokens", random())
    mask = draw(weights, lengths, "mask", "tokens", random())
    assert counts.weights.sum() == 50
    assert mask.weights.tolist() == (counts.weights > 0).astype(float).tolist()
    assert counts.spared.tolist() == mask.spared.tolist() == (counts.weights == 0).tolist()


@pytest.mark.parametrize("how", ["mask", "count"])
def test_texts_are_drawn_whole(how: Draw) -> None:
    lengths = np.array([1, 4, 2, 3])
    drawn = draw(np.ones(10), lengths, how, "texts", random(3))
    first = np.cumsum(lengths) - lengths
    per_text = drawn.weights[first]
    assert drawn.weights.tolist() == np.repeat(per_text, lengths).tolist()
    assert how == "mask" or per_text.sum() == 4


def test_texts_have_equal_chances_under_equal_weights_however_long() -> None:
    lengths, stream = np.array([1, 9]), random(4)
    counts = sum(draw(np.ones(10), lengths, "count", "texts", stream).weights[[0, 1]] for _ in range(4000))
    assert counts / 8000 == pytest.approx([0.5, 0.5], abs=0.03)
    assert draw(np.ones(10), lengths, "count", "texts", stream).chances == pytest.approx([0.25] * 10)


@pytest.mark.parametrize("unit", ["tokens", "texts"])
def test_one_token_is_always_drawn(unit: Unit) -> None:
    drawn = draw(np.ones(1), np.ones(1, dtype=np.int64), "mask", unit, random())
    assert drawn.weights.tolist() == [1.0]
    assert not drawn.spared.any()


def test_counts_have_the_weights_as_their_mean_and_masks_take_part_as_they_should() -> None:
    """Chi-squared of how often each of 40 tokens took part in 3000 masks, against 1 - (1 - D)^n."""
    weights, lengths, rounds = normalised(random(5).random(40) + 0.1), np.full(8, 5), 3000
    stream = random(6)
    counts = np.array([draw(weights, lengths, "count", "tokens", stream).weights for _ in range(rounds)])
    assert counts.mean(0) == pytest.approx(weights, abs=5 * (weights.max() / rounds) ** 0.5)
    chance = 1 - (1 - weights / 40) ** 40
    assert chance == pytest.approx(1 - np.exp(-weights), abs=0.02)
    taken = (counts > 0).sum(0)
    assert draw(weights, lengths, "mask", "tokens", stream).chances == pytest.approx(1 - chance)
    statistic = ((taken - rounds * chance) ** 2 / (rounds * chance * (1 - chance))).sum()
    assert chi2.ppf(0.001, 40) < statistic < chi2.ppf(0.999, 40)
    assert (counts > 0).mean() == pytest.approx(0.6, abs=0.06)  # .632 where all weigh the same
