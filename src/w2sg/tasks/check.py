"""Looks through a user's file and says what is in it, without stopping at the first fault."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from w2sg.errors import DataError
from w2sg.records import ROLES, TaskRow
from w2sg.tasks.duplicates import LookAlikes, exact_key
from w2sg.tasks.file import COLUMNS, guess_grader, rows_of, unreadable
from w2sg.tasks.grading import grader
from w2sg.tasks.sources import BadRow, Format, Record, file_format, scan_records

SHOWN = 5
"""How many bad rows and duplicates are listed."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with one row."""

    line: int
    message: str


@dataclass(frozen=True)
class FileReport:
    """What a file holds. `faults` are the rows that a run would refuse, by line."""

    path: str
    format: Format
    rows: int
    """Rows in the file, unreadable ones included."""
    labelled: int
    unlabelled: int
    columns: dict[str, int] = field(default_factory=dict)
    """Known columns, with the number of rows that fill them."""
    unknown_columns: tuple[str, ...] = ()
    grader: str = ""
    """The grader that fits the answers; empty when none can be judged."""
    grader_reason: str = ""
    faults: tuple[Fault, ...] = ()
    unparseable: int = 0
    """Answers that the grader cannot read; they are among the faults."""
    exact_duplicates: tuple[tuple[int, int], ...] = ()
    """Lines that ask the same as an earlier line: (line, earlier line)."""
    near_duplicates: tuple[tuple[int, int], ...] = ()
    """Lines that ask nearly the same as an earlier line."""
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether a run would take the file as it is."""
        return not self.faults and self.rows > 0

    def text(self) -> str:
        """Return the report as lines for a terminal."""
        lines = [
            f"{self.path}: {self.format}, {self.rows:,} rows ({self.labelled:,} with an answer, "
            f"{self.unlabelled:,} without)",
            "columns: " + (", ".join(f"{name} ({count:,})" for name, count in self.columns.items()) or "none known"),
        ]
        if self.unknown_columns:
            lines.append(f"columns that are not used: {', '.join(self.unknown_columns)}")
        if self.grader:
            lines.append(f"grader: {self.grader} ({self.grader_reason})")
        lines.append(f"unparseable answers: {self.unparseable:,}")
        for what, pairs in (("exact", self.exact_duplicates), ("near", self.near_duplicates)):
            shown = "; ".join(f"line {line} like line {earlier}" for line, earlier in pairs[:SHOWN])
            lines.append(f"{what} duplicates: {len(pairs):,}" + (f" (first: {shown})" if pairs else ""))
        lines += self.notes
        lines.append(f"bad rows: {len(self.faults):,}" + (", the first:" if self.faults else ""))
        lines += [f"  line {fault.line}: {fault.message}" for fault in self.faults[:SHOWN]]
        return "\n".join(lines)


def check_file(path: Path) -> FileReport:
    """Read the whole file and report on it.

    Raises:
        DataError: the file as a whole cannot be read (missing, empty, binary, not UTF-8, damaged).
    """
    form = file_format(path)
    faults: list[Fault] = []
    records: list[Record] = []
    rows: list[TaskRow] = []
    seen: dict[str, int] = {}
    total = 0
    for entry in scan_records(path):
        total += 1
        if isinstance(entry, BadRow):
            faults.append(Fault(entry.line, _without_place(entry.error, path, entry.line)))
            continue
        try:
            rows += rows_of([entry], seen=seen)
        except DataError as error:
            faults.append(Fault(entry.line, _without_place(error, path, entry.line)))
        else:
            records.append(entry)
    lines = [record.line for record in records]
    faults += _repeated_ids(lines, rows)
    faults += _unanswered(lines, rows)
    name, reason, notes = _judged(rows)
    unparseable = _unparseable(lines, rows, name)
    faults += unparseable
    exact, near = _alike(lines, rows)
    filled = {column: sum(record.has(column) for record in records) for column in COLUMNS}
    labelled = sum(row.gold is not None for row in rows)
    return FileReport(
        path=str(path),
        format=form,
        rows=total,
        labelled=labelled,
        unlabelled=len(rows) - labelled,
        columns={column: count for column, count in filled.items() if count},
        unknown_columns=_unknown(records),
        grader=name,
        grader_reason=reason,
        faults=tuple(sorted(faults, key=lambda fault: fault.line)),
        unparseable=len(unparseable),
        exact_duplicates=exact,
        near_duplicates=near,
        notes=notes,
    )


def _unknown(records: list[Record]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(key) for record in records for key in record.values if key not in COLUMNS))


def _without_place(error: DataError, path: Path, line: int) -> str:
    return str(error).removeprefix(f"{path}, line {line}: ")


def _repeated_ids(lines: list[int], rows: list[TaskRow]) -> Iterable[Fault]:
    first: dict[str, int] = {}
    for line, row in zip(lines, rows, strict=True):
        if (earlier := first.setdefault(row.example.id, line)) != line:
            yield Fault(line, f"the id {row.example.id!r} stands on line {earlier} as well.")


def _unanswered(lines: list[int], rows: list[TaskRow]) -> Iterable[Fault]:
    """The rows without an answer in a file where most have one: such a file is gold, and would be refused."""
    missing = [line for line, row in zip(lines, rows, strict=True) if row.gold is None]
    if 2 * len(missing) < len(rows):
        for line in missing:
            yield Fault(
                line, "the row has no 'answer'. Give it one, or move it to a file of its own, as unlabelled pool."
            )


def _judged(rows: list[TaskRow]) -> tuple[str, str, tuple[str, ...]]:
    """The grader that fits, why, and remarks."""
    golds = [row.gold for row in rows if row.gold]
    if not golds:
        return "", "", ("No row has an answer: this file can only be an unlabelled pool.",) if rows else ()
    notes = []
    if len(golds) < len(rows):
        notes.append(
            f"{len(rows) - len(golds):,} rows have no answer; put them into a file of their own, as unlabelled pool."
        )
    try:
        name, reason = guess_grader([row.example for row in rows], golds)
    except DataError as error:
        return "", "", (*notes, str(error))
    return name, reason, tuple(notes)


def _unparseable(lines: list[int], rows: list[TaskRow], name: str) -> list[Fault]:
    if not name:
        return []
    judge = grader(name)
    return [Fault(line, message) for line, row in zip(lines, rows, strict=True) if (message := unreadable(judge, row))]


def _alike(lines: list[int], rows: list[TaskRow]) -> tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]:
    """The exact and the near duplicates, each line with an earlier one."""
    exact, near = [], []
    first: dict[str, int] = {}
    line_of: dict[str, int] = {}
    table = LookAlikes(row.example for row in rows)
    for line, row in zip(lines, rows, strict=True):
        earlier = first.setdefault(exact_key(row.example), line)
        if earlier != line:
            exact.append((line, earlier))
        elif row.example.id not in line_of:
            if (like := table.find(row.example, ROLES)) is not None:
                near.append((line, line_of[like.id]))
            table.add(row.example, "transfer")
            line_of[row.example.id] = line
    return tuple(exact), tuple(near)
