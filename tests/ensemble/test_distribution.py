"""Weights on answer tokens, worked by hand: equal, smoothed, capped, how uneven."""

from __future__ import annotations

import numpy as np
import pytest

from w2sg.ensemble.distribution import (
    capped,
    effective_size,
    equal_weights,
    heaviest_share,
    normalised,
    windowed,
)
from w2sg.errors import DataError


def test_equal_weights_are_exactly_one_and_there_must_be_a_token() -> None:
    assert equal_weights(49).tolist() == [1.0] * 49
    with pytest.raises(DataError, match="no answer token"):
        equal_weights(0)


def test_normalised_keeps_proportions() -> None:
    assert normalised(np.array([1.0, 3.0])).tolist() == [0.5, 1.5]
    assert normalised(np.array([7.0])).tolist() == [1.0]


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (1, [3.0, 0.0, 0.0, 1.0, 1.0]),
        (2, [3.0, 1.5, 0.0, 1.0, 1.0]),  # a token and the one before it
        (3, [1.5, 1.0, 0.0, 1.0, 1.0]),
        (0, [1.0, 1.0, 1.0, 1.0, 1.0]),
        (99, [1.0, 1.0, 1.0, 1.0, 1.0]),
    ],
)
def test_windows_end_where_texts_end(window: int, expected: list[float]) -> None:
    """Texts of three and of two tokens. The means are over what lies in the window, then all are normalised."""
    smooth = windowed(np.array([3.0, 0.0, 0.0, 1.0, 1.0]), np.array([3, 2]), window)
    assert smooth == pytest.approx(normalised(np.array(expected)))
    assert smooth.mean() == pytest.approx(1)


@pytest.mark.parametrize("window", range(7))
def test_windows_equal_the_naive_loop(window: int) -> None:
    random = np.random.default_rng(0)
    lengths = random.integers(1, 9, size=20)
    weights = normalised(random.random(int(lengths.sum())))
    naive, start = [], 0
    for length in lengths:
        own = weights[start : start + length]
        for place in range(length):
            before, after = (window // 2, (window - 1) // 2) if window else (length, length)
            naive.append(own[max(0, place - before) : place + after + 1].mean())
        start += length
    assert windowed(weights, lengths, window) == pytest.approx(normalised(np.array(naive)))


def test_a_cap_passes_the_surplus_on_in_proportion() -> None:
    """Of 4, 1, 2, 1 (sum 8, n = 4, so mean 2) the first is held at 1.5; the rest share the other 2.5 as 1 : 2 : 1."""
    result = capped(np.array([4.0, 1.0, 2.0, 1.0]), 1.5)
    assert result == pytest.approx([1.5, 0.625, 1.25, 0.625])


def test_a_cap_may_hold_several_and_the_least_one_makes_all_equal() -> None:
    """5, 4, 1 under a cap of 1.2: the first is held, then the second would get 1.44, so both are."""
    assert capped(np.array([5.0, 4.0, 1.0]), 1.2) == pytest.approx([1.2, 1.2, 0.6])
    assert capped(np.array([5.0, 4.0, 1.0]), 1.0) == pytest.approx([1.0, 1.0, 1.0])
    assert capped(np.array([2.0, 0.0]), 1.5) == pytest.approx([1.0, 1.0])
    with pytest.raises(ValueError, match="cannot all be at most"):
        capped(np.array([2.0, 0.0]), 0.5)


@pytest.mark.parametrize("largest", [1.0, 1.01, 1.5, 3.0, 50.0])
def test_a_cap_equals_repeated_clipping(largest: float) -> None:
    weights = normalised(np.random.default_rng(1).pareto(1.0, 200) + 1e-3)
    naive = weights
    for _ in range(10_000):
        naive = normalised(np.minimum(naive, largest))
    result = capped(weights, largest)
    assert result == pytest.approx(naive, rel=1e-6)
    assert result.max() <= largest * (1 + 1e-12)
    assert result.mean() == pytest.approx(1)


def test_effective_size_and_the_heaviest_percent() -> None:
    assert effective_size(np.ones(10)) == 10
    assert effective_size(np.array([3.0, 1.0])) == pytest.approx(16 / 10)
    assert effective_size(np.array([5.0, 0.0, 0.0])) == 1
    assert heaviest_share(np.ones(10)) == pytest.approx(0.1)  # one token at least
    assert heaviest_share(np.array([*[1.0] * 198, 51.0, 51.0])) == pytest.approx(102 / 300)
