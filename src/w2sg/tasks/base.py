"""A task: questions with their gold, how a question is put, how a reply is read and judged; and its settings.

Each task has a `TaskConfig` (what the user writes) that builds a `Task` (what the steps call). Which row goes to which
role is decided by `splits`, who may read gold by `sealed`.
"""

from __future__ import annotations

import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import field_validator, model_validator

from w2sg.config import Config, added, runtime
from w2sg.records import Example, Gold, TaskRow
from w2sg.tasks.grading.base import Grader
from w2sg.tasks.grading.choice import letter
from w2sg.tasks.revision import Answers, Demonstration, Order, in_words, revise

Size = int | float | Literal["rest"]
"""A count of rows, a share of the rows a role draws from (0.25), or `rest`: all that the other roles leave."""

with warnings.catch_warnings():
    # pydantic warns of the name of its deprecated class method, which nothing here uses.
    warnings.filterwarnings("ignore", message='Field name "validate"')

    class SplitConfig(Config):
        """How many rows each role gets, and from where. Rows of one group always share a role."""

        supervise: Size = 0.45
        """Rows with open gold that train the weak side."""
        validate: Size = 0.05  # type: ignore[assignment]
        """Rows with open gold that fit calibrators and pick settings."""
        transfer: Size = "rest"
        """Rows whose questions train the student and whose gold is sealed."""
        test_id: Size = "rest"
        """Sealed test rows as hard as `supervise`; of a source with its own test file, from that file."""
        test_ood: Size = "rest"
        """Sealed test rows harder than `supervise`; needs `easy_up_to`."""
        easy_up_to: float | None = None
        """supervise, validate and test-id hold rows of at most this difficulty, test-ood harder ones."""
        easy_share: float | None = added(None, gt=0, lt=1)
        """In place of `easy_up_to`: so large a share of the rows, the easiest, counts as easy, and what is as hard as
        the hardest of them."""
        transfer_from: Literal["all", "easy", "hard"] = "all"
        """The side of `easy_up_to` that the transfer questions come from."""
        seed: int = 0
        """Decides which rows go where."""
        near_duplicates: Literal["drop", "report", "exact"] = "drop"
        """`drop`: a row much like a row of another role is left out (never a test row); `report`: such rows are
        only counted; `exact`: only equal questions are looked for."""

        @field_validator("supervise", "validate", "transfer", "test_id", "test_ood", mode="before")
        @classmethod
        def _possible(cls, size: object) -> object:
            if isinstance(size, bool) or not isinstance(size, int | float | str):
                raise ValueError("must be a count, a share below 1, or 'rest'")
            if isinstance(size, str):
                if size != "rest":
                    raise ValueError("must be a count, a share below 1, or 'rest'")
            elif size != size or size < 0 or (isinstance(size, float) and size > 1):
                raise ValueError("a count must not be negative, and a share must lie between 0 and 1")
            return size

        @property
        def tells_easy_from_hard(self) -> bool:
            """Whether rows above some difficulty are kept apart from the others."""
            return self.easy_up_to is not None or self.easy_share is not None

        @model_validator(mode="after")
        def _strata_need_a_threshold(self) -> SplitConfig:
            if self.easy_up_to is not None and self.easy_share is not None:
                raise ValueError("give easy_up_to, a difficulty, or easy_share, a share of the rows, and not both")
            if not self.tells_easy_from_hard and self.test_ood not in (0, "rest"):
                raise ValueError("test_ood needs easy_up_to, the difficulty above which a row counts as ood")
            if not self.tells_easy_from_hard and self.transfer_from != "all":
                raise ValueError(f"transfer_from {self.transfer_from!r} needs easy_up_to or easy_share")
            return self


