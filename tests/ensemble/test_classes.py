"""Boosted classifiers against scikit-learn's, trace by trace, and votes by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import AdaBoostClassifier
from sklearn.tree import DecisionTreeClassifier

from w2sg.ensemble.class_config import ClassBoostingConfig
from w2sg.ensemble.classes import Boosted, boost, drawn_items, effective_classes, judge_items
from w2sg.ensemble.combine import mix, vote
from w2sg.ensemble.config import BoostingConfig
from w2sg.ensemble.distribution import Floats, Integers
from w2sg.errors import ConfigError

EXACT = BoostingConfig(draw="weight", measured="in-sample", largest_step=None)


def data(classes: int) -> tuple[Floats, Integers]:
    """Points in the plane, their class by a noisy direction."""
    random = np.random.default_rng(classes)
    points = random.normal(size=(120, 2))
    angle = np.arctan2(points[:, 1], points[:, 0]) + random.normal(scale=0.6, size=120)
    return points, ((angle + np.pi) / (2 * np.pi) * classes).astype(np.int64) % classes


def stumps(kinds: int, rounds: int, seeds: list[int], **settings: Any) -> tuple[Boosted[Any], list[Floats]]:
    """Boost decision stumps, keeping the weights that each was trained with."""
    points, gold = data(kinds)
    seen: list[Floats] = []

    def train(weights: Floats, number: int) -> Any:
        seen.append(weights)
        return DecisionTreeClassifier(max_depth=1, random_state=seeds[number - 1]).fit(
            points, gold, weights / len(gold)
        )

    config = EXACT.model_copy(update=settings)
    return boost(train, lambda stump: stump.predict(points), gold, config, rounds=rounds, seed=0), seen


@pytest.mark.parametrize(("classes", "rounds"), [(2, 12), (3, 12)])
def test_equals_scikit_learn_trace_by_trace(classes: int, rounds: int) -> None:
    """Two classes and a prior of a half, three and that of a guess: errors, weights, stumps, every prefix's votes."""
    points, gold = data(classes)
    theirs = AdaBoostClassifier(DecisionTreeClassifier(max_depth=1), n_estimators=rounds, random_state=0)
    theirs.fit(points, gold)
    seeds = [stump.random_state for stump in theirs.estimators_]
    prior: dict[str, Any] = {"prior": "none"} if classes == 2 else {"prior": "classes", "classes": classes}
    ours, seen = stumps(classes, rounds, seeds, **prior)
    assert len(ours.experts) == len(theirs.estimators_) == rounds
    assert [one.error for one in ours.rounds] == pytest.approx(theirs.estimator_errors_, abs=1e-12)
    assert ours.weights == pytest.approx(theirs.estimator_weights_, abs=1e-10)
    replayed = np.full(len(gold), 1 / len(gold))  # scikit-learn keeps no trace of its weights: made from its stumps
    for stump, alpha, weights in zip(theirs.estimators_, theirs.estimator_weights_, seen, strict=True):
        assert weights / len(gold) == pytest.approx(replayed, rel=1e-9)
        replayed = replayed * np.exp(alpha * (stump.predict(points) != gold))
        replayed /= replayed.sum()
    for mine, yours in zip(ours.experts, theirs.estimators_, strict=True):
        assert mine.tree_.threshold.tolist() == yours.tree_.threshold.tolist()
    answers = np.array([stump.predict(points) for stump in ours.experts])
    for size, staged in enumerate(theirs.staged_predict(points), start=1):
        assert vote(answers[:size], ours.weights[:size], classes).tolist() == staged.tolist()


def test_a_perfect_expert_ends_boosting() -> None:
    gold = np.array([0, 1, 1])
    found = boost(lambda *_: "perfect", lambda _: gold, gold, EXACT, rounds=5, seed=0)
    assert (found.experts, len(found.rounds)) == (["perfect"], 1)


def test_a_guess_is_dropped_and_ends_boosting() -> None:
    gold = np.array([0, 1, 1, 0])
    answers = {1: np.array([0, 1, 1, 1]), 2: np.array([1, 0, 1, 1])}
    found = boost(lambda _, number: number, answers.__getitem__, gold, EXACT, rounds=5, seed=0)
    assert (found.experts, [one.kept for one in found.rounds]) == ([1], [True, False])


def test_out_of_bag_errors_and_what_items_do_not_have() -> None:
    points, gold = data(2)
    tree = DecisionTreeClassifier(max_depth=1, random_state=0)
    config = BoostingConfig(measured="out-of-bag")
    found = boost(
        lambda weights, _: tree.fit(points, gold, weights),
        lambda one: one.predict(points),
        gold,
        config,
        rounds=1,
        seed=0,
    )
    assert 0.2 < found.rounds[0].mass < 0.5  # about .37 is out of bag
    with pytest.raises(ConfigError, match="one error per item"):
        boost(lambda *_: 0, lambda _: gold, gold, EXACT.model_copy(update={"errors": "critical"}), rounds=1, seed=0)
    with pytest.raises(ConfigError, match="asks for the errors of a base"):
        boost(lambda *_: 0, lambda _: gold, gold, EXACT.model_copy(update={"prior": "pretrained"}), rounds=1, seed=0)


