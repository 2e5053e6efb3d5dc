from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score

from w2sg.errors import DataError
from w2sg.metrics.uncertainty import (
    auroc,
    calibration,
    calibration_intervals,
    entropy,
    reliability,
    risk_coverage,
)


def test_by_hand():
    """Bars (0.4, 0.5]: 0.5 stated, 1/2 right; (0.8, 0.9]: 0.9 stated, 1/2 right: error 2/4 * 0.4."""
    found = calibration([0.5, 0.5, 0.9, 0.9], [True, False, True, False])
    assert found.error == pytest.approx(0.2)
    assert found.brier == pytest.approx((0.25 + 0.25 + 0.01 + 0.81) / 4)
    assert found.brier == pytest.approx(brier_score_loss([1, 0, 1, 0], [0.5, 0.5, 0.9, 0.9]))
    assert found.auroc == 0.5
    assert [bar.n for bar in found.bins] == [2, 2]


def test_perfect_confidence():
    found = calibration([1.0, 1.0, 0.0], [True, True, False])
    assert (found.error, found.brier, found.auroc) == (0.0, 0.0, 1.0)


def test_edges_of_the_bars():
    bars = reliability([0.0, 0.1, 0.1000001, 1.0], [True] * 4)
    assert [(bar.low, bar.n) for bar in bars] == [(0.0, 2), (0.1, 1), (0.9, 1)]


def test_all_right_has_no_auroc():
    assert calibration([0.2, 0.8], [True, True]).auroc is None


@pytest.mark.parametrize(
    ("confidence", "correct", "says"),
    [
        ([], [], "0 confidences"),
        ([0.5], [], "1 confidences and 0"),
        ([1.5], [True], r"is 1\.5"),
        ([float("nan")], [True], "nan"),
    ],
)
def test_bad_input(confidence, correct, says):
    with pytest.raises(DataError, match=says):
        calibration(confidence, correct)


def naive(confidence, correct, bins=10):
    """The measures written plainly: a bar at a time, a pair at a time, an order of equals at a time."""
    stated, right = np.array(confidence), np.array(correct, dtype=float)
    error = 0.0
    for number in range(bins):
        inside = (stated > number / bins) & (stated <= (number + 1) / bins) | ((number == 0) & (stated == 0))
        if inside.any():
            error += inside.sum() * abs(right[inside].mean() - stated[inside].mean()) / len(stated)
    generator = np.random.default_rng(0)
    areas = []
    for _ in range(3000):
        shuffled = generator.permutation(len(stated))
        order = shuffled[np.argsort(-stated[shuffled], kind="stable")]
        areas.append(np.mean(np.cumsum(1 - right[order]) / np.arange(1, len(stated) + 1)))
    ranked = roc_auc_score(right, stated) if 0 < right.sum() < len(right) else None
    return error, float(np.mean((stated - right) ** 2)), ranked, float(np.mean(areas))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=30))
def test_measures_are_those_written_plainly(labels):
    confidence, correct = [stated / 20 for stated, _ in labels], [right for _, right in labels]
    found = calibration(confidence, correct)
    error, brier, ranked, area = naive(confidence, correct)
    assert found.error == pytest.approx(error)
    assert found.brier == pytest.approx(brier)
    assert found.auroc == (None if ranked is None else pytest.approx(ranked))
    assert found.area == pytest.approx(area, abs=0.03)
    assert found.area == risk_coverage(confidence, correct).area


def test_bars_of_equal_mass_by_hand():
    """Two bars of two: (0, 0.2] states 0.15 and is half right, (0.2, 1] states 0.85 and is all right."""
    bars = reliability([0.1, 0.8, 0.2, 0.9], [False, True, True, True], bins=2, by="mass")
    assert [(bar.low, bar.high, bar.n, bar.accuracy) for bar in bars] == [(0.0, 0.2, 2, 0.5), (0.2, 1.0, 2, 1.0)]
    assert [bar.confidence for bar in bars] == pytest.approx([0.15, 0.85])
    found = calibration([0.1, 0.8, 0.2, 0.9], [False, True, True, True], bins=2)
    assert found.mass_error == pytest.approx((2 * 0.35 + 2 * 0.15) / 4)


def test_bars_of_equal_mass_keep_equal_confidences_together():
    bars = reliability([0.3, 0.5, 0.5, 0.5, 0.5, 0.9], [True] * 6, bins=3, by="mass")
    assert [(bar.high, bar.n) for bar in bars] == [(0.5, 5), (1.0, 1)]


def test_constant_confidence_is_one_bar_and_tells_nothing():
    confidence, correct = [0.7] * 4, [True, False, True, True]
    for by in ("width", "mass"):
        (bar,) = reliability(confidence, correct, by=by)
        assert (bar.n, bar.accuracy) == (4, 0.75)
    found = calibration(confidence, correct)
    assert (found.auroc, found.area) == (0.5, pytest.approx(0.25))
    assert found.error == found.mass_error == pytest.approx(0.05)
    curve = risk_coverage(confidence, correct)
    assert (curve.coverage, curve.risk) == ((1.0,), (0.25,))


