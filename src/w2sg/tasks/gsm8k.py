"""GSM8K: grade-school word problems with gold reasoning and a number (Cobbe et al. 2021)."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from w2sg.records import Example, Gold, TaskRow
from w2sg.tasks.grading import NumericGrader, normal_number
from w2sg.tasks.public import PublicConfig, PublicTask
from w2sg.tasks.sources import Record

CALCULATION = re.compile(r"<<[^<>]*>>")
"""A calculator's mark inside gold reasoning."""


class Gsm8kConfig(PublicConfig):
    """GSM8K, from local files or `openai/gsm8k`."""

    kind: Literal["gsm8k"] = "gsm8k"
    """This task."""
    last_number: bool = False
    """Let a reply without an answer mark count by its last number."""

    def build(self) -> Gsm8k:
        """Return the task."""
        return Gsm8k(self)


class Gsm8k(PublicTask):
    """Difficulty is the number of lines of the gold reasoning."""

    mark: ClassVar[str] = "####"
    gold_reasons: ClassVar[bool] = True
    hub_name: ClassVar[str] = "openai/gsm8k"
    hub_config: ClassVar[str | None] = "main"
    config: Gsm8kConfig

    @property
    def grader(self) -> NumericGrader:
        """The numeric grader."""
        return NumericGrader(self.config.last_number)

    def row(self, record: Record, id: str) -> TaskRow:
        """Divide the answer into reasoning, without its calculator marks, and number."""
        solution, mark, number = record.text("answer").rpartition("####")
        answer = normal_number(number)
        if not mark or answer is None:
            raise record.fault("'answer' must end with a line of the form '#### number'.")
        lines = [line.strip() for line in CALCULATION.sub("", solution).splitlines() if line.strip()]
        example = Example(id, record.text("question"), difficulty=float(len(lines)))
        return TaskRow(example, Gold(id, answer, rationale="\n".join(lines)))
