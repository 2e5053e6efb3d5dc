"""How good a set of graded predictions is, and how a student's answers relate to its teacher's.

Counting only; intervals over seeds and comparisons between arms are `verdict`'s, grading is the tasks'.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from w2sg.errors import DataError
from w2sg.records import ItemScore, by_id, join


@dataclass(frozen=True)
class Quality:
    """Counts of one set of scores. An unparsed answer is wrong and stays in `n`."""

    n: int
    correct: int
    unparsed: int
    low: float
    high: float

    @property
    def accuracy(self) -> float:
        """Share of all items that were answered correctly."""
        return self.correct / self.n

    @property
    def unparsed_share(self) -> float:
        """Share of all items whose answer could not be read."""
        return self.unparsed / self.n


@dataclass(frozen=True)
class Inheritance:
    """How a student's answers relate to its teacher's on the same `n` items.

    `agreement`: share of items with the same parsed answer. `teacher_wrong` counts the items on which the teacher
    is wrong; of these, `inherited` is the share where the student gives the teacher's very answer (parsed), and
    `corrected` the share where it is right. `broken` is the share of the items on which the teacher is right that
    the student gets wrong. A share of nothing is None.
    """

    n: int
    agreement: float
    teacher_wrong: int
    inherited: float | None
    corrected: float | None
    broken: float | None


def quality(scores: Sequence[ItemScore]) -> Quality:
    """Count the scores, with Wilson's interval for the accuracy.

    Raises:
        DataError: there are no scores, or an id occurs twice.
    """
    if not by_id(scores, "scores"):
        raise DataError("There are no scores to count. Every task needs at least one test item.")
    correct = sum(score.correct for score in scores)
    low, high = wilson(correct, len(scores))
    return Quality(len(scores), correct, sum(not score.parsed for score in scores), low, high)


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95 % interval for a proportion (Wilson, 1927)."""
    from scipy.stats import binomtest

    interval = binomtest(successes, n).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def inheritance(student: Sequence[ItemScore], teacher: Sequence[ItemScore]) -> Inheritance:
    """Compare a student's answers with its teacher's, joined by id.

    Raises:
        DataError: there are no scores, or the two hold different items.
    """
    if len(student) != len(teacher) or not student:
        raise DataError(
            f"The student has {len(student)} scores and the teacher {len(teacher)}; both need the same items."
        )
    pairs = list(zip(student, join([s.id for s in student], by_id(teacher, "scores"), "teacher's score"), strict=True))
    same = [mine.answer is not None and mine.answer == theirs.answer for mine, theirs in pairs]
    wrong = [place for place, (_, theirs) in enumerate(pairs) if not theirs.correct]
    right = [place for place, (_, theirs) in enumerate(pairs) if theirs.correct]
    return Inheritance(
        n=len(pairs),
        agreement=sum(same) / len(pairs),
        teacher_wrong=len(wrong),
        inherited=_share(same[place] for place in wrong),
        corrected=_share(pairs[place][0].correct for place in wrong),
        broken=_share(not pairs[place][0].correct for place in right),
    )


def commonest(answers: Iterable[str | None]) -> tuple[str, float] | None:
    """Return the most frequent parsed answer and its share of all answers, unparsed ones included; None without any."""
    answers = list(answers)
    counts = Counter(answer for answer in answers if answer is not None)
    if not counts:
        return None
    answer, count = max(counts.items(), key=lambda pair: (pair[1], pair[0]))
    return answer, count / len(answers)


def _share(flags: Iterable[bool]) -> float | None:
    flags = list(flags)
    return sum(flags) / len(flags) if flags else None
