"""Two figures that are no comparison of arms on the same items: how far one arm's accuracy differs between two sets of
items, and how often several seeds of one model disagree.

Comparisons of arms are `verdict`'s, the draws `bootstrap`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from math import hypot

import numpy as np

from w2sg.errors import DataError
from w2sg.metrics.bootstrap import Family, seed_weights
from w2sg.metrics.quality import wilson
from w2sg.metrics.verdict import LEVEL, Estimate, basis
from w2sg.records import join

Answers = Mapping[str, str | None]
"""The parsed answer to each question, by id; None where it could not be read."""


def between(first: Estimate, second: Estimate) -> Estimate:
    """Return first - second for two accuracies on different items, with the interval that their own intervals give
    (Zou and Donner, 2008, doi:10.1002/sim.3095, equation 7).

    The two are taken as independent: what the same seeds do alike to both makes the interval too wide, and what they do
    the other way round (better on the one, worse on the other) too narrow.
    """
    value = first.value - second.value
    low = value - hypot(first.value - first.low, second.high - second.value)
    high = value + hypot(first.high - first.value, second.value - second.low)
    return Estimate(value, max(-1.0, low), min(1.0, high), first.basis)


def disagreement(answers: Mapping[int, Answers], *, resamples: int = 10_000, seed: int = 0) -> Estimate:
    """Return the share of questions that two seeds answer differently, the mean over all pairs of seeds.

    Two answers that could not be read do not count as different. The interval redraws the questions, and moves each
    by the seeds: their part of the variance is the jackknife's for a mean over pairs (Arvesen, 1969,
    doi:10.1214/aoms/1177697287), with a Student distribution. With two seeds, whose spread is unknown, it covers the
    questions only.

    Raises:
        DataError: there are fewer than two seeds, no questions, or seeds that answered different questions.
    """
    seeds = tuple(sorted(answers))
    if len(seeds) < 2:
        raise DataError(f"Whether seeds disagree needs two seeds or more, and there are {len(seeds)}.")
    ids = list(answers[seeds[0]])
    given = {number: join(ids, answers[number], f"answer of seed {number}") for number in seeds}
    differ = {
        (a, b): {id: mine != other for id, mine, other in zip(ids, given[a], given[b], strict=True)}
        for a, b in combinations(seeds, 2)
    }
    names = {pair: f"{pair[0]} and {pair[1]}" for pair in differ}
    family = Family({names[pair]: {0: apart} for pair, apart in differ.items()}, resamples=resamples, seed=seed)
    shares = {pair: family.arms[name].accuracy for pair, name in names.items()}
    value = float(np.mean(list(shares.values())))
    said = basis(len(seeds)) if len(seeds) > 2 else "seeds: 2, interval over items only"
    if value in (0.0, 1.0):
        low, high = wilson(round(value * len(ids)), len(ids))
        return Estimate(value, low, high, said)
    replicates = np.mean([family.joint_replicates(name) for name in names.values()], axis=0)
    if (count := len(seeds)) > 2:
        own = np.array([np.mean([share for pair, share in shares.items() if number in pair]) for number in seeds])
        replicates = replicates + 2 * (count - 1) / (count - 2) * seed_weights(seeds, resamples, seed) @ own
    low, high = np.quantile(replicates, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, max(0.0, min(float(low), value)), min(1.0, max(float(high), value)), said)
