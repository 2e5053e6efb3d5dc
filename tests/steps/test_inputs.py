"""Examples are read from the file when they are asked for, in whatever order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from w2sg.errors import DataError
from w2sg.records import ROLES, Example, Item
from w2sg.steps import inputs
from w2sg.steps.inputs import ITEMS, Examples
from w2sg.storage import read_lines, write_rows


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A task of ten questions, every third one for the test."""
    rows = [Item(Example(f"q{n}", f"What is {n}?"), "test" if n % 3 == 2 else "transfer") for n in range(10)]
    write_rows(tmp_path / ITEMS, rows)
    return tmp_path


def test_any_order_finds_them(folder: Path) -> None:
    examples = Examples(folder, ROLES)
    for n in (0, 1, 1, 5, 9, 3, 0, 9):
        assert examples[f"q{n}"] == Example(f"q{n}", f"What is {n}?")


def test_roles_are_kept_apart(folder: Path) -> None:
    examples = Examples(folder, ("transfer",))
    assert [example.id for example in examples] == ["q0", "q1", "q3", "q4", "q6", "q7", "q9"]
    assert len(examples) == 7
    for name in ("q2", "elsewhere"):
        with pytest.raises(DataError, match=rf"question '{name}' is answered, .* none .* questions of transfer\."):
            examples[name]
    assert examples["q0"].id == "q0"


def test_the_tasks_own_order_costs_one_reading(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    readings: list[Path] = []

    def counted(path: Path) -> Iterator[dict[str, Any]]:
        readings.append(path)
        return read_lines(path)

    monkeypatch.setattr(inputs, "read_lines", counted)
    examples = Examples(folder, ROLES)
    for n in (0, 2, 2, 7, 9):
        assert examples[f"q{n}"].id == f"q{n}"
    assert len(readings) == 1


def test_a_task_without_questions(tmp_path: Path) -> None:
    write_rows(tmp_path / ITEMS, [])
    assert len(Examples(tmp_path, ROLES)) == 0
    with pytest.raises(DataError, match="'q0'"):
        Examples(tmp_path, ROLES)["q0"]
