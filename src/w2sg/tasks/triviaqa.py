"""TriviaQA, closed book: trivia questions with many accepted answers (Joshi et al. 2017).

The `unfiltered.nocontext` rows are used: the `rc` rows repeat a question once per evidence page, so that one question
would stand in several roles.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from w2sg.records import Example, Gold, TaskRow
from w2sg.tasks.duplicates import exact_key
from w2sg.tasks.grading import ShortGrader
from w2sg.tasks.public import PublicConfig, PublicTask
from w2sg.tasks.sources import Record


class TriviaQaConfig(PublicConfig):
    """TriviaQA, from local files in the Hub's form or `mandarjoshi/trivia_qa`; the validation rows are the test."""

    kind: Literal["triviaqa"] = "triviaqa"
    """This task."""
    match: Literal["exact", "contains"] = "exact"
    """When an answer is right: equal to the gold answer or an alias, or holding one as whole words."""

    def build(self) -> TriviaQa:
        """Return the task."""
        return TriviaQa(self)


class TriviaQa(PublicTask):
    """One row per question, whatever the number of rows in the source."""

    hub_name: ClassVar[str] = "mandarjoshi/trivia_qa"
    hub_config: ClassVar[str | None] = "unfiltered.nocontext"
    hub_test: ClassVar[str] = "validation"
    config: TriviaQaConfig

    @property
    def grader(self) -> ShortGrader:
        """The short-answer grader."""
        return ShortGrader(self.config.match)

    def row(self, record: Record, id: str) -> TaskRow:
        """Read question, answer and aliases."""
        id = record.optional_text("question_id") or id
        answer = record.values.get("answer")
        if not isinstance(answer, Mapping):
            raise record.fault("'answer' must be an object with 'value' and 'aliases'.")
        inner = Record(record.source, record.line, answer)
        value = inner.text("value")
        given = [alias for key in ("aliases", "normalized_aliases") if inner.has(key) for alias in inner.texts(key)]
        aliases = tuple(dict.fromkeys(alias for alias in given if alias != value))
        return TaskRow(Example(id, record.text("question")), Gold(id, value, aliases))

    def load(self) -> list[TaskRow]:
        """Return the rows, each question once within train and within test."""
        kept: dict[tuple[str, str], TaskRow] = {}
        ids: set[str] = set()
        for row in super().load():
            key = (row.role, exact_key(row.example))
            if key not in kept and row.example.id not in ids:
                kept[key] = row
                ids.add(row.example.id)
        return list(kept.values())
