"""How much an expert counts: its weighted error, the prior error that it has to beat, and its weight.

alpha_t = ln((1 - eps_t) / eps_t) + ln(1 / (1 - eps_prior) - 1)            (EnsemW2S, section 3)

which is the gain in log-odds of being right over the prior. With eps_prior = 1 - 1/K it is SAMME's
ln((1 - eps) / eps) + ln(K - 1) (Zhu et al. 2009), with 1/2 twice the binary AdaBoost's weight; only the ratios of the
experts' weights matter, so the factor does not.
"""

from __future__ import annotations

import math

import numpy as np

from w2sg.ensemble.config import Prior
from w2sg.ensemble.distribution import Bits, Floats

LEAST_CHANCE = 0.01
"""No token that is measured by chance stands for more than one in so many."""
SMALLEST_ERROR = 1e-4
"""Measured errors are taken for no less than this, and for no more than 1 minus this."""


def weighted_error(weights: Floats, wrong: Bits, measured: Bits) -> float:
    """Return the share of the measured tokens' weight that lies on wrong ones.

    Raises:
        ValueError: what is measured weighs nothing.
    """
    total = float(weights[measured].sum())
    if total <= 0:
        raise ValueError("what is measured weighs nothing")
    return float(weights[measured & wrong].sum()) / total


def standing_for(chances: Floats) -> Floats:
    """Return for how many tokens alike each one stands that is measured with these chances: one in a chance, so that a
    weighted error on what is measured estimates that on all (Hajek 1971), up to `LEAST_CHANCE`."""
    result: Floats = 1 / np.maximum(chances, LEAST_CHANCE)
    return result


def within_limits(error: float) -> float:
    """Return a measured error kept away from 0 and 1, where its log-odds are infinite."""
    return min(max(error, SMALLEST_ERROR), 1 - SMALLEST_ERROR)


def prior_error(
    prior: Prior,
    *,
    weights: Floats,
    base_wrong: Bits,
    measured: Bits,
    scales: Floats | None = None,
    classes: float | None = None,
    vocabulary: int | None = None,
) -> float:
    """Return the error that an expert has to beat.

    Args:
        weights: those of the round.
        base_wrong: the errors of the base model, before any tuning.
        measured: on what errors are measured in this round; the base is held against the expert on the same tokens.
        scales: what the measured tokens' weights are multiplied by (`standing_for`); nothing when not given.
        classes: how many there are, for the prior `classes`; where items differ, the harmonic mean.
        vocabulary: how many tokens there are, for the prior `vocabulary`.
    """
    if prior == "none":
        return 0.5
    if prior in ("classes", "vocabulary"):
        count = classes if prior == "classes" else vocabulary
        assert count is not None, f"the prior {prior!r} needs a number"
        return 1 - 1 / count
    weights = np.ones_like(weights) if prior == "pretrained" else weights
    weights = weights if scales is None else weights * scales
    return within_limits(weighted_error(weights, base_wrong, measured))


def expert_weight(error: float, prior: float) -> float:
    """Return alpha, the log-odds of being right minus the prior's; 0 where the expert is as wrong as the prior.

    Raises:
        ValueError: an error is not strictly between 0 and 1.
    """
    for name, value in (("error", error), ("prior error", prior)):
        if not 0 < value < 1:
            raise ValueError(f"the {name} must lie strictly between 0 and 1, not {value}")
    return _log_odds(1 - error) - _log_odds(1 - prior)


def _log_odds(chance: float) -> float:
    return math.log(chance) - math.log1p(-chance)
