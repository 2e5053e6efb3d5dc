"""HotpotQA, closed book: two-hop questions with short answers (Yang et al. 2018). No passages are shown."""

from __future__ import annotations

from typing import ClassVar, Literal

from w2sg.records import Example, Gold, TaskRow
from w2sg.tasks.grading import ShortGrader
from w2sg.tasks.public import PublicConfig, PublicTask
from w2sg.tasks.sources import Record

_LEVELS = {"easy": 0.0, "medium": 1.0, "hard": 2.0}


class HotpotQaConfig(PublicConfig):
    """HotpotQA, from local files (the simplified rows of ReAct or the Hub's) or `hotpotqa/hotpot_qa`."""

    kind: Literal["hotpotqa"] = "hotpotqa"
    """This task."""
    match: Literal["exact", "contains"] = "exact"
    """When an answer is right: equal to the gold answer, or holding it as whole words."""

    def build(self) -> HotpotQa:
        """Return the task."""
        return HotpotQa(self)


class HotpotQa(PublicTask):
    """Difficulty is the data's own level (0 easy, 1 medium, 2 hard) where the rows have one."""

    hub_name: ClassVar[str] = "hotpotqa/hotpot_qa"
    hub_config: ClassVar[str | None] = "fullwiki"
    hub_test: ClassVar[str] = "validation"
    config: HotpotQaConfig

    @property
    def grader(self) -> ShortGrader:
        """The short-answer grader."""
        return ShortGrader(self.config.match)

    def row(self, record: Record, id: str) -> TaskRow:
        """Read question and answer; passages are left where they are."""
        id = record.optional_text("id") or id
        level = record.optional_text("level")
        if level and level not in _LEVELS:
            raise record.fault(f"'level' is {level!r}; known are {', '.join(_LEVELS)}.")
        return TaskRow(
            Example(id, record.text("question"), difficulty=_LEVELS.get(level)), Gold(id, record.text("answer"))
        )
