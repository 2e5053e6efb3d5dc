"""Weights on answer tokens: equal ones, smoothed, capped, and how uneven they are.

A weight here is n times the token's share D(i, j) of the distribution over n tokens, so that equal weights are
exactly 1. Tokens stand text after text in one array; `lengths` says how many each text has. Prompt tokens and padding
have no place in it. Weights change from round to round in `ensemble.update`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from w2sg.errors import DataError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bits = NDArray[np.bool_]


def equal_weights(count: int) -> Floats:
    """Return D_1 = 1 / n for each of n tokens, times n (EnsemW2S, section 3).

    Raises:
        DataError: there is no token.
    """
    if count < 1:
        raise DataError("There is no answer token to be weighted: give gold answers that are not empty.")
    return np.ones(count)


def normalised(weights: Floats) -> Floats:
    """Return the weights in the same proportions with mean 1."""
    result: Floats = weights * (len(weights) / weights.sum())
    return result


def windowed(weights: Floats, lengths: Integers, window: int) -> Floats:
    """Return each token's mean weight over the `window` tokens around it that lie in its own text (for an even window
    one more before it than after), normalised; 0 takes the whole text, which gives weights on texts.

    After the ablation of EnsemW2S over window lengths (its appendix).
    """
    if window == 1:
        return weights.copy()
    ends = np.cumsum(lengths)
    starts = ends - lengths
    first, end = np.repeat(starts, lengths), np.repeat(ends, lengths)
    if window > 1:
        places = np.arange(len(weights))
        first = np.maximum(first, places - window // 2)
        end = np.minimum(end, places + (window - 1) // 2 + 1)
    sums = np.concatenate([[0.0], np.cumsum(weights)])
    return normalised((sums[end] - sums[first]) / (end - first))


def capped(weights: Floats, largest: float) -> Floats:
    """Return weights of mean 1 none of which is above `largest`; those below stay in proportion to one another.

    Raises:
        ValueError: `largest` is below 1, which the mean would exceed.
    """
    if largest < 1:
        raise ValueError(f"weights of mean 1 cannot all be at most {largest}")
    weights = normalised(weights)
    if weights.max() <= largest:
        return weights
    order = np.argsort(-weights, kind="stable")
    falling, count = weights[order], len(weights)
    held = np.arange(count)  # how many of the heaviest are held at the cap
    below = falling[::-1].cumsum()[::-1]  # the sum of all that are not
    scales = np.divide(count - held * largest, below, out=np.zeros(count), where=below > 0)
    fits = (below > 0) & (falling * scales <= largest)
    if not fits.any():  # nothing but zeros could take what the heavy ones lose
        return np.ones(count)
    hold = int(np.argmax(fits))
    result: Floats = np.minimum(weights * scales[hold], largest)
    result[order[:hold]] = largest
    return result


def effective_size(weights: Floats) -> float:
    """Return the number of equally weighted tokens that would vary as little: (sum w)^2 / sum w^2, from 1 to n (Kish's
    effective sample size)."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def heaviest_share(weights: Floats, share: float = 0.01) -> float:
    """Return the share of all weight that lies on the heaviest `share` of the tokens, one token at least."""
    count = max(1, math.ceil(share * len(weights)))
    return float(np.partition(weights, len(weights) - count)[-count:].sum() / weights.sum())
