"""What a rewriting student made of what it was shown, counted by hand."""

from __future__ import annotations

import pytest

from w2sg.errors import DataError
from w2sg.metrics.rewrites import choice, rewrites
from w2sg.records import RewriteScore


def score(
    id: str, shown: str | None, own: str | None, learnt: str | None, *, gold: str = "1", confidence: float | None = 0.5
) -> RewriteScore:
    return RewriteScore(
        id, shown, own, learnt, shown == gold, own == gold, learnt == gold,
        taught=learnt != "left out", bypassed=id == "copied", confidence=confidence,
    )  # fmt: skip


SCORES = [
    score("agreed", "1", "1", "1", confidence=1.0),
    score("agreed wrongly", "2", "2", "2", confidence=0.0),
    score("kept", "2", "1", "1", confidence=0.2),
    score("kept wrongly", "1", "3", "3", confidence=0.5),
    score("adopted", "1", "2", "1", confidence=0.9),
    score("adopted wrongly", "2", None, "2", confidence=0.9),
    score("new", "2", "3", "1", confidence=0.9),
    score("unread", "2", "1", None, confidence=None),
    score("copied", "1", None, "1", confidence=1.0),
    score("gone", "1", "1", "left out"),
]


def test_every_choice_by_hand() -> None:
    names = [choice(one) for one in SCORES[:9]]
    assert names == ["agreed", "agreed", "kept", "kept", "adopted", "adopted", "new", "new", "adopted"]


def test_counts_by_hand() -> None:
    found = rewrites(SCORES)
    assert (found.n, found.taught, found.bypassed) == (10, 9, 1)
    assert found.shown == pytest.approx(4 / 9)
    assert found.own == pytest.approx(3 / 9)
    assert found.learnt == pytest.approx(5 / 9)
    assert [(flip.choice, flip.right, flip.wrong, flip.own_right, flip.shown_right) for flip in found.flips] == [
        ("agreed", 1, 1, 1, 1),
        ("kept", 1, 1, 1, 1),
        ("adopted", 2, 1, 0, 2),
        ("new", 1, 1, 1, 0),
    ]
    assert found.inherited == pytest.approx(2 / 5)
    assert found.corrected == pytest.approx(2 / 5)
    assert found.broken == pytest.approx(1 / 4)
    assert [(one.low, one.high, one.n) for one in found.bins] == [(0.0, 0.2, 2), (0.4, 0.6, 1), (0.8, 1.0, 5)]
    assert (found.bins[0].shown, found.bins[0].own, found.bins[0].learnt) == (0.0, 0.5, 0.5)


def test_shares_of_nothing_are_none() -> None:
    found = rewrites([score("gone", "1", "1", "left out")])
    assert (found.taught, found.shown, found.learnt, found.inherited, found.broken) == (0, None, None, None, None)
    assert found.bins == ()
    with pytest.raises(DataError, match="no scores of rewrites"):
        rewrites([])


def test_an_id_counts_once() -> None:
    with pytest.raises(DataError, match="twice"):
        rewrites([SCORES[0], SCORES[0]])
