"""When a vote is settled, by hand: the posterior of the leader, the rule of adaptive consistency, and their limits."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest

from w2sg.elicit.alice import Alice
from w2sg.elicit.clusters import cluster_by_answer
from w2sg.elicit.stopping import (
    STOPPINGS,
    Never,
    Posterior,
    Sequential,
    TopTwo,
    chance_ahead,
    chance_less_probable,
)
from w2sg.elicit.vote import Vote
from w2sg.errors import ConfigError
from w2sg.records import Example
from w2sg.tasks import build, task_config

TASK = build(task_config({"kind": "file", "labelled": "unread.jsonl", "grader": "numeric"}))
RULES: list[Sequential] = [Posterior(), TopTwo()]


def naive(leader: int, rival: int, rest: int, left: int, *, wins_ties: bool) -> Fraction:
    """Draw one after the other from an urn that holds one ball of each kind and one more for each sample of it."""
    if not left:
        return Fraction(rival > leader or (wins_ties and rival == leader))
    balls = leader + rival + rest + 3
    after = (
        (leader + 1, naive(leader + 1, rival, rest, left - 1, wins_ties=wins_ties)),
        (rival + 1, naive(leader, rival + 1, rest, left - 1, wins_ties=wins_ties)),
        (rest + 1, naive(leader, rival, rest + 1, left - 1, wins_ties=wins_ties)),
    )
    return sum((Fraction(count, balls) * chance for count, chance in after), Fraction(0))


def test_the_chance_that_a_rival_ends_ahead_by_hand() -> None:
    """One vote to none, two samples left: both must be the rival's, drawn from 2 + 1 + 1 balls: 1/4 * 2/5."""
    assert chance_ahead(1, 0, 0, 2, wins_ties=False) == pytest.approx(0.1)
    # a tie of one to one, one sample left: the rival's, of 2 + 2 + 1 balls; with ties won, all but the leader's
    assert chance_ahead(1, 1, 0, 1, wins_ties=False) == pytest.approx(0.4)
    assert chance_ahead(1, 1, 0, 1, wins_ties=True) == pytest.approx(0.6)


def test_the_chance_equals_drawing_one_after_the_other() -> None:
    for leader, rival, rest, left, wins in product((1, 3), (0, 1, 3), (0, 2), (0, 1, 4, 6), (False, True)):
        if rival <= leader:
            expected = float(naive(leader, rival, rest, left, wins_ties=wins))
            assert chance_ahead(leader, rival, rest, left, wins_ties=wins) == pytest.approx(expected, abs=1e-12)


def test_what_cannot_happen_has_no_chance_at_all() -> None:
    assert chance_ahead(50, 0, 0, 50, wins_ties=False) == 0
    assert chance_ahead(50, 0, 0, 50, wins_ties=True) > 0
    assert chance_ahead(51, 49, 0, 0, wins_ties=True) == 0


def test_the_rule_of_adaptive_consistency_by_hand() -> None:
    """Beta(2, 1) has the distribution x^2, so one vote to none is wrong with 1/4; n to none with 1/2^(n + 1)."""
    assert chance_less_probable(1, 0) == pytest.approx(0.25)
    assert chance_less_probable(4, 0) == pytest.approx(1 / 32)
    assert chance_less_probable(3, 3) == pytest.approx(0.5)


def votes(*answers: str | None, rule: Sequential, samples: int = 100) -> bool:
    return rule.settled(TASK, answers, samples)


def test_votes_all_alike_are_settled_soon() -> None:
    for rule in RULES:
        assert not votes(*["1"] * 2, rule=rule)
        assert votes(*["1"] * 8, rule=rule)
    assert votes(*["1"] * 4, rule=TopTwo(error=0.05))
    assert not votes(*["1"] * 3, rule=TopTwo(error=0.05))


def test_a_close_vote_is_not_settled() -> None:
    for rule in RULES:
        assert not votes(*["1", "2"] * 30, "1", rule=rule)


def test_rivals_add_up() -> None:
    """Ten votes to two is settled where the two are one rival's or many's alike, only the more rivals the later."""
    one = Posterior().risk(cluster_by_answer(TASK, ["1"] * 10 + ["2"] * 2), 12, 100)
    two = Posterior().risk(cluster_by_answer(TASK, ["1"] * 10 + ["2"] * 2 + ["3"] * 2), 14, 100)
    assert 0 < one < two


def test_without_risk_a_vote_ends_where_it_cannot_change() -> None:
    certain = Posterior(error=0)
    assert not votes(*["1"] * 49, rule=certain)
    assert votes(*["1"] * 50, rule=certain)  # an answer not seen yet can only tie, and ties go to the first seen
    assert not votes("2", *["1"] * 50, rule=certain)  # 2 was first, and could come to 50
    assert votes("2", *["1"] * 51, rule=certain)


def test_unreadable_samples_settle_nothing_until_all_are_drawn() -> None:
    for rule in RULES:
        assert not votes(*[None] * 99, rule=rule)
        assert votes(*[None] * 100, rule=rule)
        assert votes(*[None] * 90, *["1"] * 10, rule=rule)


def test_one_sample_is_all() -> None:
    for rule in (*RULES, Never()):
        assert rule.settled(TASK, ["1"], 1)
        assert not rule.settled(TASK, ["1"], 100)


def test_answers_are_equal_as_the_task_says() -> None:
    texts = ["Answer: 1,000", "Answer: 1000.0"] * 5
    assert votes(*(TASK.parse(text, Example("q", "How many?")) for text in texts), rule=Posterior())


def test_rounds_grow_with_what_is_there() -> None:
    assert list(Posterior().looks(40)) == [4, 8, 12, 16, 20, 25, 31, 38, 40]
    assert list(Posterior(round=8).looks(8)) == [8]
    assert list(Posterior().looks(1)) == [1]
    assert list(Never().looks(40)) == [40]


def test_rules_are_parts_by_name_and_change_nothing_unless_given() -> None:
    assert {STOPPINGS.get(name).model_fields["kind"].default for name in STOPPINGS} == set(STOPPINGS)
    for elicitor in (Alice, Vote):
        assert "stopping" not in elicitor().identity()
        given = elicitor.parse({"stopping": "posterior"}, "The test")
        assert given.stops == Posterior()
        assert given.identity()["stopping"]["error"] == 0.02


def test_stopping_by_answers_and_grouping_by_texts_do_not_go_together() -> None:
    with pytest.raises(ConfigError, match="let clustering be answers, or stopping none"):
        Alice.parse({"stopping": "top-two", "clustering": "embedding"}, "The test")
