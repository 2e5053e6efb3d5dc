"""Whether stated confidence means anything: calibration error, Brier score, AUROC, risk at a coverage, entropy.

All take `confidence` in [0, 1] and whether the label was `correct`, of equal length, joined by the caller. Maps that
mend a confidence are fitted in `calibration`; draws of items are `bootstrap`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from w2sg.errors import DataError
from w2sg.metrics.bootstrap import item_counts
from w2sg.metrics.verdict import LEVEL, Estimate

Floats = NDArray[np.float64]
Measure = Literal["error", "mass_error", "brier", "auroc", "area"]

BINS = 10
_DIGITS = 12  # what lies beyond is rounding


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

    `error` is the expected calibration error over bars of equal width, `mass_error` over bars of equally many labels;
    `brier` the mean squared error of the confidence; `auroc` the chance that a wrong label is less confident than a
    right one (None when all are right or all wrong); `area` the area under the risk-coverage curve; `bins` the bars of
    equal width.
    """

    n: int
    accuracy: float
    error: float
    mass_error: float
    brier: float
    auroc: float | None
    area: float
    bins: tuple[Bin, ...]


@dataclass(frozen=True)
class RiskCoverage:
    """The share of wrong labels (`risk`) among the most confident ones, when this share of all (`coverage`) is kept.

    One point for each different confidence, the highest first: labels of equal confidence are kept or left together.
    `area` is the mean risk over keeping 1, 2, ..., n labels, equal ones in random order (Geifman and El-Yaniv, 2017);
    `best_area` what the same labels would have, had every right one been more confident than every wrong one; an
    uninformative confidence has the share of wrong labels.
    """

    coverage: tuple[float, ...]
    risk: tuple[float, ...]
    area: float
    best_area: float


def calibration(confidence: Sequence[float], correct: Sequence[bool], bins: int = BINS) -> Calibration:
    """Measure the calibration of labels.

    Raises:
        DataError: lengths differ, nothing is given, or a confidence lies outside [0, 1].
    """
    groups = _Groups.of(confidence, correct, bins)
    found = groups.measures(*groups.observed)
    auroc = float(found["auroc"][0])
    return Calibration(
        n=len(confidence),
        accuracy=float(np.mean(correct)),
        error=float(found["error"][0]),
        mass_error=float(found["mass_error"][0]),
        brier=float(found["brier"][0]),
        auroc=None if np.isnan(auroc) else auroc,
        area=float(found["area"][0]),
        bins=reliability(confidence, correct, bins),
    )


