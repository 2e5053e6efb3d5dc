import pytest
from sklearn.metrics import brier_score_loss

from w2sg.errors import DataError
from w2sg.metrics.uncertainty import calibration, reliability


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
