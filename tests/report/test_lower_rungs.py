"""Cascades whose last student is not their best."""

import pytest

from w2sg.report.lower_rungs import lower_rungs
from w2sg.report.schema import Measured, RungAccuracy, RungRow


def rung(number, of, value, gain=None, kind="rung"):
    measured = None if gain is None else Measured(value=(gain[0] + gain[1]) / 2, low=gain[0], high=gain[1])
    on = RungAccuracy(stratum="ood", accuracy=value, low=0, high=1, n=100, gain=measured)
    return RungRow(task="world-maths", method="imitation", kind=kind, rung=number, of=of, student=f"model-{number}",
                   seeds=3, unparsed_share=0, accuracies=(on,), labels=0, labels_right=None)  # fmt: skip


def said(results, *rungs):
    return [note.text for note in lower_rungs(results.model_copy(update={"rungs": rungs}))]


def test_a_first_rung_that_is_shown_to_be_better(results):
    assert said(results, rung(1, 3, 0.60), rung(2, 3, 0.65, (0.01, 0.09)), rung(3, 3, 0.55, (-0.09, -0.01))) == [
        "Of imitation the student of rung 1 of 3 (model-1) is better on the ood items than the last one: 60.0% to "
        "55.0%, +5.0 points (+1.0 to +9.0). The last one is what is compared: look at the lower one before you "
        "use it."
    ]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ((0.60, 0.50, 0.58), "rung 1 of 3 (model-1) is better by value on the ood items than the last one: 60.0% to "
                             "58.0%, +2.0 points (−1.0 to +5.0)."),
        ((0.50, 0.60, 0.58), "rung 2 of 3 (model-2) is better by value on the ood items than the last one: 60.0% to "
                             "58.0%. The last"),
    ],
)  # fmt: skip
def test_a_lower_rung_that_is_better_by_value(results, values, words):
    first, second, last = values
    found = said(results, rung(1, 3, first), rung(2, 3, second, (-0.1, 0.1)), rung(3, 3, last, (-0.05, 0.01)))
    assert len(found) == 1
    assert words in found[0]


def test_nothing_is_said_of_a_last_rung_that_is_best_nor_of_ensembles(results):
    assert said(results, rung(1, 2, 0.5), rung(2, 2, 0.5, (-0.1, 0.1))) == []
    assert said(results, rung(1, 2, 0.6, kind="prefix"), rung(2, 2, 0.5, (-0.2, -0.1), kind="prefix")) == []
    assert said(results) == []
