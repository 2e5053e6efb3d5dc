"""How sure a model is of a text that it wrote, by the distributions that its tokens were taken from: one number between
0 and 1.

What is known of every token is `decode.score`'s; whether such numbers are right is `uncertainty`'s.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Literal

Measure = Literal["likelihood", "agreement"]
"""`likelihood`: the geometric mean of the tokens' probabilities; `agreement`: the mean share of an ensemble's weights
whose favourite token was the ensemble's."""


def certainty(log_probabilities: Sequence[float], dissents: Sequence[float], measure: Measure) -> float:
    """Return how sure that is, given for each token, the end token's included, its log-probability in nats and the
    share of the experts' weights that would have said another.

    Raises:
        StatisticsError: there is no token.
    """
    if measure == "likelihood":
        return min(1.0, math.exp(fmean(log_probabilities)))
    return min(1.0, max(0.0, 1 - fmean(dissents)))
