"""How few samples any rule needs that stops sampling early and still gives the vote of all samples: a lower bound.

A rule of this bound is told more than any real one: how often each pair of votes for the two most frequent answers
occurs among the questions, and which two answers these are; not which of the two leads, nor which question it asks.
The best of them is found by dynamic programming over how many samples gave the one, the other, and neither, drawn
without replacement. Votes that end in a tie count as met by either answer. `adaptive_sampling` prints it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

Table = NDArray[np.float64]
PRICES = np.geomspace(1, 6000, 60)
"""What a wrong label may cost, in samples: each gives a bound, and the highest holds."""


def least_samples(votes: Sequence[tuple[int, int]], samples: int, error: float) -> float:
    """Return the share of all samples below which no rule keeps its mean share of other labels to `error`.

    By weak duality: for every price, the least mean of samples plus price times errors, less price times `error`, is at
    most the samples of any rule that keeps to it. All bounds are for the mean over all orders of the samples.

    Args:
        votes: for every question how many of all samples gave its most frequent answer, and the second.
        samples: how many there are of each question.
    """
    tables = _tables(np.asarray(votes, dtype=np.int64), samples)
    return max(0.0, *(_cost(tables, float(price)) - float(price) * error for price in PRICES)) / samples


def _cost(tables: list[tuple[Table, Table]], price: float) -> float:
    """Return the least expected samples plus `price` times errors, from no sample on."""
    value = price * tables[-1][0]
    for wrong, further in reversed(tables[:-1]):
        drawn = 1 + (1 - further - further.T) * value
        drawn[:-1] += further[:-1] * value[1:]
        drawn[:, :-1] += further.T[:, :-1] * value[:, 1:]
        value = np.minimum(price * wrong, drawn)
    return float(value[0, 0])


def _tables(votes: NDArray[np.int64], samples: int) -> list[tuple[Table, Table]]:
    """Return, for every number of samples drawn, two tables over the votes of either answer: the chance that the
    better choice of label is wrong, and the chance that the next sample is the first answer's (transposed: the
    second's)."""
    pairs, questions = np.unique(votes, axis=0, return_counts=True)
    first, second = pairs.T[:, :, None]
    weight = questions[:, None] / questions.sum()
    tables = []
    for drawn in range(samples + 1):
        one, other = np.nonzero(np.add.outer(np.arange(samples + 1), np.arange(samples + 1)) <= drawn)
        neither = samples - first - second
        chance = weight * np.exp(
            _ways(first, one) + _ways(second, other) + _ways(neither, drawn - one - other) - _ways(samples, drawn)
        )
        reached, leads, next_one, next_other = np.zeros((4, samples + 1, samples + 1))
        reached[one, other] = chance.sum(0)
        leads[one, other] = (chance * (first > second)).sum(0)
        left = max(1, samples - drawn)
        next_one[one, other] = (chance * (first - one)).sum(0) / left
        next_other[one, other] = (chance * (second - other)).sum(0) / left
        whole = np.maximum(reached + reached.T, np.finfo(float).tiny)  # either answer may be the one that leads
        tables.append((np.minimum(leads, leads.T) / whole, (next_one + next_other.T) / whole))
    return tables


def _ways(things: NDArray[np.int64] | int, chosen: NDArray[np.int64] | int) -> Table:
    """Return the logarithm of the number of ways to choose; minus infinity where there is none."""
    n, k = np.broadcast_arrays(things, chosen)
    possible = (k >= 0) & (k <= n)
    k = np.where(possible, k, 0)
    factorials = gammaln(np.arange(n.max(initial=0) + 1) + 1.0)  # looked up, as the same few are asked for very often
    found: Table = np.where(possible, factorials[n] - factorials[k] - factorials[np.where(possible, n - k, 0)], -np.inf)
    return found
