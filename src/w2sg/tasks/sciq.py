"""SciQ: science questions with one right option and three distractors (Welbl et al. 2017)."""

from __future__ import annotations

import hashlib
from typing import ClassVar, Literal

from w2sg.records import Example, Gold, TaskRow
from w2sg.tasks.grading import ChoiceGrader, letter
from w2sg.tasks.public import PublicConfig, PublicTask
from w2sg.tasks.sources import Record

_COLUMNS = ("correct_answer", "distractor1", "distractor2", "distractor3")


class SciqConfig(PublicConfig):
    """SciQ, from local files in the Hub's form or `allenai/sciq`."""

    kind: Literal["sciq"] = "sciq"
    """This task."""
    passage: bool = False
    """Show the supporting passage before the question (open book)."""

    def build(self) -> Sciq:
        """Return the task."""
        return Sciq(self)


class Sciq(PublicTask):
    """The options stand in an order that depends on the question alone."""

    grader = ChoiceGrader()
    hub_name: ClassVar[str] = "allenai/sciq"
    config: SciqConfig

    def row(self, record: Record, id: str) -> TaskRow:
        """Mix the right option among the distractors."""
        question = record.text("question")
        right, *wrong = (record.text(column) for column in _COLUMNS)
        # A distractor that repeats another option would leave two right letters or two equal wrong ones.
        options = sorted(
            {right, *wrong}, key=lambda option: hashlib.sha256(f"{question}\x1f{option}".encode()).digest()
        )
        if len(options) < 2:
            raise record.fault("the right answer and the distractors are all the same.")
        passage = record.optional_text("support") if self.config.passage else ""
        text = f"{passage}\n{question}" if passage else question
        return TaskRow(Example(id, text, tuple(options)), Gold(id, letter(options.index(right))))
