"""Maps from stated confidence to the chance of being right, fitted on labels with open gold (`validate`) and kept as
JSON.

How far a confidence can be trusted, before and after, is measured in `uncertainty`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from w2sg.errors import DataError
from w2sg.metrics.uncertainty import checked
from w2sg.records import Row
from w2sg.storage import read_json, write_json

Method = Literal["isotonic", "platt", "temperature"]
"""`isotonic`: the best rising step function, for some hundred labels or more; `platt`: a sigmoid with two numbers, for
few; `temperature`: a sigmoid with one, which leaves 0.5 where it is."""

_EDGE = 0.01  # no share of some dozens of samples tells 0.99 from 1, and the logit of 1 is infinite

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Calibrator(Row, ABC):
    """Base of the maps, each fitted on `n` labels. A higher confidence never becomes a lower one."""

    n: int

    @abstractmethod
    def apply(self, confidence: Sequence[float]) -> list[float]:
        """Return the calibrated confidence of each stated one.

        Raises:
            DataError: a stated confidence lies outside [0, 1].
        """

    def save(self, path: Path) -> None:
        """Write the map to a JSON file, atomically."""
        write_json(path, {"kind": _NAMES[type(self)], **self.to_dict()})


@dataclass(frozen=True)
class Isotonic(Calibrator):
    """Straight lines between the points (stated[k], calibrated[k]), both rising; constant beyond the first and last."""

    stated: tuple[float, ...]
    calibrated: tuple[float, ...]

    def apply(self, confidence: Sequence[float]) -> list[float]:
        return [float(value) for value in np.interp(_stated(confidence), self.stated, self.calibrated)]


@dataclass(frozen=True)
class Sigmoid(Calibrator):
    """sigmoid(slope * logit(confidence) + intercept), the confidence first kept within [0.01, 0.99]."""

    slope: float
    intercept: float

    def apply(self, confidence: Sequence[float]) -> list[float]:
        scores = self.slope * _logit(_stated(confidence)) + self.intercept
        return [float(value) for value in 1 / (1 + np.exp(-scores))]


_KINDS: dict[str, type[Calibrator]] = {"isotonic": Isotonic, "sigmoid": Sigmoid}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def fit_calibrator(method: Method, confidence: Sequence[float], correct: Sequence[bool]) -> Calibrator:
    """Return the map under which the confidences of these labels fit best to which of them are correct.

    `isotonic` has the least squared error among rising functions (Zadrozny and Elkan, 2002); `platt` and `temperature`
    the greatest likelihood (Platt, 1999; Guo et al., 2017), of targets moved inwards by Platt's rule, (R + 1) / (R + 2)
    for R right labels and 1 / (W + 2) for W wrong ones, so that labels of one class alone give no certainty.

    Raises:
        DataError: lengths differ, nothing is given, or a confidence lies outside [0, 1].
    """
    stated, right = checked(confidence, correct)
    if method == "isotonic":
        return _isotonic(stated, right)
    return _sigmoid(stated, right, intercept=method == "platt")


def read_calibrator(path: Path) -> Calibrator:
    """Read a map that `save` wrote.

    Raises:
        StoreError: the file is missing or damaged.
        DataError: it holds something else.
    """
    found: Any = read_json(path)
    if not isinstance(found, dict) or found.get("kind") not in _KINDS:
        raise DataError(
            f"The file {str(path)!r} holds no calibration of confidence. Delete its folder and run again; only that "
            "step is computed anew."
        )
    return _KINDS[found.pop("kind")].from_dict(found)


def _isotonic(stated: Floats, right: Floats) -> Isotonic:
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(stated, right)
    points = fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist()
    return Isotonic(len(stated), *(tuple(part) for part in points))


def _sigmoid(stated: Floats, right: Floats, intercept: bool) -> Sigmoid:
    from sklearn.linear_model import LogisticRegression

    n, hits = len(stated), float(right.sum())
    target = np.where(right > 0, (hits + 1) / (hits + 2), 1 / (n - hits + 2))
    scores = _logit(stated)[:, None]
    # Each label once as right and once as wrong, weighted by its target: the likelihood of a target between 0 and 1.
    fitted = LogisticRegression(C=np.inf, fit_intercept=intercept, tol=1e-8, max_iter=1000).fit(
        np.concatenate([scores, scores]),
        np.repeat([1, 0], n),
        sample_weight=np.concatenate([target, 1 - target]),
    )
    slope, offset = float(fitted.coef_[0, 0]), float(fitted.intercept_[0]) if intercept else 0.0
    if slope < 0:  # the confidence misleads: none of it is used
        mean = float(target.mean())
        slope, offset = 0.0, float(np.log(mean / (1 - mean))) if intercept else 0.0
    return Sigmoid(n, slope, offset)


def _stated(confidence: Sequence[float]) -> Floats:
    return checked(confidence, [True] * len(confidence))[0] if len(confidence) else np.empty(0)


def _logit(stated: Floats) -> Floats:
    kept = np.clip(stated, _EDGE, 1 - _EDGE)
    found: Floats = np.log(kept / (1 - kept))
    return found
