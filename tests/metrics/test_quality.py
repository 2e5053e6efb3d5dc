import pytest

from w2sg.errors import DataError
from w2sg.metrics.quality import commonest, inheritance, quality, wilson
from w2sg.records import ItemScore


def score(id, correct, answer="x", parsed=True):
    return ItemScore(id, "id", correct, parsed, answer if parsed else None)


def test_unparsed_answers_stay_in_the_denominator():
    found = quality([score("a", True), score("b", False), score("c", False, parsed=False), score("d", True)])
    assert (found.n, found.correct, found.unparsed) == (4, 2, 1)
    assert (found.accuracy, found.unparsed_share) == (0.5, 0.25)
    assert (found.low, found.high) == pytest.approx((0.15004, 0.84996), abs=1e-4)


def test_wilson_by_hand():
    """9 of 10: centre (0.9 + z²/20) / (1 + z²/10), half-width z sqrt(.009 + z²/400) / (1 + z²/10)."""
    assert wilson(9, 10) == pytest.approx((0.59585, 0.98212), abs=1e-4)
    assert wilson(0, 10)[0] == 0.0


def test_nothing_to_count():
    with pytest.raises(DataError, match="no scores"):
        quality([])
    with pytest.raises(DataError, match="twice"):
        quality([score("a", True), score("a", True)])


def test_inheritance_by_hand():
    teacher = [score("a", False, "1"), score("b", False, "2"), score("c", True, "3"), score("d", True, "4")]
    student = [score("d", True, "4"), score("c", False, "9"), score("b", True, "8"), score("a", False, "1")]
    found = inheritance(student, teacher)
    assert (found.n, found.agreement, found.teacher_wrong) == (4, 0.5, 2)
    assert (found.inherited, found.corrected, found.broken) == (0.5, 0.5, 0.5)


def test_two_unparsed_answers_do_not_agree():
    found = inheritance([score("a", False, parsed=False)], [score("a", False, parsed=False)])
    assert (found.agreement, found.inherited) == (0.0, 0.0)
    assert found.broken is None


def test_inheritance_needs_the_same_items():
    with pytest.raises(DataError, match="1 scores and the teacher 2"):
        inheritance([score("a", True)], [score("a", True), score("b", True)])
    with pytest.raises(DataError, match="No teacher's score"):
        inheritance([score("a", True)], [score("b", True)])


def test_commonest():
    assert commonest(["yes", "yes", "no", None]) == ("yes", 0.5)
    assert commonest([None]) is None
    assert commonest([]) is None
