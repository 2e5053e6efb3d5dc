"""Errors, experts' weights and updates by hand; the invariants; rounds that cannot go on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from w2sg.ensemble.config import BoostingConfig
from w2sg.ensemble.distribution import Bits, Floats, equal_weights, normalised
from w2sg.ensemble.draws import draw
from w2sg.ensemble.expert_weight import SMALLEST_ERROR, expert_weight, prior_error, weighted_error
from w2sg.ensemble.rounds import Verdict, judge
from w2sg.ensemble.update import normaliser, updated
from w2sg.errors import ConfigError, DataError

PLAIN: dict[str, Any] = {"measured": "in-sample", "largest_step": None}


def bits(text: str) -> Bits:
    return np.array([sign == "x" for sign in text])


def verdict(
    wrong: Bits,
    *,
    weights: Floats | None = None,
    base: Bits | None = None,
    measured: Bits | None = None,
    lengths: Any = None,
    vocabulary: int | None = None,
    **config: Any,
) -> Verdict:
    return judge(
        BoostingConfig(**PLAIN | config),
        equal_weights(len(wrong)) if weights is None else weights,
        np.array([len(wrong)] if lengths is None else lengths),
        wrong=wrong,
        base_wrong=np.zeros_like(wrong) if base is None else base,
        measured=np.ones_like(wrong) if measured is None else measured,
        vocabulary=vocabulary,
    )


def test_errors_are_weighted_and_over_what_is_measured() -> None:
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    assert weighted_error(weights, bits("x--x"), bits("xxxx")) == pytest.approx(5 / 10)
    assert weighted_error(weights, bits("x--x"), bits("xx--")) == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="weighs nothing"):
        weighted_error(weights, bits("x---"), bits("----"))


def test_the_weight_is_a_gain_in_log_odds() -> None:
    assert expert_weight(0.2, 0.5) == pytest.approx(math.log(4))
    assert (
        expert_weight(0.2, 0.35)
        == pytest.approx(math.log(4) + math.log(1 / (1 - 0.35) - 1))
        == pytest.approx(0.767, abs=1e-3)
    )
    assert (
        expert_weight(0.2, 1 - 1 / 50_257)
        == pytest.approx(math.log(4) + math.log(50_256))
        == pytest.approx(12.2, abs=0.02)
    )
    assert expert_weight(0.3, 1 - 1 / 3) == pytest.approx(math.log(0.7 / 0.3) + math.log(2))
    assert expert_weight(0.35, 0.35) == 0
    assert expert_weight(0.6, 0.35) < 0
    with pytest.raises(ValueError, match="strictly between"):
        expert_weight(0.0, 0.5)


def test_the_priors() -> None:
    weights, base, all_of_it = np.array([0.4, 1.6, 1.0, 1.0]), bits("x---"), bits("xxxx")
    given: dict[str, Any] = {
        "weights": weights,
        "base_wrong": base,
        "measured": all_of_it,
        "classes": 4,
        "vocabulary": 100,
    }
    found = [
        prior_error(kind, **given) for kind in ("none", "classes", "vocabulary", "pretrained", "pretrained-reweighted")
    ]  # type: ignore[arg-type]
    assert found == pytest.approx([0.5, 0.75, 0.99, 0.25, 0.1])
    assert prior_error("pretrained", **{**given, "base_wrong": bits("----")}) == SMALLEST_ERROR
    assert prior_error("pretrained", **{**given, "measured": bits("xx--")}) == pytest.approx(0.5)


def test_one_round_by_hand() -> None:
    """Four tokens, one wrong: error 1/4, prior 1/2, alpha ln 3; the wrong one then holds half of all weight."""
    found = verdict(bits("--x-"))
    assert (found.error, found.prior, found.kept, found.ends) == (0.25, 0.5, True, "")
    assert found.alpha == pytest.approx(math.log(3))
    assert found.weights == pytest.approx(np.array([1, 1, 3, 1]) * 4 / 6)
    assert found.normaliser == pytest.approx(0.75 + 0.25 * 3)
    assert (found.effective_size, found.heaviest, found.measured, found.mass) == (1.0, 0.25, 4, 1.0)


@pytest.mark.parametrize(
    ("prior", "error"),
    [("none", 0.5), ("classes", 2 / 3), ("vocabulary", 0.99), ("pretrained", 0.35), ("pretrained-reweighted", None)],
)
@pytest.mark.parametrize("rounds", [1, 4])
def test_under_the_new_weights_the_expert_is_as_wrong_as_the_prior(
    prior: Any, error: float | None, rounds: int
) -> None:
    """The invariant of boosting, in each of several rounds: what was learnt is worth no more than the prior."""
    random = np.random.default_rng(0)
    weights, base = equal_weights(2000), np.arange(2000) % 20 < 7  # .35 exactly
    for _ in range(rounds):
        wrong = random.random(2000) < 0.2
        found = verdict(
            wrong, weights=weights, base=base, prior=prior, classes=3 if prior == "classes" else None, vocabulary=100
        )
        assert error is None or found.prior == pytest.approx(error, abs=1e-12)
        weights = found.weights
        assert weights.mean() == pytest.approx(1, abs=1e-12)
        assert weighted_error(weights, wrong, np.ones_like(wrong)) == pytest.approx(found.prior, abs=1e-9)


def test_several_rounds_equal_the_naive_loop() -> None:
    """The specification's pseudocode, token by token, with the base's error under equal weights as the prior."""
    random, count, cap, shrink = np.random.default_rng(2), 60, 3.0, 0.7
    base = (random.random(count) < 0.5).tolist()
    share = [1 / count] * count
    weights = equal_weights(count)
    for _ in range(4):
        wrong = (random.random(count) < 0.25).tolist()
        error = sum(own for own, bit in zip(share, wrong, strict=True) if bit)
        prior = sum(base) / count
        alpha = shrink * (math.log((1 - error) / error) - math.log((1 - prior) / prior))
        share = [own * math.exp(min(alpha, 1.0) * bit) for own, bit in zip(share, wrong, strict=True)]
        total = sum(share)
        share = [own / total for own in share]
        for _ in range(1000):
            clipped = [min(own, cap / count) for own in share]
            share = [own / sum(clipped) for own in clipped]
        found = verdict(
            np.array(wrong),
            weights=weights,
            base=np.array(base),
            prior="pretrained",
            shrinkage=shrink,
            largest_step=1.0,
            largest_weight=cap,
        )
        assert (found.error, found.prior, found.alpha) == pytest.approx((error, prior, alpha))
        assert found.weights / count == pytest.approx(share)
        weights = found.weights


def test_the_symmetric_form_is_the_same() -> None:
    random = np.random.default_rng(1)
    weights, wrong = normalised(random.random(100)), random.random(100) < 0.3
    symmetric = normalised(weights * np.exp(np.where(wrong, 0.4, -0.4)))
    assert updated(weights, wrong, 0.8, np.ones_like(wrong)) == pytest.approx(symmetric)
    assert normaliser(0.25, math.log(3)) == pytest.approx(1.5)


def test_what_is_not_measured_keeps_its_weight() -> None:
    """Two of four measured, one of them wrong: they share their weight as 1 : e^step; the others stay as they were."""
    after = updated(np.ones(4), bits("x-x-"), math.log(3), bits("xx--"))
    assert after == pytest.approx([1.5, 0.5, 1.0, 1.0])
    found = verdict(bits("x-x---"), measured=bits("xxxx--"), prior="classes", classes=4)
    assert found.error == pytest.approx(0.5)
    assert found.weights[4:].tolist() == [1.0, 1.0]
    assert weighted_error(found.weights, bits("x-x---"), bits("xxxx--")) == pytest.approx(0.75)


def test_an_expert_as_good_as_the_prior_is_dropped_and_changes_nothing() -> None:
    found = verdict(bits("x-x-"))
    assert (found.alpha, found.kept) == (0.0, False)
    assert found.weights.tolist() == [1.0] * 4
    assert "0.5000 is no better than the prior's 0.5000" in found.ends


def test_all_wrong() -> None:
    found = verdict(bits("xxx"))
    assert (found.error, found.kept) == (1.0, False)
    assert found.alpha == pytest.approx(-math.log((1 - SMALLEST_ERROR) / SMALLEST_ERROR))


def test_no_error_keeps_the_expert_and_ends_boosting() -> None:
    found = verdict(bits("---"))
    assert (found.error, found.kept) == (0.0, True)
    assert found.alpha == pytest.approx(math.log((1 - SMALLEST_ERROR) / SMALLEST_ERROR))
    assert "made no error" in found.ends
    assert "made no error" in verdict(bits("-xx"), measured=bits("x--")).ends  # nothing that counts


def test_one_token() -> None:
    assert verdict(bits("-")).kept
    assert not verdict(bits("x")).kept


def test_no_error_out_of_bag_goes_on() -> None:
    """Tokens that were drawn may still be wrong, and other ones are out of bag in the next round."""
    found = judge(
        BoostingConfig(measured="out-of-bag"),
        equal_weights(3),
        np.array([3]),
        wrong=bits("-xx"),
        base_wrong=bits("---"),
        measured=bits("x--"),
    )
    assert (found.kept, found.ends) == (True, "")
    assert found.weights.tolist() == [1.0] * 3


def test_out_of_bag_errors_of_heavy_tokens_count_in_full_where_they_are_corrected() -> None:
    """Two thousand tokens, a twentieth of four times the mean weight, which the expert mostly gets wrong: seldom out of
    bag, they are next to nothing of the plain error, and what they should be of the corrected one."""
    random = np.random.default_rng(0)
    weights = normalised(np.where(np.arange(2000) < 100, 4.0, 0.8))
    wrong = np.where(np.arange(2000) < 100, np.arange(2000) % 5 > 0, np.arange(2000) % 50 == 0)
    truth = weighted_error(weights, wrong, np.ones_like(wrong))
    found: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(300):
        drawn = draw(weights, np.full(400, 5), "mask", "tokens", random)
        given: dict[str, Any] = {"wrong": wrong, "base_wrong": wrong, "measured": drawn.spared}
        for corrected, errors in found.items():
            config = BoostingConfig(measured="out-of-bag", corrected=corrected, prior="pretrained-reweighted")
            judged = judge(config, weights, np.full(400, 5), chances=drawn.chances, **given)
            assert judged.prior == judged.error  # the base is measured in the same way
            errors.append(judged.error)
    assert truth == pytest.approx(0.18, abs=0.01)
    assert np.mean(found[False]) < 0.03
    assert np.mean(found[True]) == pytest.approx(truth, abs=0.02)
    assert "corrected" not in BoostingConfig().identity()


def test_without_reweighting_every_expert_is_kept_and_nothing_changes() -> None:
    found = verdict(bits("xxx-"), reweight=False)
    assert (found.kept, found.ends, found.step, found.weights.tolist()) == (True, "", 0.0, [1.0] * 4)
    assert found.alpha < 0


def test_nothing_measured_is_told() -> None:
    with pytest.raises(DataError, match="Errors cannot be measured"):
        verdict(bits("x-"), measured=bits("--"))


def test_shrinkage_caps_and_windows() -> None:
    wrong = bits("x---------")
    assert verdict(wrong, shrinkage=0.5).alpha == pytest.approx(math.log(9) / 2)
    stepped = verdict(wrong, largest_step=1.0)
    assert (stepped.alpha, stepped.step) == (pytest.approx(math.log(9)), 1.0)
    assert stepped.weights[0] / stepped.weights[1] == pytest.approx(math.e)
    assert verdict(wrong, largest_weight=2.0).weights.max() == pytest.approx(2.0)
    whole = verdict(wrong, window=0, lengths=[5, 5]).weights
    assert whole == pytest.approx(np.repeat([13 / 9, 5 / 9], 5))  # 9 and four 1s against five 1s, of 18 in all


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"prior": "classes"}, "needs the number of `classes`"),
        ({"classes": 3}, "needs the number of `classes`"),
        ({"draw": "weight", "measured": "out-of-bag"}, "none is out of bag"),
        ({"corrected": True, "measured": "held-out"}, "leave corrected out"),
        ({"errors": "generations", "measured": "out-of-bag"}, "set unit to 'texts'"),
        ({"errors": "generations", "measured": "held-out", "prior": "vocabulary"}, "generations are whole answers"),
        ({"draw": "weight", "measured": "in-sample", "reweight": False}, "all experts learn the same"),
        ({"shrinkage": 0.0}, "greater than 0"),
        ({"largest_weight": 0.5}, "greater than or equal to 1"),
        ({"folds": 1}, "greater than or equal to 2"),
    ],
)
def test_settings_that_contradict_one_another(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        BoostingConfig.parse(settings, "The boosting")
