"""Rows from outside: JSONL, JSON and parquet files, and the Hugging Face Hub.

Every fault of a file is a DataError of one paragraph. What the columns mean is left to each task.
"""

from __future__ import annotations

from pathlib import Path

from w2sg.errors import DataError


def checked_file(path: Path) -> Path:
    """Return `path`, which must be a readable regular file.

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
        raise DataError(f"The path {str(path)!r} cannot be used: {error}.") from None
    return path