def test_risk_and_coverage_by_hand():
    """Kept one by one: 0/1, 1/2, 1/3, 2/4 wrong; in the best order 0/1, 0/2, 1/3, 2/4."""
    curve = risk_coverage([0.9, 0.8, 0.7, 0.6], [True, False, True, False])
    assert curve.coverage == (0.25, 0.5, 0.75, 1.0)
    assert curve.risk == pytest.approx((0, 1 / 2, 1 / 3, 1 / 2))
    assert curve.area == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert curve.best_area == pytest.approx((0 + 0 + 1 / 3 + 1 / 2) / 4)


def test_risk_and_coverage_of_equals_by_hand():
    """Two equals, one wrong, in either order: risks 0/1, 1/2 or 1/1, 1/2."""
    curve = risk_coverage([0.5, 0.5], [True, False])
    assert curve.area == pytest.approx(((0 + 1 / 2) / 2 + (1 + 1 / 2) / 2) / 2)


@pytest.mark.parametrize(("correct", "area"), [([True, True], 0.0), ([False, False], 1.0)])
def test_risk_of_one_class_only(correct, area):
    curve = risk_coverage([0.2, 0.9], correct)
    assert curve.area == curve.best_area == area


def test_auroc_of_uncertainty_by_hand():
    """Wrong 1.2 and 0.4 against right 0.4 and 0: above both, equal to one and above the other."""
    assert auroc([1.2, 0.4, 0.4, 0.0], [True, True, False, False]) == pytest.approx((2 + 0.5 + 1) / 4)
    assert auroc([1.2, 0.4], [True, True]) is None
    with pytest.raises(DataError, match="inf"):
        auroc([float("inf"), 0.1], [True, False])


def test_entropy_by_hand():
    assert entropy([2, 1, 1]) == pytest.approx(0.5 * log(2) + 0.5 * log(4))
    assert entropy([5, 5, 5]) == pytest.approx(log(3))
    assert (entropy([7]), entropy([7, 0]), entropy([]), entropy([0])) == (0.0, 0.0, None, None)
    with pytest.raises(DataError, match="-1"):
        entropy([3, -1])


def world(n, seed):
    """Confidences that are as right as they say, off by 0.1."""
    generator = np.random.default_rng(seed)
    stated = generator.uniform(0.1, 1, n)
    return stated.tolist(), (generator.random(n) < stated - 0.1).tolist()


def test_intervals_are_those_of_resampling_item_by_item():
    """The naive version: draw items, measure the drawn labels anew; bars of equal width, so that they stay."""
    confidence, correct = world(80, 1)
    found = calibration_intervals(confidence, correct, resamples=2000)
    generator = np.random.default_rng(5)
    drawn = []
    for _ in range(1000):
        picks = generator.integers(0, 80, 80)
        again = calibration([confidence[pick] for pick in picks], [correct[pick] for pick in picks])
        drawn.append((again.error, again.brier, again.auroc, again.area))
    for name, column in zip(("error", "brier", "auroc", "area"), np.array(drawn).T, strict=True):
        low, high = np.quantile(column - column.mean(), (0.025, 0.975))
        width = high - low
        assert found[name].value == getattr(calibration(confidence, correct), name)
        assert found[name].low == pytest.approx(max(0, found[name].value + low), abs=0.15 * width)
        assert found[name].high == pytest.approx(found[name].value + high, abs=0.15 * width)


def test_intervals_cover_what_holds_for_all_labels():
    """Of 60 samples of 200, about 57 intervals should hold the value of a very large sample; 51 or fewer happens by
    chance in 1 of 100 cases."""
    truth = calibration(*world(200_000, 99))
    held = {"brier": 0, "auroc": 0, "area": 0}
    for seed in range(60):
        found = calibration_intervals(*world(200, seed), resamples=400)
        for name in held:
            held[name] += found[name].low <= getattr(truth, name) <= found[name].high
    assert min(held.values()) > 51, held


def test_labels_of_one_item_are_drawn_together():
    """Each label four times over is no more evidence than once."""
    confidence, correct = world(60, 3)
    once = calibration_intervals(confidence, correct)
    items = [str(n) for n in range(60)] * 4
    four = calibration_intervals(confidence * 4, correct * 4, items=items)
    apart = calibration_intervals(confidence * 4, correct * 4)
    width = {
        name: found["brier"].high - found["brier"].low
        for name, found in {"once": once, "four": four, "apart": apart}.items()
    }
    assert width["four"] == pytest.approx(width["once"], rel=0.15)
    assert width["apart"] < 0.65 * width["once"]


def test_intervals_of_one_class_and_of_one_label():
    found = calibration_intervals([0.5, 0.9], [True, True])
    assert found["auroc"] is None
    assert (found["area"].low, found["area"].high) == (0.0, 0.0)
    alone = calibration_intervals([0.5], [False])
    assert (alone["brier"].low, alone["brier"].value, alone["brier"].high) == (0.25, 0.25, 0.25)


def test_intervals_need_an_item_for_each_label():
    with pytest.raises(DataError, match="1 items and 2 labels"):
        calibration_intervals([0.5, 0.5], [True, False], items=["a"])
