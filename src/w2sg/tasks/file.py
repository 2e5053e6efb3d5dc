"""The user's own file: questions with answers, and a pool of questions without.

A row has `question` and `answer`, and may have `choices`, `rationale`, `group`, `difficulty` and `id`. An answer that
ends in a line `#### answer` holds its rationale before that line. Reading bytes is left to `sources`, a report on a
file to `check`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import model_validator

from w2sg.config import runtime
from w2sg.errors import DataError
from w2sg.records import Example, Gold, TaskRow
from w2sg.tasks.base import Task, TaskConfig
from w2sg.tasks.grading import Grader, NumericGrader, grader, letter
from w2sg.tasks.gsm8k import CALCULATION
from w2sg.tasks.public import has_threshold, reasoning_instruction
from w2sg.tasks.sources import Record, read_records, shorten

COLUMNS = ("question", "answer", "choices", "rationale", "group", "difficulty", "id")
_Part = Literal["", "transfer", "test"]
GraderName = Literal["auto", "numeric", "choice", "short", "truth"]

_NUMBER = re.compile(  # a number with its currency before it, or at most two words of unit after it
    r"[-+−]?\s?(?:[A-Z]{2,3}\s?)?[$€£¥]?\s?-?[0-9][0-9.,/ ]*(?:e[-+]?[0-9]+)?(?:\s?[^\W\d]+\.?|\s?%){0,2}"
)
_SOLUTION = re.compile(r"(.*)\n#### *(\S.*)", re.DOTALL)
"""An answer that holds its reasoning, the way GSM8K writes it."""
_MOSTLY = 0.9


class FileConfig(TaskConfig):
    """Your own questions. The files' content, not their place, decides the result."""

    kind: Literal["file"] = "file"
    """This task."""
    labelled: Path | None = runtime(None)
    """A JSONL, JSON or parquet file; every row has `question` and `answer`. Training needs it; asking a finished model
    does not."""
    unlabelled: Path | None = runtime(None)
    """A file of questions to learn from; its rows need no `answer` and train the student only."""
    test: Path | None = runtime(None)
    """A file with answers to test on; not given: a share of the labelled rows is tested on."""
    grader: GraderName = "auto"
    """How answers are read and compared; `auto` judges by the labelled answers."""
    last_number: bool = False
    """Numeric answers: let a reply without an answer mark count by its last number."""
    match: Literal["exact", "contains"] = "exact"
    """Short answers: right when equal to the gold answer, or when holding it as whole words."""

    @model_validator(mode="after")
    def _some_file(self) -> FileConfig:
        if not self.files():
            raise ValueError("give `labelled`, a file of questions with answers")
        return self

    @property
    def pool_without_gold(self) -> bool:
        """Whether there is a file of questions to learn from."""
        return self.unlabelled is not None

    def files(self) -> dict[str, Path]:
        """Return the files, by their settings."""
        named = (("labelled", self.labelled), ("unlabelled", self.unlabelled), ("test", self.test))
        return {name: path for name, path in named if path is not None}

    @classmethod
    def standard_split(cls, data: dict[str, Any]) -> dict[str, Any]:
        """With a pool of its own for transfer, the labelled rows serve the rest; else transfer gets half of them."""
        standard = super().standard_split(data)
        standard.update(validate=0.1, test_id=0.25)
        standard["supervise"] = "rest" if data.get("unlabelled") else 0.25
        if has_threshold(data):
            standard["test_ood"] = 0.25
        if data.get("test"):
            standard.update(test_id="rest", test_ood="rest")
        return standard

    def resolved(self) -> FileConfig:
        """Return the settings with the grader that `auto` finds fitting."""
        return self if self.grader != "auto" else self.model_copy(update={"grader": guessed_grader(self)})

    def check_files(self) -> None:
        """Look whether a pool that is to be divided by difficulty has one."""
        if self.unlabelled is None or self.split.transfer_from == "all":
            return
        rows = rows_of(read_records(self.unlabelled))
        if self.difficulty_from is None:
            missing = sum(row.example.difficulty is None for row in rows)
        else:
            missing = sum(row.gold is None for row in rows)
        if missing:
            raise DataError(
                f"`split.transfer_from` is {self.split.transfer_from!r}, and {missing:,} of {len(rows):,} rows of the "
                f"pool {str(self.unlabelled)!r} have no difficulty: `w2sg difficulty` cannot rate rows without answers."
                " Leave `transfer_from` out, so that all of the pool is learnt from, or give its rows a column "
                "`difficulty` (read where there is no `difficulty_from`)."
            )

    def build(self) -> FileTask:
        """Return the task."""
        return FileTask(self)


