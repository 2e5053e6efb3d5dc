"""QuaRTz: two-option questions about qualitative relations, each with the sentence that explains it (Tafjord 2019)."""

from __future__ import annotations

from typing import ClassVar, Literal

from w2sg.records import Example, Gold, TaskRow
from w2sg.tasks.grading import ChoiceGrader, letter
from w2sg.tasks.public import PublicConfig, PublicTask, lettered
from w2sg.tasks.sources import Record


class QuartzConfig(PublicConfig):
    """QuaRTz, from local files in the Hub's form or `allenai/quartz`."""

    kind: Literal["quartz"] = "quartz"
    """This task."""
    passage: bool = True
    """Show the explaining sentence before the question."""

    def build(self) -> Quartz:
        """Return the task."""
        return Quartz(self)


class Quartz(PublicTask):
    """Questions about one sentence are one group, so that none is trained on and another tested."""

    grader = ChoiceGrader()
    hub_name: ClassVar[str] = "allenai/quartz"
    config: QuartzConfig

    def row(self, record: Record, id: str) -> TaskRow:
        """Put the sentence before the question."""
        id = record.optional_text("id") or id
        options, labels = record.options("choices")
        position = lettered(record, labels, "answerKey")
        passage = record.optional_text("para") if self.config.passage else ""
        question = record.text("question")
        example = Example(
            id, f"{passage}\n{question}" if passage else question, options, group=record.optional_text("para_id")
        )
        return TaskRow(example, Gold(id, letter(position)))
