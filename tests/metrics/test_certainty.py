"""How sure a model is of its own text: worked by hand."""

from __future__ import annotations

import math
from statistics import StatisticsError

import pytest

from w2sg.metrics.certainty import certainty


def test_by_hand() -> None:
    logs, dissents = [math.log(0.5), math.log(0.125), 0.0], [0.0, 0.6, 0.3]
    assert certainty(logs, dissents, "likelihood") == pytest.approx((0.5 * 0.125) ** (1 / 3))
    assert certainty(logs, dissents, "agreement") == pytest.approx(0.7)


def test_sure_of_everything_and_of_nothing() -> None:
    assert certainty([0.0, 1e-9], [0.0, 0.0], "likelihood") == 1.0
    assert certainty([-math.inf, 0.0], [0.0, 0.0], "likelihood") == 0.0
    assert certainty([0.0], [1.0], "agreement") == 0.0
    with pytest.raises(StatisticsError):
        certainty([], [], "likelihood")
