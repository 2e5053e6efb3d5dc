"""ProntoQA: chains of rules about made-up kinds, true or false, with gold deductions (Saparov & He 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal

from w2sg.config import added
from w2sg.records import Example, Gold, TaskRow
from w2sg.tasks.grading import TruthGrader
from w2sg.tasks.public import PublicConfig, PublicTask
from w2sg.tasks.revision import Answers, Demonstration, Order
from w2sg.tasks.sources import Record
from w2sg.tasks.world.config import LogicConfig, WorldTask


class ProntoQaConfig(PublicConfig):
    """ProntoQA in the form of Logic-LLM. Its dev rows take five deductions, its training rows two to four, so with
    a `test` file the test is the harder stratum unless `split.easy_up_to` says otherwise."""

    kind: Literal["prontoqa"] = "prontoqa"
    """This task."""
    threads: bool = added(False)
    """Ask for revisions, and tell doubt, as the embedded world does: in the threads that members of the zoo have read,
    which take less of their context than the request in plain English."""
    hub_has_test: ClassVar[bool] = False

    @classmethod
    def standard_split(cls, data: dict[str, Any]) -> dict[str, Any]:
        """Call rows of more than four deductions harder where there is a test file."""
        standard = super().standard_split(data)
        return {**standard, "easy_up_to": 4.0} if data.get("test") else standard

    def build(self) -> ProntoQa:
        """Return the task."""
        return ProntoQa(self)


class ProntoQa(PublicTask):
    """Difficulty is the number of deductions of the gold explanation."""

    grader = TruthGrader()
    hub_name: ClassVar[str] = "renma/ProntoQA"
    gold_reasons: ClassVar[bool] = True
    hub_train: ClassVar[str] = "validation"
    config: ProntoQaConfig

    @cached_property
    def _world(self) -> WorldTask:
        return LogicConfig(instruction=self.instruction()).build()

    def revise_prompt(
        self,
        example: Example,
        *,
        attempt: str = "",
        others: Sequence[Demonstration] = (),
        order: Order = "own-first",
        heads: bool = True,
    ) -> str:
        ask = self._world.revise_prompt if self.config.threads else super().revise_prompt
        return ask(example, attempt=attempt, others=others, order=order, heads=heads)

    def doubt_in_words(self, example: Example, answers: Answers, unparsed: int) -> str:
        say = self._world.doubt_in_words if self.config.threads else super().doubt_in_words
        return say(example, answers, unparsed)

    def row(self, record: Record, id: str) -> TaskRow:
        """Put the context before the question; the explanation is the gold reasoning."""
        option = record.text("answer")
        if option not in ("A", "B"):
            raise record.fault(f"'answer' must be 'A' (true) or 'B' (false), and is {option!r}.")
        id = f"{id.partition('-')[0]}-{record.optional_text('id')}" if record.has("id") else id
        steps = record.texts("explanation") if record.has("explanation") else ()
        # A fact, then a rule and its conclusion for each deduction.
        deductions = float(len(steps) // 2) if steps else None
        question = f"{record.text('context')}\n{record.text('question')}"
        answer = "true" if option == "A" else "false"
        return TaskRow(Example(id, question, difficulty=deductions), Gold(id, answer, rationale=" ".join(steps)))
