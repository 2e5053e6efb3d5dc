"""What every grader promises, and the table of them by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from w2sg.records import Gold
from w2sg.registry import Registry


class Grader(ABC):
    """Reads answers of one kind. Normal forms are strings; two answers are the same when theirs are equal."""

    name: ClassVar[str]
    asks_for: ClassVar[str]
    """How an instruction names the answer that is wanted ("the number")."""

    @abstractmethod
    def parse(self, text: str, choices: Sequence[str] = ()) -> str | None:
        """Return the normal form of the final answer that `text`, a whole reply, gives; None when it gives none."""

    def written(self, text: str, choices: Sequence[str] = ()) -> str | None:
        """Return the final answer that `parse` finds as a reader would be told it: its normal form, unless that is not
        how anybody writes; None where there is none."""
        return self.parse(text, choices)

    @abstractmethod
    def normal(self, answer: str, choices: Sequence[str] = ()) -> str | None:
        """Return the normal form of a bare answer, such as a gold one; None when it is no answer of this kind."""

    def correct(self, answer: str | None, gold: Gold, choices: Sequence[str] = ()) -> bool:
        """Whether a parsed answer equals the gold answer or one of its aliases; None never does."""
        if answer is None:
            return False
        found = self.normal(answer, choices)
        return found is not None and any(
            found == self.normal(accepted, choices) for accepted in (gold.answer, *gold.aliases)
        )

    def shown(self, answer: str, choices: Sequence[str] = ()) -> str:
        """Return the answer as it is written after the answer mark, on one line."""
        return " ".join(answer.split())


GRADERS = Registry(
    "graders",
    {
        "numeric": "w2sg.tasks.grading.numeric:NumericGrader",
        "choice": "w2sg.tasks.grading.choice:ChoiceGrader",
        "short": "w2sg.tasks.grading.short:ShortGrader",
        "truth": "w2sg.tasks.grading.truth:TruthGrader",
    },
)


def grader(name: str, **settings: Any) -> Grader:
    """Return the grader called `name` with its own settings.

    Raises:
        ConfigError: there is no such grader.
    """
    found: Grader = GRADERS.get(name)(**settings)
    return found
