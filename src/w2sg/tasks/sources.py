"""Rows from outside: JSONL, JSON and parquet files, and the Hugging Face Hub.

Every fault of a file is a DataError of one paragraph that names the file and, where there is one, the line. What the
columns mean is left to each task.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from w2sg.errors import DataError

Format = Literal["jsonl", "json", "parquet"]

_MANY_OPTIONS = 26
_SHOWN = 60
_HUB_SECONDS = 5
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Record:
    """One row of a source: where it stands, and its columns."""

    source: str
    line: int
    """The line of a text file, or the row number of a table, from 1."""
    values: Mapping[str, Any]

    def fault(self, message: str) -> DataError:
        """Return the error that says what is wrong with this row."""
        return DataError(f"{self.source}, line {self.line}: {message}")

    def has(self, key: str) -> bool:
        """Whether the column is there and filled."""
        return self.values.get(key) is not None

    def text(self, key: str) -> str:
        """Return a column's text; numbers and truth values are written out.

        Raises:
            DataError: it is missing, empty, or neither text nor a number.
        """
        if not self.has(key):
            columns = ", ".join(map(str, list(self.values)[:12])) or "none"
            raise self.fault(f"the row has no {key!r} (its columns: {columns}).")
        return self.as_text(self.values[key], key)

    def optional_text(self, key: str) -> str:
        """Return a column's text, or an empty string when it is missing or empty."""
        value = self.values.get(key)
        return "" if value is None or value == "" else self.as_text(value, key)

    def as_text(self, value: Any, key: str) -> str:
        """Return a value of column `key` as text without spaces around it.

        Raises:
            DataError: it is empty, neither text nor a number, or text that cannot be stored.
        """
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, float) and not math.isfinite(value):
            raise self.fault(f"{key!r} is {value}, which is not a number.")
        if isinstance(value, int | float):
            return _number_text(value)
        if not isinstance(value, str):
            raise self.fault(f"{key!r} must be text, and is {_kind(value)} ({shorten(value)}).")
        text = value.strip()
        if not text:
            raise self.fault(f"{key!r} is empty.")
        if _SURROGATE.search(text):
            raise self.fault(f"{key!r} holds half of a surrogate pair, which is no valid text ({shorten(text)}).")
        return text

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a column that holds a list of texts.

        Raises:
            DataError: it is not a list of texts.
        """
        value = self.values.get(key)
        if not isinstance(value, list | tuple):
            raise self.fault(f"{key!r} must be a list of texts, and is {_kind(value)} ({shorten(value)}).")
        return tuple(self.as_text(part, key) for part in value)

    def number(self, key: str) -> float | None:
        """Return a column's number, or None when it is missing.

        Raises:
            DataError: it is not a finite number.
        """
        value = self.values.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e300 or value != value:
            raise self.fault(f"{key!r} must be a finite number, and is {_kind(value)} ({shorten(value)}).")
        return float(value)

    def options(self, key: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the options of a choice and their labels: a list of texts, or the Hub's `{"text", "label"}`.

        Raises:
            DataError: fewer than two or more than 26 options, or another form.
        """
        value = self.values.get(key)
        if isinstance(value, Mapping):
            inner = Record(self.source, self.line, value)
            texts, labels = inner.texts("text"), inner.texts("label")
            if len(texts) != len(labels):
                raise self.fault(f"{key!r} has {len(texts)} texts and {len(labels)} labels.")
        else:
            texts = self.texts(key)
            labels = tuple(chr(ord("A") + place) for place in range(min(len(texts), _MANY_OPTIONS)))
        if not 2 <= len(texts) <= _MANY_OPTIONS:
            raise self.fault(f"{key!r} holds {len(texts)} options; between 2 and {_MANY_OPTIONS} are possible.")
        return texts, labels


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be read, and why."""

    line: int
    error: DataError


def shorten(value: Any) -> str:
    """Return the value as Python shows it, cut to a length that fits a message."""
    try:
        shown = repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, endless nesting
        shown = f"a very large {type(value).__name__}"
    return shown if len(shown) <= _SHOWN else shown[: _SHOWN - 3] + "..."


def checked_file(path: Path) -> Path:
    """Return `path`, which must be a regular file.

    Raises:
        DataError: it is missing, a folder, or not a regular file.
    """
    try:
        if path.is_dir():
            raise DataError(f"{str(path)!r} is a folder; give the path of one JSONL, JSON or parquet file.")
        if not path.exists():
            raise DataError(f"There is no file {str(path)!r} (looked from {str(Path.cwd())!r}). Check the path.")
        if not path.is_file():
            raise DataError(f"{str(path)!r} is not a regular file; give a JSONL, JSON or parquet file.")
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        if isinstance(error, DataError):
            raise
        raise DataError(f"The path {str(path)!r} cannot be used: {error}.") from None
    return path


def file_format(path: Path) -> Format:
    """Return `parquet`, `json` or `jsonl`, judged by the file's content.

    Raises:
        DataError: the file is missing, empty or unreadable.
    """
    return _format_of(_bytes_of(path))


def read_records(path: Path) -> list[Record]:
    """Return every row of a JSONL, JSON or parquet file.

    Raises:
        DataError: the file or one of its rows cannot be read.
    """
    records = []
    for row in scan_records(path):
        if isinstance(row, BadRow):
            raise row.error
        records.append(row)
    if not records:
        raise DataError(f"The file {str(path)!r} holds no rows.")
    return records


def scan_records(path: Path) -> Iterator[Record | BadRow]:
    """Yield every row of a file, unreadable rows among them as `BadRow`.

    Raises:
        DataError: the file as a whole cannot be read: missing, empty, binary, not UTF-8, damaged.
    """
    data = _bytes_of(path)
    form = _format_of(data)
    if form == "parquet":
        yield from _parquet_rows(path)
        return
    text = _decoded(path, data)
    yield from _json_rows(path, text) if form == "json" else _jsonl_rows(path, text)


def hub_records(name: str, config: str | None, split: str, revision: str | None) -> list[Record]:
    """Return every row of one split of a data set on the Hugging Face Hub (or in its local cache).

    Raises:
        DataError: it cannot be reached, or there is no such data set, configuration or split.
    """
    from datasets import load_dataset

    where = f"the Hub data set {name!r}" + (f" ({config})" if config else "")
    try:
        with _offline_when_unreachable():
            table = load_dataset(name, config, split=split, revision=revision)
    except Exception as error:  # the library raises a dozen unrelated types for the same condition
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"The split {split!r} of {where} cannot be read: {first.rstrip('.')}. Check the network and the names, or "
            "give local files with the task's `train` and `test` settings."
        ) from None
    return [Record(f"{where}, {split}", number, row) for number, row in enumerate(table, start=1)]


@contextmanager
def _offline_when_unreachable() -> Iterator[None]:
    """Ask the Hub once whether it is there; when it is not, the libraries look into their cache alone, instead of
    retrying for half a minute and writing each try to the terminal."""
    import datasets.config
    from huggingface_hub import constants, get_session

    switches: list[Any]
    try:
        get_session().head(constants.ENDPOINT, timeout=_HUB_SECONDS)
    except Exception:  # what is raised depends on the version's HTTP client
        switches = [constants, datasets.config]
    else:
        switches = []
    before = [switch.HF_HUB_OFFLINE for switch in switches]
    for switch in switches:
        switch.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.HF_HUB_OFFLINE = value


def _bytes_of(path: Path) -> bytes:
    try:
        data = checked_file(path).read_bytes()
    except OSError as error:
        raise DataError(f"The file {str(path)!r} cannot be read: {error.strerror or error}.") from None
    if not data.strip():
        raise DataError(f"The file {str(path)!r} is empty. Give a file with one question per row.")
    return data


def _format_of(data: bytes) -> Format:
    if data[:4] == b"PAR1":
        return "parquet"
    return "json" if data.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"[" else "jsonl"


def _decoded(path: Path, data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise DataError(f"The file {str(path)!r} is UTF-16 text. Save it as UTF-8 and try again.")
    if b"\x00" in data:
        raise DataError(f"The file {str(path)!r} is a binary file. Give a JSONL, JSON or parquet file.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"The file {str(path)!r} is not UTF-8 text: line {line} holds the byte {data[error.start]:#04x}. Save it "
            "as UTF-8 and try again."
        ) from None


def _jsonl_rows(path: Path, text: str) -> Iterator[Record | BadRow]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield _bad(path, number, f"not valid JSON ({_reason(error)}); the line begins {shorten(line)}.")
            continue
        yield _record(path, number, value)


def _json_rows(path: Path, text: str) -> Iterator[Record | BadRow]:
    """Read a JSON list element by element, so that each row has its line and one bad row is named by it."""
    decoder = json.JSONDecoder()
    place, line = _next(text, text.index("[") + 1), 1
    counted = 0
    if text[place : place + 1] == "]":
        yield from _after_list(path, text, place + 1)
        return
    while True:
        line, counted = line + text.count("\n", counted, place), place
        try:
            value, place = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            yield _bad(path, line, f"not valid JSON ({_reason(error)}); what follows cannot be read.")
            return
        yield _record(path, line, value)
        place = _next(text, place)
        if text[place : place + 1] == "]":
            yield from _after_list(path, text, place + 1)
            return
        if text[place : place + 1] != ",":
            yield _bad(path, line, "the JSON list is not closed or lacks a comma after this row.")
            return
        place = _next(text, place + 1)


def _after_list(path: Path, text: str, end: int) -> Iterator[BadRow]:
    """Refuse what follows the list, which would be lost."""
    rest = _next(text, end)
    if rest < len(text):
        line = text.count("\n", 0, rest) + 1
        yield _bad(
            path,
            line,
            f"the JSON list has ended, and more follows ({shorten(text[rest:][:_SHOWN])}); put all rows into one list.",
        )


def _next(text: str, place: int) -> int:
    while text[place : place + 1].isspace():
        place += 1
    return place


def _parquet_rows(path: Path) -> Iterator[Record | BadRow]:
    try:
        import pyarrow.parquet

        rows = pyarrow.parquet.read_table(path).to_pylist()
    except Exception as error:  # a damaged table fails in many ways inside the library
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise DataError(f"The parquet file {str(path)!r} is damaged: {first}") from None
    for number, row in enumerate(rows, start=1):
        yield Record(str(path), number, row)


def _record(path: Path, line: int, value: Any) -> Record | BadRow:
    if isinstance(value, dict):
        return Record(str(path), line, value)
    return _bad(path, line, f"a row must be a JSON object with a 'question', and is {_kind(value)}.")


def _bad(path: Path, line: int, message: str) -> BadRow:
    return BadRow(line, DataError(f"{path}, line {line}: {message}"))


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error).split(";")[0]


def _number_text(value: int | float) -> str:
    try:
        return str(value)
    except ValueError:  # Python refuses to write integers of thousands of digits
        return hex(value) if isinstance(value, int) else repr(value)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return "nothing" if value is None else names.get(type(value), f"of type {type(value).__name__}")