class TaskConfig(Config, ABC):
    """Settings of one task. Subclasses fix `kind`, give `name` its default, add their own fields and `build`."""

    kind: str
    """Which task this is."""
    name: str = runtime("")
    """The task's name in results; the kind when empty."""
    split: SplitConfig = SplitConfig()
    """How the rows are divided."""
    instruction: str | None = added(None)
    """Text put after every question; the task's own when not given, none when empty."""
    difficulty_from: Path | None = runtime(None)
    """A file of ratings (made by `w2sg difficulty`) that say how hard each question is, in place of the task's own
    difficulty; its content, not its place, decides the result. `split.easy_share` then divides by it."""

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        if name and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
            raise ValueError("a task's name holds only letters, digits, dots, hyphens and underscores")
        return name

    @model_validator(mode="before")
    @classmethod
    def _completed(cls, data: object) -> object:
        """Name an unnamed task by its kind, and complete a partly given split with the task's own sizes."""
        if not isinstance(data, dict):
            return data
        data = dict(data)
        kind = data.get("kind") or cls.model_fields["kind"].default
        if not data.get("name") and isinstance(kind, str):
            data["name"] = cls.model_fields["name"].default or kind
        given = data.get("split", {})
        if isinstance(given, dict):
            standard = cls.standard_split(data)
            if data.get("difficulty_from") is not None or given.get("easy_share") is not None:
                standard = {**standard, "easy_up_to": None}  # a threshold in the task's own units
                divided = given.get("easy_share") is not None or given.get("easy_up_to") is not None
                if not divided and standard["test_ood"] != "rest":
                    standard["test_ood"] = 0
            data["split"] = {**standard, **given}
        return data

    @classmethod
    def standard_split(cls, data: dict[str, Any]) -> dict[str, Any]:
        """Return the sizes used where `data`, the settings given, name none: those of the field's default."""
        standard: SplitConfig = cls.model_fields["split"].default
        return standard.model_dump()

    @abstractmethod
    def build(self) -> Task:
        """Return the task; reads no file yet."""

    def resolved(self) -> Self:
        """Return the settings with everything that is judged by the local files written out, so that the task built
        from them reads a file in `load` only; these settings themselves when nothing is.

        Raises:
            DataError: a file cannot be read, or leaves the judgement open.
        """
        return self

    def check_files(self) -> None:
        """Look into the local files for what would fail only in the middle of a run; nothing here.

        Raises:
            DataError: they cannot serve these settings.
        """

    @property
    def pool_without_gold(self) -> bool:
        """Whether the transfer questions come from a pool without answers, so that nothing can be a ceiling."""
        return False

    def files(self) -> dict[str, Path]:
        """Return the local files with the task's rows, by the field that names them."""
        return {}

    def all_files(self) -> dict[str, Path]:
        """Return every local file that decides what is laid out: those of `files`, and the ratings if there are any."""
        ratings = {} if self.difficulty_from is None else {"difficulty_from": self.difficulty_from}
        return {**self.files(), **ratings}


class Task(ABC):
    """Questions, gold and judgement of one task. `version` is raised when one of them or the split changes."""

    version: ClassVar[int] = 2
    mark: ClassVar[str] = "Answer:"
    """What stands before the final answer in gold responses."""
    gold_reasons: ClassVar[bool] = False
    """Whether every gold answer comes with its reasoning."""

    def __init__(self, config: TaskConfig) -> None:
        self.config = config

    def reasons(self, text: str) -> bool:
        """Whether a response holds more than its final answer: something stands before the answer's mark."""
        return bool(text.partition(self.mark)[0].strip())

    def instruction(self) -> str:
        """Return the text put after every question: that of the settings, else the task's own."""
        given = self.config.instruction
        return self.own_instruction() if given is None else given

    def own_instruction(self) -> str:
        """Return the text put after every question unless the settings say otherwise; none here."""
        return ""

    @property
    def name(self) -> str:
        """The task's name in results."""
        return self.config.name

    @property
    @abstractmethod
    def grader(self) -> Grader:
        """What reads and compares answers."""

    @abstractmethod
    def load(self) -> list[TaskRow]:
        """Return every row; `role` and `stratum` are set where the source decides them (an official test file).

        Raises:
            DataError: the source is missing, unreachable or malformed.
        """

    def prompt(self, example: Example) -> str:
        """Return the user's turn: the question, a line per option, the instruction."""
        lines = [example.question]
        lines += [f"{letter(position)}. {choice}" for position, choice in enumerate(example.choices)]
        instruction = self.instruction()
        return "\n".join(lines) + (f"\n\n{instruction}" if instruction else "")

    def revise_prompt(
        self,
        example: Example,
        *,
        attempt: str = "",
        others: Sequence[Demonstration] = (),
        order: Order = "own-first",
        heads: bool = True,
    ) -> str:
        """Return the user's turn that asks a student to revise its `attempt` in the light of what others said.

        `heads` is the coin that decides which stands first when `order` is `blind`.
        """
        return revise(self.prompt(example), attempt, others, order, heads)

    def doubt_in_words(self, example: Example, answers: Answers, unparsed: int) -> str:
        """Return what somebody who gave these answers, so often each, and `unparsed` unreadable replies besides, says
        of the doubt in them. There is at least one answer."""
        return in_words(answers, unparsed)

    def gold_response(self, example: Example, gold: Gold, reasoning: bool = True) -> str:
        """Return what a model is trained to say: the gold reasoning, when there is one and `reasoning`, and the
        answer line."""
        line = f"{self.mark} {self.grader.shown(gold.answer, example.choices)}"
        rationale = gold.rationale.strip()
        return f"{rationale}\n{line}" if reasoning and rationale else line

    def parse(self, text: str, example: Example) -> str | None:
        """Return the normalised final answer of a reply; None when it cannot be read."""
        return self.grader.parse(text, example.choices)

    def written(self, text: str, example: Example) -> str | None:
        """Return the final answer of a reply as somebody else is told it; None when it cannot be read."""
        return self.grader.written(text, example.choices)

    def correct(self, answer: str | None, example: Example, gold: Gold) -> bool:
        """Whether a parsed answer is right; None never is.

        Raises:
            ValueError: `gold` belongs to another example.
        """
        if example.id != gold.id:
            raise ValueError(f"the gold of {gold.id!r} was given for the example {example.id!r}")
        return self.grader.correct(answer, gold, example.choices)

    def same(self, a: str, b: str) -> bool:
        """Whether two parsed answers mean the same."""
        return a == b