def guessed_grader(config: FileConfig) -> str:
    """Return the grader that fits the answers of the labelled file, else of the test file; without answers, any text.

    Raises:
        DataError: the file cannot be read, or some of its rows have options and some have none.
    """
    path = config.labelled or config.test or config.unlabelled
    assert path is not None
    rows = rows_of(read_records(path))
    examples, golds = [row.example for row in rows], [row.gold for row in rows if row.gold]
    if not golds and path == config.unlabelled:
        return "choice" if all(example.choices for example in examples) else "short"
    return guess_grader(examples, golds)[0]


class FileTask(Task):
    """The rows of the user's files. They are read by `load` alone, unless the grader is still to be judged (`auto`)."""

    config: FileConfig

    @cached_property
    def _grader(self) -> Grader:
        name = self.config.resolved().grader
        settings: dict[str, dict[str, Any]] = {
            "numeric": {"last_number": self.config.last_number},
            "short": {"match": self.config.match},
        }
        return grader(name, **settings.get(name, {}))

    @property
    def grader(self) -> Grader:
        """The chosen grader, or the one that fits the labelled answers."""
        return self._grader

    def own_instruction(self) -> str:
        """Ask for reasoning and for the answer line."""
        return reasoning_instruction(self)

    def load(self) -> list[TaskRow]:
        """Return the rows of all files: the pool's have the role `transfer`, the test file's `test`.

        Raises:
            DataError: a file or row cannot be read, an answer is missing or does not fit the grader, an id occurs
                twice.
        """
        config = self.config
        rows: list[TaskRow] = []
        parts: list[tuple[Path | None, _Part]] = [
            (config.labelled, ""),
            (config.test, "test"),
            (config.unlabelled, "transfer"),
        ]
        for path, part in parts:
            if path is None:
                continue
            records = read_records(path)
            found = rows_of(records, part)
            for record, row in zip(records, found, strict=True):
                self._check(record, row)
            rows += found
        _check_ids(rows)
        return rows

    def _check(self, record: Record, row: TaskRow) -> None:
        if row.gold is None:
            if row.role != "transfer":
                raise record.fault(
                    "the row has no 'answer'. Rows without answers belong into a file of their own, given as "
                    "`unlabelled`."
                )
        elif message := unreadable(self.grader, row):
            raise record.fault(message)


def unreadable(grader: Grader, row: TaskRow) -> str:
    """Return what is wrong with a row's gold answer: it is not of the grader's kind, or cannot be read back from the
    answer line that a model would be taught; an empty string when nothing is."""
    gold, choices = row.gold, row.example.choices
    if gold is None:
        return ""
    if grader.normal(gold.answer, choices) is None:
        if grader.name == "choice":
            return f"the answer {shorten(gold.answer)} is none of the row's options."
        return (
            f"the answer {shorten(gold.answer)} is not {grader.asks_for}. Mend it, or set `grader: short`, which "
            "takes any text."
        )
    line = f"{Task.mark} {grader.shown(gold.answer, choices)}"
    if not grader.correct(grader.parse(line, choices), gold, choices):
        return f"the answer {shorten(gold.answer)} cannot be told apart in the line {shorten(line)}. Put it plainly."
    return ""


