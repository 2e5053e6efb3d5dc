"""How weights on answer tokens change from one round to the next."""

from __future__ import annotations

import math

from w2sg.ensemble.distribution import Bits, Floats, normalised


def updated(weights: Floats, wrong: Bits, step: float, measured: Bits) -> Floats:
    """Return D_{t+1} = D_t exp(step [wrong]) / Z_t (EnsemW2S, algorithm 1), times n.

    Only measured tokens change, and among themselves: they share the weight that they had together, so that a token is
    judged only where errors are measured. With `step` the expert's alpha, its error under the new weights is exactly
    the prior error. The form that also shrinks right tokens, exp(step / 2) against exp(-step / 2), is the same after
    normalising.
    """
    result = weights.copy()
    before = float(weights[measured].sum())
    result[measured & wrong] *= math.exp(step)
    result[measured] *= before / float(result[measured].sum())
    return normalised(result)


def normaliser(error: float, step: float) -> float:
    """Return Z_t = 1 - eps_t + eps_t exp(step), the sum of the measured weights before they are normalised."""
    return 1 - error + error * math.exp(step)
