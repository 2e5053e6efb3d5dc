"""Calibrators by hand, at their edges, and as what they promise: a better calibrated confidence."""

from __future__ import annotations

import json
from math import exp, log
from pathlib import Path

import numpy as np
import pytest

from w2sg.errors import DataError, StoreError
from w2sg.metrics.calibration import Isotonic, Method, Sigmoid, fit_calibrator, read_calibrator
from w2sg.metrics.uncertainty import calibration

METHODS: list[Method] = ["isotonic", "platt", "temperature"]


def overconfident(n: int, seed: int) -> tuple[list[float], list[bool]]:
    """Confidences of sharpness 3 where 1 would be right: true logit = stated logit / 3."""
    generator = np.random.default_rng(seed)
    true = generator.uniform(0.3, 0.9, n)
    stated = 1 / (1 + np.exp(-3 * np.log(true / (1 - true))))
    return stated.tolist(), (generator.random(n) < true).tolist()


def test_isotonic_by_hand() -> None:
    """0.2 is right in 1 of 2, 0.4 in none of 1: pooled to 1/3, since the function must rise; 0.8 is right in 2 of 2."""
    found = fit_calibrator("isotonic", [0.2, 0.2, 0.4, 0.8, 0.8], [True, False, False, True, True])
    assert found.apply([0.2, 0.3, 0.4, 0.8]) == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1])
    assert found.apply([0.0, 0.6, 1.0]) == pytest.approx([1 / 3, (1 / 3 + 1) / 2, 1])
    assert found.n == 5


def test_platt_by_hand() -> None:
    """With two different confidences the two numbers fit both exactly. 3 right, 3 wrong: targets 4/5 and 1/5; 0.3 is
    right in 1 of 3, so it becomes (4/5 + 2/5) / 3 = 2/5, and 0.6, right in 2 of 3, becomes 3/5."""
    found = fit_calibrator("platt", [0.3] * 3 + [0.6] * 3, [True, False, False, True, True, False])
    assert found.apply([0.3, 0.6]) == pytest.approx([0.4, 0.6], abs=1e-5)
    assert isinstance(found, Sigmoid)
    slope = (log(0.6 / 0.4) - log(0.4 / 0.6)) / (log(0.6 / 0.4) - log(0.3 / 0.7))
    assert found.slope == pytest.approx(slope, abs=1e-4)


def test_temperature_by_hand() -> None:
    """All state 0.8 (logit log 4); 2 of 3 are right: targets 3/4, 3/4 and 1/3 with mean 11/18, so the temperature is
    log 4 / logit(11/18)."""
    found = fit_calibrator("temperature", [0.8] * 3, [True, True, False])
    assert isinstance(found, Sigmoid)
    assert found.intercept == 0
    assert 1 / found.slope == pytest.approx(log(4) / log(11 / 7), rel=1e-4)
    assert found.apply([0.5, 0.8]) == pytest.approx([0.5, 11 / 18], abs=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_an_overconfident_teacher_is_mended_on_other_labels(method: Method) -> None:
    found = fit_calibrator(method, *overconfident(2000, 1))
    stated, correct = overconfident(4000, 2)
    before, after = calibration(stated, correct), calibration(found.apply(stated), correct)
    assert after.error < 0.5 * before.error
    assert after.brier < before.brier
    if isinstance(found, Sigmoid):
        assert found.slope == pytest.approx(1 / 3, abs=0.05)


@pytest.mark.parametrize("method", METHODS)
def test_no_map_turns_the_order_round(method: Method) -> None:
    stated, correct = overconfident(300, 3)
    misled = fit_calibrator(method, stated, [not right for right in correct])
    steps = misled.apply(np.linspace(0, 1, 50).tolist())
    assert steps == sorted(steps)
    if method == "platt":
        assert steps[0] == pytest.approx(1 - sum(correct) / 300, abs=0.01)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("right", [True, False])
def test_labels_of_one_class_only(method: Method, right: bool) -> None:
    found = fit_calibrator(method, [0.2, 0.5, 0.9], [right] * 3)
    low, high = found.apply([0.2, 0.9])
    assert 0 <= low <= high <= 1
    if method == "platt":
        assert (low, high) == pytest.approx((4 / 5, 4 / 5) if right else (1 / 5, 1 / 5), abs=1e-3)


@pytest.mark.parametrize("method", ["isotonic", "platt"])
def test_a_constant_confidence_becomes_the_share_of_right_labels(method: Method) -> None:
    correct = [True] * 30 + [False] * 10
    found = fit_calibrator(method, [0.6] * 40, correct)
    assert found.apply([0.6]) == pytest.approx([0.75], abs=0.02)


@pytest.mark.parametrize("method", METHODS)
def test_certainty_is_no_trouble(method: Method) -> None:
    found = fit_calibrator(method, [0.0, 1.0, 1.0, 0.0], [False, True, True, True])
    assert all(0 <= value <= 1 for value in found.apply([0.0, 0.5, 1.0]))
    assert found.apply([]) == []


@pytest.mark.parametrize("method", METHODS)
def test_a_saved_map_is_plain_json_and_maps_the_same(method: Method, tmp_path: Path) -> None:
    found = fit_calibrator(method, *overconfident(100, 4))
    found.save(tmp_path / "calibrator.json")
    assert json.loads((tmp_path / "calibrator.json").read_text())["n"] == 100
    again = read_calibrator(tmp_path / "calibrator.json")
    assert again == found
    assert again.apply([0.1, 0.77]) == found.apply([0.1, 0.77])


def test_what_is_no_saved_map_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        read_calibrator(tmp_path / "none.json")
    for text in ("[]", '{"kind": "forest"}', '{"kind": "sigmoid", "n": 3}'):
        (tmp_path / "odd.json").write_text(text)
        with pytest.raises(DataError):
            read_calibrator(tmp_path / "odd.json")


def test_maps_by_hand() -> None:
    assert Sigmoid(1, 2.0, -1.0).apply([0.5]) == pytest.approx([1 / (1 + exp(1))])
    assert Isotonic(1, (0.2, 0.6), (0.1, 0.5)).apply([0.4]) == pytest.approx([0.3])


def test_bad_input() -> None:
    with pytest.raises(DataError, match="0 confidences"):
        fit_calibrator("platt", [], [])
    with pytest.raises(DataError, match=r"is 1\.5"):
        fit_calibrator("isotonic", [1.5], [True])
    with pytest.raises(DataError, match=r"is -0\.5"):
        Sigmoid(1, 1.0, 0.0).apply([-0.5])
