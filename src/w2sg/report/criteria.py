"""When a criterion is met: bounds on figures with intervals, and what several figures amount to.

Which criteria there are, and what is measured for them, is `zoo_check`'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from w2sg.metrics.verdict import Estimate

Status = Literal["met, interval clear", "met, interval not", "not met", "not measured"]
_WORST_FIRST: tuple[Status, ...] = ("not met", "not measured", "met, interval not", "met, interval clear")
_DIGITS = 12  # what lies beyond is rounding: 0.55 - 0.45 reaches 0.1


@dataclass(frozen=True)
class Bounds:
    """What a figure must keep to: at least `least`, at most `most`; above `least` instead where `strict`; and with
    the whole of its interval, not its value alone, where `shown`."""

    least: float = float("-inf")
    most: float = float("inf")
    strict: bool = False
    shown: bool = False

    def hold(self, value: float) -> bool:
        """Whether the value keeps to the bounds."""
        value = round(value, _DIGITS)
        return (value > self.least if self.strict else value >= self.least) and value <= self.most

    def judge(self, estimate: Estimate | None) -> Status:
        """Return whether the value keeps to the bounds, and whether the whole interval does; None is not measured."""
        if estimate is None:
            return "not measured"
        clear = self.hold(estimate.low) and self.hold(estimate.high)
        if not self.hold(estimate.value) or (self.shown and not clear):
            return "not met"
        return "met, interval clear" if clear else "met, interval not"

    def in_words(self, difference: bool) -> str:
        """Write the bounds, as points of a difference or as a share in percent."""
        if self.most < float("inf"):
            return f"{100 * self.least:.0f}–{100 * self.most:.0f} %"
        least = f"{100 * self.least:+.0f}" if difference and self.least else f"{100 * self.least:.0f}"
        said = f"{'>' if self.strict else '≥'} {least}{'' if difference else ' %'}"
        return f"{said} throughout" if self.shown else said


def overall(statuses: Iterable[Status]) -> Status:
    """Return what a criterion of several figures amounts to: the worst of theirs.

    Raises:
        ValueError: there are none.
    """
    return min(statuses, key=_WORST_FIRST.index)