def calibration_intervals(
    confidence: Sequence[float],
    correct: Sequence[bool],
    bins: int = BINS,
    *,
    items: Sequence[str] | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> Mapping[Measure, Estimate | None]:
    """Return every measure of `calibration` with its 95 % bootstrap interval over items.

    Resampled calibration errors are larger on average than the measured one, as noise adds to them; so the replicates'
    spread about their own mean is laid about the measured value. Bars stay where the measured ones are.

    Args:
        items: which labels belong to the same question (such as those of several seeds), to be drawn together; each
            its own when not given.

    Returns:
        None for a measure without a value.

    Raises:
        DataError: as `calibration`, or there is not one item per label.
    """
    if items is not None and len(items) != len(confidence):
        raise DataError(f"There are {len(items)} items and {len(confidence)} labels; both need one value per label.")
    groups = _Groups.of(confidence, correct, bins)
    _, item = np.unique(np.arange(len(confidence)) if items is None else np.array(items), return_inverse=True)
    drawn: dict[Measure, list[Floats]] = {}
    for counts in item_counts(int(item.max()) + 1, resamples, seed):
        for name, values in groups.measures(*groups.sums(counts[:, item])).items():
            drawn.setdefault(name, []).append(values)
    measured = groups.measures(*groups.observed)
    return {name: _estimate(float(measured[name][0]), np.concatenate(values)) for name, values in drawn.items()}


def _estimate(value: float, replicates: Floats) -> Estimate | None:
    replicates = replicates[~np.isnan(replicates)]  # a draw of right labels alone has no AUROC
    if np.isnan(value) or not replicates.size:
        return None
    tail = (1 - LEVEL) / 2
    low, high = value + np.quantile(replicates - replicates.mean(), (tail, 1 - tail)).round(_DIGITS)
    return Estimate(value, max(0.0, min(float(low), value)), min(1.0, max(float(high), value)), "interval over items")


def reliability(
    confidence: Sequence[float], correct: Sequence[bool], bins: int = BINS, by: Literal["width", "mass"] = "width"
) -> tuple[Bin, ...]:
    """Return the non-empty bars of the reliability diagram (Guo et al., 2017, section 2).

    Args:
        by: `width` divides [0, 1] evenly; `mass` gives every bar about as many labels, equal confidences together.

    Raises:
        DataError: as `calibration`.
    """
    groups = _Groups.of(confidence, correct, bins)
    n, right = (part[0] for part in groups.observed)
    edges, place = (groups.width_edges, groups.width) if by == "width" else (groups.mass_edges, groups.mass)
    found = []
    for number in np.unique(place):
        inside = place == number
        count = float(n[inside].sum())
        stated = float((n * groups.values)[inside].sum())
        low, high = float(edges[number]), float(edges[number + 1])
        found.append(Bin(low, high, int(count), stated / count, float(right[inside].sum()) / count))
    return tuple(found)


def risk_coverage(confidence: Sequence[float], correct: Sequence[bool]) -> RiskCoverage:
    """Return the risk-coverage curve of labels and its area.

    Raises:
        DataError: as `calibration`.
    """
    groups = _Groups.of(confidence, correct)
    n, right = groups.observed
    kept = np.cumsum(n[0, ::-1])
    wrong = np.cumsum((n - right)[0, ::-1])
    total = right.sum()
    best = _area(np.array([[kept[-1] - total, total]]), np.array([[0.0, total]]))
    return RiskCoverage(
        coverage=tuple((kept / kept[-1]).tolist()),
        risk=tuple((wrong / kept).tolist()),
        area=float(_area(n, right)[0]),
        best_area=float(best[0]),
    )


def auroc(uncertainty: Sequence[float], wrong: Sequence[bool]) -> float | None:
    """Return the chance that a wrong label is more uncertain than a right one, half of it for equals; None when all
    are right or all wrong. `uncertainty` may have any scale (an entropy, 1 - confidence).

    Raises:
        DataError: lengths differ, nothing is given, or an uncertainty is not a finite number.
    """
    stated, bad = _paired(uncertainty, wrong)
    if not np.isfinite(stated).all():
        raise DataError(f"An uncertainty is {stated[~np.isfinite(stated)][0]}; it must be a finite number.")
    if bad.min() == bad.max():
        return None
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(bad, stated))


def entropy(counts: Sequence[float]) -> float | None:
    """Return the entropy of the shares of `counts`, in nats: 0 when all is in one cluster, log k for k equal ones; None
    where there is nothing to count (Kuhn et al., 2023, over clusters by their counts; Farquhar et al., 2024).

    Raises:
        DataError: a count is negative.
    """
    if any(count < 0 for count in counts):
        raise DataError(f"A cluster has the count {min(counts)}; counts cannot be negative.")
    total = sum(counts)
    if not total:
        return None
    return -sum(count / total * log(count / total) for count in counts if count) + 0.0


