"""What the adapters of public data sets share: local files or the Hub, official test rows kept as test."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import model_validator

from w2sg.config import runtime
from w2sg.records import Role, TaskRow
from w2sg.tasks.base import Task, TaskConfig
from w2sg.tasks.sources import Record, hub_records, read_records

TEST_SHARE = 0.2
SUPERVISE_SHARE = 0.35
"""The shares of the rows that these roles get where a source has no test file."""


class PublicConfig(TaskConfig):
    """A public data set: local files when `train` is given, else the Hub. The files' content, not their place,
    decides the result."""

    train: Path | None = runtime(None)
    """A local file (JSONL, JSON or parquet) with the training rows; not given: read from the Hub."""
    test: Path | None = runtime(None)
    """A local file with the official test rows; not given: a share of `train` is tested on."""
    revision: str | None = None
    """The Hub revision (branch, tag or commit)."""

    hub_has_test: ClassVar[bool] = True
    """Whether the Hub has official test rows with answers."""

    @model_validator(mode="after")
    def _train_comes_first(self) -> PublicConfig:
        if self.test is not None and self.train is None:
            raise ValueError("`test` needs `train`, the file with the training rows")
        return self

    def files(self) -> dict[str, Path]:
        """Return the local files, by their settings."""
        return {name: path for name, path in (("train", self.train), ("test", self.test)) if path is not None}

    @classmethod
    def standard_split(cls, data: dict[str, Any]) -> dict[str, Any]:
        """Take a share of the rows for test where no test file is given."""
        standard = super().standard_split(data)
        if not data.get("test") and (data.get("train") or not cls.hub_has_test):
            standard.update(
                supervise=SUPERVISE_SHARE, test_id=TEST_SHARE, test_ood=TEST_SHARE if has_threshold(data) else 0
            )
        return standard


def has_threshold(data: dict[str, Any]) -> bool:
    """Whether the settings of a task say which rows are hard."""
    split = data.get("split")
    return isinstance(split, dict) and (split.get("easy_up_to") is not None or split.get("easy_share") is not None)


class PublicTask(Task):
    """A public data set. Subclasses say where it is on the Hub and how a row is read."""

    hub_name: ClassVar[str]
    hub_config: ClassVar[str | None] = None
    hub_train: ClassVar[str] = "train"
    hub_test: ClassVar[str] = "test"
    config: PublicConfig

    @abstractmethod
    def row(self, record: Record, id: str) -> TaskRow:
        """Return the row of a record; `id` serves where the data bring none of their own.

        Raises:
            DataError: a column is missing or malformed.
        """

    def own_instruction(self) -> str:
        """Ask for reasoning and for the answer line."""
        return reasoning_instruction(self)

    def load(self) -> list[TaskRow]:
        """Return the rows of both parts; those of the official test have the role `test`."""
        config = self.config
        if config.train is not None:
            rows = self._rows(read_records(config.train), "train", "")
            return rows + (self._rows(read_records(config.test), "test", "test") if config.test else [])
        rows = self._rows(hub_records(self.hub_name, self.hub_config, self.hub_train, config.revision), "train", "")
        if config.hub_has_test:
            test = hub_records(self.hub_name, self.hub_config, self.hub_test, config.revision)
            rows += self._rows(test, "test", "test")
        return rows

    def _rows(self, records: Iterable[Record], part: str, role: Role | Literal[""]) -> list[TaskRow]:
        rows = []
        for number, record in enumerate(records, start=1):
            row = self.row(record, f"{part}-{number}")
            if row.gold is not None and self.grader.normal(row.gold.answer, row.example.choices) is None:
                raise record.fault(f"the gold answer {row.gold.answer!r} is not {self.grader.asks_for}.")
            rows.append(row)
        return with_role(rows, role)


def reasoning_instruction(task: Task) -> str:
    """Return the sentence that asks for reasoning and for the answer line, so that models that were not tuned on the
    task can be read as well."""
    return f'Think step by step, then end with a line that holds "{task.mark}" and {task.grader.asks_for}.'


def with_role(rows: Iterable[TaskRow], role: Role | Literal[""]) -> list[TaskRow]:
    """Return the rows placed in `role`."""
    return [replace(row, role=role) for row in rows]


def lettered(record: Record, labels: tuple[str, ...], key: str) -> int:
    """Return the position of the option that `key` names by its label.

    Raises:
        DataError: no option has that label.
    """
    label = record.text(key)
    if label not in labels:
        raise record.fault(f"{key!r} is {label!r}, which is not one of the labels {', '.join(labels)}.")
    return labels.index(label)
