"""The figures of the labels' confidence: by hand, degenerate, and who shares a row."""

import pytest

from w2sg.metrics.uncertainty import calibration_intervals
from w2sg.records import ItemScore, LabelScore
from w2sg.report.arms import ArmResult
from w2sg.report.reliability import POINTS, reliability_rows, thinned

BEFORE = [(0.5, True), (0.5, False), (0.9, True), (0.9, False)]


def labels(stated, calibrated=None):
    """Labels from (stated confidence, right), with what calibration made of all of them, if anything."""
    return [
        LabelScore(f"q{n}", "a", right, confidence if calibrated is None else calibrated, calibrated and confidence)
        for n, (confidence, right) in enumerate(stated)
    ]


def arm(method, found, seed=0, below=()):
    return ArmResult("t", method, seed, [ItemScore("q", "", True, True, "a")], labels=found, below=below)


def rows(*arms):
    by_method = {}
    for one in arms:
        by_method.setdefault(one.method, []).append(one)
    return list(reliability_rows("t", by_method, resamples=200, seed=0))


def test_before_and_after_by_hand():
    """Stated: bars at 0.5 and 0.9, half right each, so 2/4 * 0.4 wrong. Calibrated to 0.5: nothing wrong."""
    before, after = rows(arm("alice", labels(BEFORE, calibrated=0.5)))
    assert (before.stage, after.stage, before.n, after.n) == ("stated", "calibrated", 4, 4)
    assert (before.accuracy, before.confidence, after.confidence) == (0.5, pytest.approx(0.7), 0.5)
    assert (before.error.value, after.error.value) == (pytest.approx(0.2), 0.0)
    assert (before.brier.value, after.brier.value) == (pytest.approx((0.25 + 0.25 + 0.01 + 0.81) / 4), 0.25)
    assert (before.auroc.value, after.auroc.value) == (0.5, 0.5)
    assert after.area.value == pytest.approx(0.5)  # one confidence for all: the share of wrong labels
    assert after.best_area == pytest.approx((0 + 0 + 1 / 3 + 2 / 4) / 4)
    assert [(point.coverage, point.risk) for point in before.curve] == [(0.5, 0.5), (1.0, 0.5)]
    assert [bar.n for bar in before.bins] == [2, 2]
    for row in (before, after):
        for one in (row.error, row.mass_error, row.brier, row.auroc, row.area):
            assert one.low <= one.value <= one.high


def test_without_calibration_there_is_one_row_and_without_confidence_none():
    (row,) = rows(arm("vote", labels(BEFORE)), arm("greedy", labels([(None, True)])), arm("untuned", ()))
    assert (row.used_by, row.stage) == (("vote",), "stated")


def test_labels_that_are_all_right_have_no_auroc_and_no_risk():
    (row,) = rows(arm("vote", labels([(0.8, True), (0.9, True)])))
    assert row.auroc is None
    assert (row.area.value, row.best_area) == (0.0, 0.0)


def test_who_learnt_from_the_same_labels_shares_a_row():
    same, other = labels(BEFORE), labels(BEFORE[::-1])
    found = rows(arm("a", same), arm("b", list(same)), arm("c", other), arm("c", same, seed=1))
    assert [(row.used_by, row.n, row.seeds) for row in found] == [(("a", "b"), 4, 1), (("c",), 8, 2)]


def test_every_rung_has_its_row():
    low, high = labels(BEFORE), labels(BEFORE[:2])
    found = rows(arm("cascade", high, below=(arm("cascade (rung 1 of 2)", low),)))
    assert [(row.used_by, row.n) for row in found] == [
        (("cascade (rung 1 of 2)",), 4),
        (("cascade (rung 2 of 2)",), 2),
    ]


def test_the_same_question_under_two_seeds_is_drawn_together():
    (row,) = rows(arm("a", labels(BEFORE)), arm("a", labels(BEFORE), seed=1))
    stated, right = [c for c, _ in BEFORE] * 2, [r for _, r in BEFORE] * 2
    items = [f"q{n}" for n in range(4)] * 2
    expected = calibration_intervals(stated, right, items=items, resamples=200)["brier"]
    assert (row.brier.low, row.brier.high) == (expected.low, expected.high)


def test_long_curves_are_thinned_and_keep_their_end():
    shares = [(n + 1) / 1000 for n in range(1000)]
    kept = list(thinned(shares, [share / 2 for share in shares]))
    assert len(kept) == POINTS
    assert (kept[-1].coverage, kept[-1].risk) == (1.0, 0.5)
    assert len(list(thinned([0.25, 0.5, 1.0], [0, 0, 0.5]))) == 3
    assert len(list(thinned([1.0], [0.5]))) == 1