def rows_of(records: Iterable[Record], role: _Part = "", seen: dict[str, int] | None = None) -> list[TaskRow]:
    """Return the rows of records in the user's form. A row without `id` gets one from its content, so that it keeps
    it when other rows come or go; `seen` counts equal contents over several calls.

    Raises:
        DataError: a column is missing or has the wrong type.
    """
    counts: dict[str, int] = {} if seen is None else seen
    return [_row(record, role, counts) for record in records]


def _row(record: Record, role: _Part, seen: dict[str, int]) -> TaskRow:
    question = record.text("question")
    choices, labels = record.options("choices") if _is_given(record, "choices") else ((), ())
    if len(set(choices)) < len(choices):
        raise record.fault(f"'choices' holds the same option twice ({shorten(list(choices))}).")
    id = record.text("id") if _is_given(record, "id") else _content_id(question, choices, role, seen)
    example = Example(id, question, choices, record.optional_text("group"), record.number("difficulty"))
    if not _is_given(record, "answer"):
        return TaskRow(example, None, role)
    several = isinstance(record.values["answer"], list | tuple)
    answer, *aliases = record.texts("answer") if several else (record.text("answer"),)
    for named in (choices, labels):  # an option's very text comes before any reading as a label
        if answer in named:
            answer = letter(named.index(answer))
            break
    rationale = record.optional_text("rationale")
    if not rationale and (solution := _SOLUTION.fullmatch(answer)):
        rationale, answer = CALCULATION.sub("", solution[1]).strip(), solution[2].strip()
    return TaskRow(example, Gold(id, answer, tuple(aliases), rationale), role)


def _is_given(record: Record, key: str) -> bool:
    value = record.values.get(key)
    return value is not None and value != "" and value != []


def _content_id(question: str, choices: Sequence[str], role: str, seen: dict[str, int]) -> str:
    digest = hashlib.sha256("\x1f".join((question, *choices)).encode()).hexdigest()[:16]
    name = f"{role}-{digest}" if role else digest
    seen[name] = seen.get(name, 0) + 1
    return name if seen[name] == 1 else f"{name}-{seen[name]}"


def _check_ids(rows: Sequence[TaskRow]) -> None:
    taken: dict[str, TaskRow] = {}
    for row in rows:
        example = row.example
        if (other := taken.setdefault(example.id, row)) is not row:
            raise DataError(
                f"The id {example.id!r} stands for two rows: {shorten(other.example.question)} and "
                f"{shorten(example.question)}. Ids must be unique over all files; without the column `id`, ids are "
                "made from the content."
            )


def guess_grader(examples: Sequence[Example], golds: Sequence[Gold]) -> tuple[str, str]:
    """Return the name of the grader that fits the answers, and the reason in a sentence.

    Raises:
        DataError: there are no answers, or some rows have options and some have none.
    """
    if not golds:
        raise DataError(
            "No row has an answer: there is nothing to grade by, and no grader can be judged to fit. Give rows with an "
            "`answer`; where they are a pool without, set `grader` yourself."
        )
    with_options = sum(bool(example.choices) for example in examples)
    if 0 < with_options < len(examples):
        raise DataError(
            f"{with_options:,} of {len(examples):,} rows have `choices` and the others have none. Divide them into "
            "two files, or set `grader` yourself."
        )
    if with_options:
        return "choice", "the rows have choices"
    total = len(golds)
    truth = grader("truth")
    for name, kind, fitting in (
        ("truth", "true, false, yes, no or unknown", sum(truth.normal(gold.answer) is not None for gold in golds)),
        ("numeric", "numbers", sum(_is_number(gold.answer) for gold in golds)),
    ):
        if fitting >= _MOSTLY * total:
            return name, f"{fitting:,} of {total:,} answers are {kind}"
    return "short", "the answers are free text"


def _is_number(answer: str) -> bool:
    return _NUMBER.fullmatch(answer.strip()) is not None and NumericGrader().normal(answer) is not None