def test_boosted_stumps_beat_as_many_bagged_ones() -> None:
    """On a disc inside a ring no stump is right; what is gained over equal votes is the weighting's doing."""
    points = np.random.default_rng(0).normal(size=(400, 2))
    gold = (np.hypot(points[:, 0], points[:, 1]) < 1.1).astype(np.int64)

    def accuracy(config: BoostingConfig, equal: bool) -> float:
        found = boost(
            lambda weights, number: DecisionTreeClassifier(max_depth=1, random_state=number).fit(points, gold, weights),
            lambda stump: stump.predict(points),
            gold,
            config,
            rounds=20,
            seed=0,
        )
        answers = np.array([stump.predict(points) for stump in found.experts])
        weights = [1.0] * len(answers) if equal else found.weights
        return float((vote(answers, weights, 2) == gold).mean())

    bagged = accuracy(EXACT.model_copy(update={"draw": "count", "reweight": False}), equal=True)
    assert accuracy(EXACT, equal=False) > 0.9 > 0.8 > bagged


def test_mixtures_and_votes_by_hand() -> None:
    chances = np.array([[[0.9, 0.1]], [[0.2, 0.8]]])
    assert mix(chances, [1, 3]).tolist() == [[pytest.approx(0.375), pytest.approx(0.625)]]
    assert mix(chances[[0, 0]], [0.3, 0.7])[0] == pytest.approx(chances[0, 0])  # copies are their model
    assert vote(np.array([[0, 1], [2, 1], [2, 0]]), [3, 1, 1], 3).tolist() == [0, 1]
    assert vote(np.array([[2], [1]]), [1, 1], 3).tolist() == [1]  # of equals the first class
    for wrong in ([1.0], [0.0, 0.0], [1.0, -1.0]):
        with pytest.raises(ValueError, match="as many weights"):
            mix(chances, wrong)


def test_two_classes_are_the_half_log_form_by_hand() -> None:
    """EnsemW2S, section 2: alpha = ln((1 - eps) / eps) / 2, right items times exp(-alpha), wrong ones times exp(alpha):
    the same next weights, and votes in the same proportions."""
    settings = ClassBoostingConfig(draw="weight", measured="in-sample", largest_step=None)
    config, gold = settings.arithmetic(2), np.array([0, 1, 1, 0, 1])
    rounds = [np.array([0, 1, 1, 0, 0]), np.array([0, 0, 1, 0, 1])]
    ours = boost(lambda _, number: number, lambda one: rounds[one - 1], gold, config, rounds=2, seed=0)
    weights, halves = np.full(5, 1 / 5), []
    for answers, verdict in zip(rounds, ours.rounds, strict=True):
        error = weights[answers != gold].sum()
        halves.append(0.5 * np.log((1 - error) / error))
        weights = weights * np.exp(np.where(answers == gold, -halves[-1], halves[-1]))
        weights /= weights.sum()
        assert verdict.error == pytest.approx(error)
        assert verdict.weights / 5 == pytest.approx(weights)
    assert ours.weights == pytest.approx([2 * half for half in halves])
    assert halves[0] == pytest.approx(np.log(2))  # one of five wrong: ln(.8 / .2) / 2
    assert ours.rounds[0].weights == pytest.approx([5 / 8] * 4 + [5 / 2])


def test_guesses_among_unequal_numbers_of_options() -> None:
    assert effective_classes(np.array([4, 4, 4])) == pytest.approx(4)
    counts = np.array([2, 2, 4, 4])  # a guess is right with probability 3 / 8
    assert effective_classes(counts) == pytest.approx(8 / 3)
    config = ClassBoostingConfig(draw="weight", measured="in-sample").arithmetic(4)
    weights, wrong = np.ones(4), np.array([True, True, False, False])
    drawn = drawn_items(config, weights, number=1, seed=0)
    verdict = judge_items(config, weights, drawn, wrong, classes=effective_classes(counts))
    assert verdict.error == 0.5
    assert verdict.prior == pytest.approx(5 / 8)
    assert verdict.alpha == pytest.approx(np.log(5 / 3))  # ln(.5 / .5) + ln(K - 1)
    wrong[2] = True
    assert not judge_items(config, weights, drawn, wrong, classes=effective_classes(counts)).kept  # .75 > .625


def test_what_classifiers_cannot_be_boosted_with_is_named() -> None:
    with pytest.raises(ValueError, match="none is out of bag"):
        ClassBoostingConfig(draw="weight")
    with pytest.raises(ValueError, match="all experts learn the same"):
        ClassBoostingConfig(draw="weight", measured="in-sample", reweight=False)
