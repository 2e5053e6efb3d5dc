"""Whether stated confidence means anything: calibration error, Brier score, AUROC.

All take `confidence` in [0, 1] and whether the label was `correct`, of equal length, joined by the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from w2sg.errors import DataError


@dataclass(frozen=True)
class Bin:
    """One bar of a reliability diagram: the `n` labels whose confidence lies in (low, high], 0 in the first."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """How far confidence can be trusted, over `n` labels.

    `error` is the expected calibration error; `brier` the mean squared error of the confidence; `auroc` the chance
    that a wrong label is less confident than a right one (None when all are right or all wrong).
    """

    n: int
    accuracy: float
    error: float
    brier: float
    auroc: float | None
    bins: tuple[Bin, ...]


def calibration(confidence: Sequence[float], correct: Sequence[bool], bins: int = 10) -> Calibration:
    """Measure the calibration of labels.

    Raises:
        DataError: lengths differ, nothing is given, or a confidence lies outside [0, 1].
    """
    stated, right = _checked(confidence, correct)
    diagram = reliability(confidence, correct, bins)
    return Calibration(
        n=len(stated),
        accuracy=float(right.mean()),
        error=sum(bar.n * abs(bar.accuracy - bar.confidence) for bar in diagram) / len(stated),
        brier=float(np.mean((stated - right) ** 2)),
        auroc=_auroc(stated, right),
        bins=diagram,
    )


def reliability(confidence: Sequence[float], correct: Sequence[bool], bins: int = 10) -> tuple[Bin, ...]:
    """Return the non-empty bars of the reliability diagram, bins of equal width (Guo et al., 2017, section 2).

    Raises:
        DataError: as `calibration`.
    """
    stated, right = _checked(confidence, correct)
    place = np.clip(np.ceil(stated * bins).astype(int) - 1, 0, bins - 1)
    found = []
    for number in range(bins):
        inside = place == number
        if inside.any():
            low, high = number / bins, (number + 1) / bins
            bar = Bin(low, high, int(inside.sum()), float(stated[inside].mean()), float(right[inside].mean()))
            found.append(bar)
    return tuple(found)


def _auroc(stated: NDArray[np.float64], right: NDArray[np.float64]) -> float | None:
    if right.min() == right.max():
        return None
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(right, stated))


def _checked(confidence: Sequence[float], correct: Sequence[bool]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    stated, right = np.asarray(confidence, dtype=float), np.asarray(correct, dtype=float)
    if stated.shape != right.shape or not stated.size:
        raise DataError(
            f"There are {stated.size} confidences and {right.size} outcomes; both need one value per label, "
            "at least one."
        )
    if not ((stated >= 0) & (stated <= 1)).all():
        wrong = stated[~((stated >= 0) & (stated <= 1))][0]
        raise DataError(f"A confidence is {wrong}; it must lie between 0 and 1.")
    return stated, right
