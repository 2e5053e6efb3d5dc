"""From a distribution over answer tokens to the weights of their losses: a draw, or the distribution itself.

The loss is normalised by the sum of these weights over an optimiser batch (`models.fit`), so their scale is free.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from w2sg.ensemble.config import Draw, Unit
from w2sg.ensemble.distribution import Bits, Floats, Integers


@dataclass(frozen=True)
class Drawn:
    """The losses' weights, which tokens the expert does not learn (`spared`, out of bag), and with which probability
    each was to be spared (`chances`)."""

    weights: Floats
    spared: Bits
    chances: Floats


def draw(weights: Floats, lengths: Integers, how: Draw, unit: Unit, random: np.random.Generator) -> Drawn:
    """Return what an expert learns under `weights`.

    n tokens are drawn with replacement from D, or m texts by their tokens' mean weight: under equal weights every text
    has the same chance, as in bagging. A drawn token's loss counts once (`mask`, as in EnsemW2S) or as often as it was
    drawn (`count`, which is n D(i, j) in expectation); `weight` draws nothing and takes n D(i, j). With `mask`, a token
    takes part with probability 1 - (1 - D)^n, about 1 - exp(-n D).
    """
    if how == "weight":
        return Drawn(weights.copy(), weights == 0, (weights == 0).astype(np.float64))
    if unit == "texts":
        starts = np.cumsum(lengths) - lengths
        means = np.add.reduceat(weights, starts) / lengths
        shares, draws = means / means.sum(), len(lengths)
        counts = np.repeat(random.multinomial(draws, shares), lengths)
        shares = np.repeat(shares, lengths)
    else:
        shares, draws = weights / weights.sum(), len(weights)
        counts = random.multinomial(draws, shares)
    taken = counts > 0
    return Drawn((taken if how == "mask" else counts).astype(np.float64), ~taken, (1 - shares) ** draws)
