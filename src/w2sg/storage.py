"""The only code that writes run files: atomic files, rows appended one by one, reading past a torn line, hashes.

What the files mean, and where they lie, belongs to `runs.store`.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from w2sg.errors import StoreError
from w2sg.records import Row

R = TypeVar("R", bound=Row)


def _disk_error(path: Path, doing: str, error: OSError) -> StoreError:
    advice = "Check that the path and its permissions are right"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        advice = "Free some space"
    elif error.errno == errno.EROFS:
        advice = "Choose a folder on a disk that can be written"
    elif error.errno == errno.ENOENT:
        advice = "It was expected there: the folder was changed by hand, or an earlier run was stopped before it"
    return StoreError(
        f"Could not {doing} {str(path)!r}: {error.strerror or error}. {advice}; what was finished before is kept, and "
        "the same command continues from there."
    )


def make_folder(path: Path) -> Path:
    """Create the folder and its parents.

    Raises:
        StoreError: the disk refuses.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _disk_error(path, "create the folder", error) from None
    return path


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write the whole file or nothing: a temporary file beside it, synced, then renamed over it.

    Raises:
        StoreError: the disk is full, read-only or otherwise refuses.
    """
    _write_parts(path, [content.encode() if isinstance(content, str) else content])


def _write_parts(path: Path, parts: Iterable[bytes]) -> None:
    """Write the parts one after the other, holding one at a time, to a file that is there whole or not at all. What
    making a part raises passes as it is."""
    temporary: str | None = None
    try:
        with _blaming_the_disk(path, "write"):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            for part in parts:
                with _blaming_the_disk(path, "write"):
                    file.write(part)
            with _blaming_the_disk(path, "write"):
                file.flush()
                os.fsync(file.fileno())
        with _blaming_the_disk(path, "write"):
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
    except BaseException:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise


@contextmanager
def _blaming_the_disk(path: Path, doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _disk_error(path, doing, error) from None


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically; NaN is refused."""
    write_atomic(path, json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file that w2sg wrote.

    Raises:
        StoreError: the file is missing, unreadable or damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _disk_error(path, "read", error) from None
    except ValueError as error:
        raise StoreError(f"The file {str(path)!r} is damaged ({error}). Delete it and run again.") from None


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write all rows as JSON lines, atomically; rows that are made one by one are never held together."""
    _write_parts(path, (_line(row.to_dict()).encode() for row in rows))


def read_rows(path: Path, kind: type[R]) -> list[R]:
    """Read every whole row of a JSON-lines file.

    Raises:
        StoreError: the file is missing or a line other than a torn last one is damaged.
    """
    return [kind.from_dict(row) for row in read_lines(path)]


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON-lines file; a last line that a kill cut short is passed over.

    Raises:
        StoreError: the file is missing or a line before the last is damaged.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return  # torn by a kill
                yield _parsed(line, number, path)
    except StoreError:
        raise
    except OSError as error:
        raise _disk_error(path, "read", error) from None


class Lines:
    """The objects of a JSON-lines file by their number, from 0, each read when it is asked for: eight bytes a line are
    held, whatever the lines say. A last line that a kill cut short does not count.

    Raises:
        StoreError: the file is missing or a line that is asked for is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._starts = path, array("q")
        start = 0
        with _blaming_the_disk(path, "read"), path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    self._starts.append(start)
                start += len(line)

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, number: int) -> dict[str, Any]:
        with _blaming_the_disk(self._path, "read"), self._path.open("rb") as file:
            file.seek(self._starts[number])
            line = file.readline()
        return _parsed(line, number + 1, self._path)


def _parsed(line: bytes, number: int, path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        raise StoreError(
            f"Line {number} of {str(path)!r} is damaged. Delete the file's folder and run again; only that step is "
            "computed anew."
        ) from None
    return found


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"


class RowWriter:
    """Appends rows to a JSON-lines file; each `append` reaches the disk whole before it returns.

    A torn last line, left by a kill, is cut off when the file is opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab+")
            self._file.seek(0)
            data = self._file.read()
            whole = data.rfind(b"\n") + 1
            if whole != len(data):
                self._file.truncate(whole)
        except OSError as error:
            raise _disk_error(path, "open", error) from None

    def append(self, rows: Iterable[Row]) -> None:
        """Append the rows together: after a kill either a prefix of them or all are there."""
        text = "".join(_line(row.to_dict()) for row in rows)
        try:
            self._file.write(text.encode())
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _disk_error(self.path, "append to", error) from None

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise _disk_error(path, "read", error) from None


def hash_folder(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below `folder`, by its path relative to the folder, sorted."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hash_file(path) for path in files}


def concatenate(parts: Iterable[Path], target: Path) -> None:
    """Join files into one, atomically and without holding them in memory."""
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        with temporary.open("wb") as whole:
            for part in parts:
                with part.open("rb") as file:
                    shutil.copyfileobj(file, whole)
            whole.flush()
            os.fsync(whole.fileno())
        os.replace(temporary, target)
    except OSError as error:
        raise _disk_error(target, "write", error) from None


def remove_folder(folder: Path) -> None:
    """Remove a folder and what is in it; one that is not there is no error."""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _disk_error(folder, "remove", error) from None
