"""Look-alikes: found when most word triples are shared, verified by the true similarity, independent of the machine."""

from __future__ import annotations

import pytest

from w2sg.records import ROLES, Example
from w2sg.tasks.duplicates import LookAlikes, exact_key, jaccard, shingles


def test_shingles_by_hand() -> None:
    assert len(shingles(Example("a", "one two three four"))) == 2
    assert shingles(Example("a", "One  TWO three")) == shingles(Example("b", "one two three"))
    assert len(shingles(Example("a", "one"))) == 1
    assert jaccard(frozenset({1, 2, 3}), frozenset({2, 3, 4})) == pytest.approx(0.5)
    assert jaccard(frozenset(), frozenset()) == 1.0


def test_exact_key_ignores_case_space_and_order_of_options() -> None:
    assert exact_key(Example("a", "Which  ONE?", ("x", "y"))) == exact_key(Example("b", "which one?", ("Y", "x")))
    assert exact_key(Example("a", "5 + 3")) != exact_key(Example("a", "5 - 3"))
    assert exact_key(Example("a", "x", ("y",))) != exact_key(Example("a", "x y"))


def test_finds_only_true_look_alikes_of_the_asked_roles() -> None:
    words = [f"word{number}" for number in range(40)]
    table = LookAlikes()
    assert table.find(Example("q", "anything"), ROLES) is None
    table.add(Example("a", " ".join(words)), "test")
    changed = Example("b", " ".join([*words[:-1], "other"]))
    like = table.find(changed, ("test",))
    assert like is not None
    assert (like.id, like.role) == ("a", "test")
    assert like.similarity == pytest.approx(37 / 39)  # 38 triples each, 37 shared
    assert table.find(changed, ("supervise",)) is None
    half = Example("c", " ".join([*words[:20], *(f"new{number}" for number in range(20))]))
    assert table.find(half, ROLES) is None
