"""ARC: grade-school science questions with three to five options, an easy and a challenge set (Clark et al. 2018)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import model_validator

from w2sg.config import runtime
from w2sg.records import Example, Gold, TaskRow
from w2sg.tasks.base import Task, TaskConfig
from w2sg.tasks.grading import ChoiceGrader, letter
from w2sg.tasks.public import SUPERVISE_SHARE, TEST_SHARE, lettered, reasoning_instruction, with_role
from w2sg.tasks.sources import Record, hub_records, read_records

Part = Literal["easy", "challenge"]
_DIFFICULTY: dict[Part, float] = {"easy": 0.0, "challenge": 1.0}
_HUB = {"easy": "ARC-Easy", "challenge": "ARC-Challenge"}


class ArcConfig(TaskConfig):
    """ARC, from local files or `allenai/ai2_arc`. With both sets, the challenge set is the harder stratum (ood)."""

    kind: Literal["arc"] = "arc"
    """This task."""
    sets: tuple[Part, ...] = ("easy", "challenge")
    """Which sets to use. Their difficulties are 0 (easy) and 1 (challenge)."""
    train: dict[Part, Path] = runtime({})
    """Local files with the training rows, by set; none given: read from the Hub."""
    test: dict[Part, Path] = runtime({})
    """Local files with the official test rows, by set; a set without one gives a share of its training rows."""
    revision: str | None = None
    """The Hub revision (branch, tag or commit)."""

    @model_validator(mode="before")
    @classmethod
    def _sets_of_files(cls, data: Any) -> Any:
        """Take the sets from the files when `sets` is not given."""
        if isinstance(data, dict) and isinstance(data.get("train"), dict) and data["train"] and "sets" not in data:
            return {**data, "sets": tuple(data["train"])}
        return data

    @model_validator(mode="after")
    def _files_fit(self) -> ArcConfig:
        if not self.sets or len(set(self.sets)) < len(self.sets):
            raise ValueError("sets must name easy, challenge or both, each once")
        if self.test and not self.train:
            raise ValueError("`test` needs `train`, the files with the training rows")
        if self.train and set(self.train) != set(self.sets):
            raise ValueError(f"`train` must give a file for each of the sets {', '.join(self.sets)}")
        if self.test and set(self.test) != set(self.sets):
            raise ValueError(f"`test` must give a file for each of the sets {', '.join(self.sets)}, or none")
        return self

    def files(self) -> dict[str, Path]:
        """Return the local files, by setting and set."""
        parts = (("train", self.train), ("test", self.test))
        return {f"{name}.{part}": path for name, files in parts for part, path in files.items()}

    @classmethod
    def standard_split(cls, data: dict[str, Any]) -> dict[str, Any]:
        """Make the challenge set the harder stratum where both sets are used."""
        standard = super().standard_split(data)
        sets = data.get("sets") or data.get("train") or ("easy", "challenge")
        both = not isinstance(sets, str) and len(sets) == 2
        if both:
            standard["easy_up_to"] = 0.0
        if data.get("train") and not data.get("test"):
            standard.update(supervise=SUPERVISE_SHARE, test_id=TEST_SHARE, test_ood=TEST_SHARE if both else 0)
        return standard

    def build(self) -> Arc:
        """Return the task."""
        return Arc(self)


class Arc(Task):
    """Multiple choice, options by letter whatever their labels in the source."""

    config: ArcConfig
    grader = ChoiceGrader()

    def own_instruction(self) -> str:
        """Ask for reasoning and for the answer line."""
        return reasoning_instruction(self)

    def load(self) -> list[TaskRow]:
        """Return the rows of every set; those of the official tests have the role `test`."""
        rows = []
        for part in self.config.sets:
            for half in ("train", "test"):
                local: dict[Part, Path] = getattr(self.config, half)
                if part in local:
                    records = read_records(local[part])
                elif self.config.train:
                    continue
                else:
                    records = hub_records("allenai/ai2_arc", _HUB[part], half, self.config.revision)
                found = [
                    _row(record, f"{part}-{half}-{number}", _DIFFICULTY[part])
                    for number, record in enumerate(records, start=1)
                ]
                rows += with_role(found, "test" if half == "test" else "")
        return rows


def _row(record: Record, id: str, difficulty: float) -> TaskRow:
    """Read a row in the Hub's form (`choices`, `answerKey`) or in that of LLM-Adapters (`instruction`, `answer`)."""
    if record.has("instruction"):
        question, options = _adapters_question(record)
        position = int(record.text("answer").removeprefix("answer")) - 1 if _names_option(record, options) else -1
        if position < 0:
            raise record.fault(f"'answer' is {record.text('answer')!r}, and there are {len(options)} options.")
    else:
        question = record.text("question")
        options, labels = record.options("choices")
        position = lettered(record, labels, "answerKey")
        id = record.optional_text("id") or id
    return TaskRow(Example(id, question, options, difficulty=difficulty), Gold(id, letter(position)))


def _names_option(record: Record, options: tuple[str, ...]) -> bool:
    return record.text("answer") in {f"answer{number}" for number in range(1, len(options) + 1)}


def _adapters_question(record: Record) -> tuple[str, tuple[str, ...]]:
    """Take question and options out of `... question: Q Answer1: .. Answer2: .. Answer format: ..`."""
    text = record.text("instruction")
    body = text.rpartition("Answer format:")[0] or text
    head, found, rest = body.partition("Answer1:")
    options = []
    number = 2
    while found:
        option, found, rest = rest.partition(f" Answer{number}:")
        options.append(option.strip())
        number += 1
    question = head.partition("question:")[2].strip() or head.strip()
    if len(options) < 2 or not question or not all(options):
        raise record.fault("'instruction' must hold a question and at least 'Answer1: ... Answer2: ...'.")
    return question, tuple(options)
