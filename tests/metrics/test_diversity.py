"""Correlation of errors: worked by hand, against numpy's, and where nothing varies."""

import numpy as np
import pytest

from w2sg.metrics.diversity import phi


def bits(marks):
    return np.array([mark == "1" for mark in marks], dtype=np.bool_)


@pytest.mark.parametrize(
    ("first", "second", "value"),
    [
        ("1100", "1010", 0.0),  # as often together as by chance: 4 * 1 - 2 * 2
        ("1100", "1000", 2 / 12**0.5),  # (4 * 1 - 2 * 1) / sqrt(2 * 2 * 1 * 3)
        ("1100", "1100", 1.0),
        ("1100", "0011", -1.0),
    ],
)
def test_by_hand(first, second, value):
    assert phi(bits(first), bits(second)) == pytest.approx(value)
    assert phi(bits(second), bits(first)) == pytest.approx(value)


@pytest.mark.parametrize("constant", ["0000", "1111"])
def test_a_model_that_errs_nowhere_or_everywhere_has_no_correlation(constant):
    assert phi(bits(constant), bits("1100")) is None
    assert phi(bits("1100"), bits(constant)) is None
    assert phi(bits(""), bits("")) is None


def test_it_is_pearsons():
    random = np.random.default_rng(0)
    first = random.random(500) < 0.3
    second = first ^ (random.random(500) < 0.2)
    assert phi(first, second) == pytest.approx(np.corrcoef(first, second)[0, 1])


def test_rows_of_different_length():
    with pytest.raises(ValueError, match="cannot be compared"):
        phi(bits("10"), bits("1"))
