"""Whether one arm beats another: difference, interval, paired test, power, Holm's correction, and the gap recovered.

The draws are `bootstrap`'s. What a comparison means in words, and which are made, belongs to `report`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from w2sg.metrics.bootstrap import Family, Floats, Outcomes
from w2sg.metrics.quality import wilson

LEVEL = 0.95
POWER = 0.80
_TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
_DIGITS = 12  # what lies beyond is rounding, and must not decide on which side of 0 an interval ends


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; `basis` says what the interval covers."""

    value: float
    low: float
    high: float
    basis: str


@dataclass(frozen=True)
class Comparison:
    """How much more accurate one arm is than another on the same items.

    `difference`, `low`, `high` and `minimum_detectable` are shares (0.05 is five points); `p` is two-sided;
    `minimum_detectable` is the true difference that such a design shows (interval without 0) four times in five;
    `seeds` counts the fewer of the two arms' seeds; `basis` says what the interval covers.
    """

    difference: float
    low: float
    high: float
    p: float
    minimum_detectable: float
    items: int
    seeds: int
    basis: str


@dataclass(frozen=True)
class Recovered:
    """The performance gap recovered, (method - weak) / (ceiling - weak), or the reason why it cannot be given."""

    value: float | None
    low: float | None
    high: float | None
    reason: str


def compare(method: Outcomes, against: Outcomes, *, resamples: int = 10_000, seed: int = 0) -> Comparison:
    """Compare two arms given as {seed: {item id: correct}}; see `compare_in`."""
    return compare_in(
        Family({"method": method, "against": against}, resamples=resamples, seed=seed), "method", "against"
    )


def compare_in(family: Family, method: str, against: str) -> Comparison:
    """Compare two arms of a family.

    The interval is the percentile interval of the hierarchical bootstrap. The test is paired: with one seed the
    exact McNemar test; with several, the signs of the items' mean differences are flipped at random while the seed
    means vary as observed.
    """
    arms = family.arms[method], family.arms[against]
    difference = arms[0].accuracy - arms[1].accuracy
    items, deviations = family.item_differences(method, against), family.seed_deviations(method, against)
    low, high = _interval(items + deviations, difference, -1.0, 1.0)
    error = float(np.sqrt(items.var() + family.seed_variance(method, against)))
    seeds = min(len(arm.seeds) for arm in arms)
    if all(len(arm.seeds) == 1 for arm in arms):
        p = mcnemar(arms[0].correct[0], arms[1].correct[0])
    else:
        null = family.flipped_differences(method, against) + deviations
        p = float(1 + (np.abs(null) >= abs(difference) - 1e-12).sum()) / (family.resamples + 1)
    return Comparison(
        difference=difference,
        low=low,
        high=high,
        p=p,
        minimum_detectable=min(1.0, (high - low) / 2 + NormalDist().inv_cdf(POWER) * error),
        items=len(family.ids),
        seeds=seeds,
        basis=basis(seeds),
    )


def accuracy_in(family: Family, name: str) -> Estimate:
    """Return an arm's accuracy with its interval.

    Wilson's interval with one seed, or where nothing varies; else the hierarchical bootstrap's.
    """
    arm, n = family.arms[name], len(family.ids)
    if len(arm.seeds) == 1 or np.ptp(arm.correct) == 0:
        low, high = wilson(int(arm.correct[0].sum()), n)
    else:
        low, high = _interval(family.accuracy_replicates(name), arm.accuracy, 0.0, 1.0)
    return Estimate(arm.accuracy, low, high, basis(len(arm.seeds)))


def recovered_in(family: Family, method: str, *, weak: str, ceiling: str) -> Recovered:
    """Return the performance gap recovered (Burns et al., 2023, section 3), with an interval, all three arms redrawn.

    It is refused unless the interval of ceiling - weak lies above 0. The interval is Fieller's on the replicates:
    the shares x for which method - weak - x (ceiling - weak) is not shown to differ from 0.
    """
    gap = compare_in(family, ceiling, weak)
    if gap.low <= 0:
        said = f"{points(gap.difference)} points (interval {points(gap.low)} to {points(gap.high)})"
        why = "is below" if gap.high < 0 else "is not shown to be above"
        return Recovered(None, None, None, f"the ceiling {why} the {weak}: {said}")
    base, top, mine = (family.joint_replicates(name) for name in (weak, ceiling, method))
    spread, gained = (top - base).round(_DIGITS), (mine - base).round(_DIGITS)
    usable = spread != 0
    ratios, signs = gained[usable] / spread[usable], np.sign(spread[usable])
    order = np.argsort(ratios, kind="stable")
    below = ((spread < 0).sum() + np.cumsum(signs[order])) / len(ratios)
    low = ratios[order][int(np.argmax(below >= _TAILS[0]))]
    high = ratios[order][len(below) - 1 - int(np.argmax(below[::-1] <= _TAILS[1]))]
    value = (family.arms[method].accuracy - family.arms[weak].accuracy) / gap.difference
    return Recovered(value, min(float(low), value), max(float(high), value), "")


def mcnemar(method: Sequence[int], against: Sequence[int]) -> float:
    """Return the exact two-sided p of McNemar's test on paired outcomes (0 or 1 each)."""
    from scipy.stats import binomtest

    won = sum(1 for a, b in zip(method, against, strict=True) if a > b)
    lost = sum(1 for a, b in zip(method, against, strict=True) if a < b)
    return float(binomtest(won, won + lost).pvalue) if won + lost else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p-values (Holm, 1979), in the order given.

    Rejecting where they are at most 0.05 keeps the chance of any false finding among them at most 0.05.
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, position in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[position]))
        adjusted[position] = highest
    return adjusted


def basis(seeds: int) -> str:
    """Say what an interval over this many seeds covers."""
    return "seeds: 1, interval over items only" if seeds == 1 else f"seeds: {seeds}, interval over seeds and items"


def points(share: float) -> str:
    """Write a share as percentage points with a sign: 0.062 is `+6.2`."""
    return f"{100 * share:+.1f}".replace("-", "−") if abs(share) >= 0.0005 else "0.0"


def _interval(replicates: Floats, value: float, least: float, most: float) -> tuple[float, float]:
    low, high = np.quantile(replicates, _TAILS).round(_DIGITS) + 0.0  # no -0.0
    return max(least, min(float(low), value)), min(most, max(float(high), value))
