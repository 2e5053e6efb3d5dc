"""What a rewriting student made of what it was shown, on questions whose gold is known after the fact: what it kept,
adopted or found itself, how right that is at each confidence, and which mistakes it took over.

Counting only; the scores come from grading, and whose they are is the report's to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal, get_args

from w2sg.errors import DataError
from w2sg.records import RewriteScore, by_id

Choice = Literal["agreed", "kept", "adopted", "new"]
CHOICES: tuple[Choice, ...] = get_args(Choice)

BINS = 5


@dataclass(frozen=True)
class Flip:
    """How often the student chose this way, and was then right or wrong; `own_right` and `shown_right` count how often
    its first answer and the one it was shown were right in these cases."""

    choice: Choice
    right: int
    wrong: int
    own_right: int
    shown_right: int


@dataclass(frozen=True)
class ConfidenceBin:
    """The `n` questions whose supervisor's confidence lies in (low, high], 0 in the first, with the shares right; `own`
    is None where the student made no attempt."""

    low: float
    high: float
    n: int
    shown: float
    own: float | None
    learnt: float


@dataclass(frozen=True)
class Rewrites:
    """A student's rewrites. Shares right are over the `taught` questions of `n`; the others were left out.

    `inherited` and `corrected`: of the taught questions whose shown answer is wrong, the share that learns that very
    answer, and the share that learns a right one. `broken`: of those whose shown answer is right, the share that
    learns a wrong one. A share of nothing is None, that of `own` answers too where the student made no attempt.
    """

    n: int
    taught: int
    bypassed: int
    shown: float | None
    own: float | None
    learnt: float | None
    flips: tuple[Flip, ...]
    bins: tuple[ConfidenceBin, ...]
    inherited: float | None
    corrected: float | None
    broken: float | None


def rewrites(scores: Sequence[RewriteScore], *, attempted: bool = True) -> Rewrites:
    """Count one student's rewrites.

    Args:
        attempted: whether it answered by itself first; an attempt that cannot be read is wrong, none is nothing.

    Raises:
        DataError: there are no scores, or an id occurs twice.
    """
    if not by_id(scores, "scores of rewrites"):
        raise DataError("There are no scores of rewrites to count.")
    taught = [score for score in scores if score.taught]
    misled = [score for score in taught if not score.shown_right]
    guided = [score for score in taught if score.shown_right]
    return Rewrites(
        n=len(scores),
        taught=len(taught),
        bypassed=sum(score.bypassed for score in taught),
        shown=_share([score.shown_right for score in taught]),
        own=_share([score.own_right for score in taught if attempted]),
        learnt=_share([score.learnt_right for score in taught]),
        flips=tuple(_flip(name, [score for score in taught if choice(score) == name]) for name in CHOICES),
        bins=_bins(taught, attempted),
        inherited=_share([score.learnt is not None and score.learnt == score.shown for score in misled]),
        corrected=_share([score.learnt_right for score in misled]),
        broken=_share([not score.learnt_right for score in guided]),
    )


def choice(score: RewriteScore) -> Choice:
    """Return what the student did: it had the shown answer already and stays with it (`agreed`), stays with its own
    against the shown one (`kept`), gives up its own for the shown one (`adopted`), or gives another or none (`new`)."""
    if score.learnt is None:
        return "new"
    if score.learnt == score.own:
        return "agreed" if score.own == score.shown else "kept"
    return "adopted" if score.learnt == score.shown else "new"


def _flip(name: Choice, scores: Sequence[RewriteScore]) -> Flip:
    right = sum(score.learnt_right for score in scores)
    own, shown = sum(score.own_right for score in scores), sum(score.shown_right for score in scores)
    return Flip(name, right, len(scores) - right, own, shown)


def _bins(scores: Sequence[RewriteScore], attempted: bool) -> tuple[ConfidenceBin, ...]:
    found = []
    for place in range(BINS):
        low, high = place / BINS, (place + 1) / BINS
        inside = [
            score
            for score in scores
            if score.confidence is not None
            and (low < score.confidence <= high or (place == 0 and score.confidence == 0))
        ]
        if inside:
            shown, learnt = (
                fmean(score.shown_right for score in inside),
                fmean(score.learnt_right for score in inside),
            )
            own = _share([score.own_right for score in inside if attempted])
            found.append(ConfidenceBin(low, high, len(inside), shown, own, learnt))
    return tuple(found)


def _share(flags: Sequence[bool]) -> float | None:
    return fmean(flags) if flags else None
