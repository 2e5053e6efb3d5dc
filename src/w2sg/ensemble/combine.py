"""How experts' answers to classification questions become one: weighted mixtures of probabilities, and votes.

Mixing next-token distributions while text is generated is `models.mixture`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from w2sg.ensemble.distribution import Floats, Integers


def mix(probabilities_TNC: Floats, weights: Sequence[float]) -> Floats:
    """Return sum_t alpha_t p_t(c | x) / sum_t alpha_t, of shape (N, C): the soft labels of EnsemW2S, section 3.

    Raises:
        ValueError: the weights are not one per expert, negative, or all 0.
    """
    shares = _shares(weights, len(probabilities_TNC))
    result: Floats = np.einsum("t,tnc->nc", shares, probabilities_TNC)
    return result


def vote(answers_TN: Integers, weights: Sequence[float], classes: int) -> Integers:
    """Return for each item the class with the most weight among the experts that gave it; of equals the first.

    Raises:
        ValueError: the weights are not one per expert, negative, or all 0.
    """
    given_TNC = answers_TN[:, :, None] == np.arange(classes)
    return np.asarray(mix(given_TNC.astype(np.float64), weights).argmax(1), dtype=np.int64)


def _shares(weights: Sequence[float], experts: int) -> Floats:
    shares = np.asarray(weights, dtype=np.float64)
    if shares.shape != (experts,) or not np.isfinite(shares).all() or (shares < 0).any() or shares.sum() <= 0:
        raise ValueError(f"{experts} experts need as many weights, none negative and not all 0, found {list(weights)}")
    result: Floats = shares / shares.sum()
    return result
