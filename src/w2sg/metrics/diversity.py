"""How alike the errors of several models are: what a vote or a mixture of them can gain depends on it.

Where the errors come from is the caller's.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.bool_]


def phi(first: Bits, second: Bits) -> float | None:
    """Return the correlation of two models' errors on the same places: Pearson's of the two rows of bits, which is phi
    of their fourfold table. 1: the same errors; 0: as if by chance; below 0: where one errs, the other tends to be
    right. None where a model errs everywhere or nowhere, and nothing can vary with it.

    Raises:
        ValueError: the rows differ in length.
    """
    if first.shape != second.shape:
        raise ValueError(f"errors at {first.shape} and {second.shape} places cannot be compared")
    count, one, other, both = first.size, int(first.sum()), int(second.sum()), int((first & second).sum())
    spread = one * (count - one) * other * (count - other)
    if spread == 0:
        return None
    return max(-1.0, min(1.0, (count * both - one * other) / math.sqrt(spread)))