@dataclass(frozen=True)
class _Groups:
    """Labels gathered by their confidence: `values` are the G different ones, ascending; `order` sorts the labels,
    `starts` says where each value begins. `width` and `mass` give each value's bar, among edges."""

    values: Floats
    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    right: Floats
    width: NDArray[np.int64]
    width_edges: Floats
    mass: NDArray[np.int64]
    mass_edges: Floats

    @classmethod
    def of(cls, confidence: Sequence[float], correct: Sequence[bool], bins: int = BINS) -> _Groups:
        stated, right = checked(confidence, correct)
        order = np.argsort(stated, kind="stable")
        values, starts = np.unique(stated[order], return_index=True)
        shares = np.arange(1, bins + 1) / bins
        tops = np.unique(np.quantile(stated, shares, method="inverted_cdf"))
        return cls(
            values=values,
            order=order,
            starts=starts,
            right=right[order],
            width=np.clip(np.ceil(values * bins).astype(np.int64) - 1, 0, bins - 1),
            width_edges=np.arange(bins + 1) / bins,
            mass=np.searchsorted(tops, values, side="left"),
            mass_edges=np.concatenate([[0.0], tops[:-1], [1.0]]),
        )

    @property
    def observed(self) -> tuple[Floats, Floats]:
        """How many labels, and right ones, have each value, (1, G) each."""
        return self.sums(np.ones((1, len(self.order)), dtype=np.int64))

    def sums(self, counts: NDArray[np.int64]) -> tuple[Floats, Floats]:
        """How many labels, and right ones, have each value, (rows, G) each, when label n counts `counts[row, n]`
        times."""
        weights = counts[:, self.order].astype(np.float64)
        n: Floats = np.add.reduceat(weights, self.starts, axis=1)
        right: Floats = np.add.reduceat(weights * self.right, self.starts, axis=1)
        return n, right

    def measures(self, n: Floats, right: Floats) -> dict[Measure, Floats]:
        """Every measure of each row of `sums`, (rows,); NaN where it has no value."""
        total = n.sum(axis=1)
        wrong = n - right
        below = np.cumsum(wrong, axis=1) - wrong / 2  # wrong labels below a value, half of those at it
        with np.errstate(invalid="ignore"):
            ranked = (right * below).sum(axis=1) / (right.sum(axis=1) * wrong.sum(axis=1))
        return {
            "error": self._error(n, right, self.width) / total,
            "mass_error": self._error(n, right, self.mass) / total,
            "brier": (n * self.values**2 + right * (1 - 2 * self.values)).sum(axis=1) / total,
            "auroc": ranked,
            "area": _area(n, right),
        }

    def _error(self, n: Floats, right: Floats, place: NDArray[np.int64]) -> Floats:
        _, starts = np.unique(place, return_index=True)
        gaps: Floats = np.abs(np.add.reduceat(right - n * self.values, starts, axis=1)).sum(axis=1)
        return gaps


def _area(n: Floats, right: Floats) -> Floats:
    """The mean over k = 1, ... of the share of wrong labels among the k most confident, (rows,); columns of `n` and
    `right` go by ascending confidence.

    Of a group of m labels, w of them wrong, that comes after c labels with e wrong ones, the j-th brings w/m wrong
    labels on average, so that the group adds the sum of (e + j w/m) / (c + j) over j = 1, ..., m.
    """
    m, wrong = n[:, ::-1], (n - right)[:, ::-1]
    upto = np.cumsum(m, axis=1)
    before, missed = upto - m, np.cumsum(wrong, axis=1) - wrong
    most = int(upto[:, -1].max())
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, most + 1))])
    steps = harmonic[upto.astype(np.int64)] - harmonic[before.astype(np.int64)]
    rate = np.divide(wrong, m, out=np.zeros_like(wrong), where=m > 0)
    area: Floats = (missed * steps + rate * (m - before * steps)).sum(axis=1) / upto[:, -1]
    return area


def _paired(stated: Sequence[float], outcome: Sequence[bool]) -> tuple[Floats, Floats]:
    values, outcomes = np.asarray(stated, dtype=float), np.asarray(outcome, dtype=float)
    if values.shape != outcomes.shape or not values.size:
        raise DataError(
            f"There are {values.size} confidences and {outcomes.size} outcomes; both need one value per label, "
            "at least one."
        )
    return values, outcomes


def checked(confidence: Sequence[float], correct: Sequence[bool]) -> tuple[Floats, Floats]:
    """Return both as arrays, (labels,).

    Raises:
        DataError: lengths differ, nothing is given, or a confidence lies outside [0, 1].
    """
    stated, right = _paired(confidence, correct)
    outside = ~((stated >= 0) & (stated <= 1))
    if outside.any():
        raise DataError(f"A confidence is {stated[outside][0]}; it must lie between 0 and 1.")
    return stated, right
