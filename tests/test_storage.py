"""Run files: whole or absent, read past a torn line, a full or read-only disk told in one paragraph."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from w2sg import storage
from w2sg.errors import StoreError
from w2sg.records import Response
from w2sg.storage import (
    Lines,
    RowWriter,
    concatenate,
    hash_folder,
    read_json,
    read_lines,
    read_rows,
    remove_folder,
)

ROWS = [Response("a", 0, 'text "quoted"\nnew line', 3, True), Response("b", 1, "é", 1, False)]


def test_rows_return_as_they_were_written(tmp_path: Path) -> None:
    storage.write_rows(tmp_path / "rows.jsonl", ROWS)
    assert read_rows(tmp_path / "rows.jsonl", Response) == ROWS


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_torn_last_line_is_passed_over_and_cut_off_on_writing(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "rows.jsonl"
    storage.write_rows(path, ROWS)
    path.write_bytes(path.read_bytes()[:-cut])
    assert read_rows(path, Response) == ROWS[:1]
    with RowWriter(path) as writer:
        writer.append(ROWS[1:])
    assert read_rows(path, Response) == ROWS


def test_lines_are_read_by_number_and_a_torn_last_one_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    storage.write_rows(path, ROWS)
    lines = Lines(path)
    assert len(lines) == 2
    assert [Response.from_dict(lines[number]) for number in (1, 0, 1)] == [ROWS[1], ROWS[0], ROWS[1]]
    path.write_bytes(path.read_bytes() + b'{"torn": ')
    assert len(Lines(path)) == 2
    (tmp_path / "empty").write_bytes(b"")
    assert len(Lines(tmp_path / "empty")) == 0
    path.write_bytes(b'{"a": 1}\n{"a": \n')
    with pytest.raises(StoreError, match="Line 2 of"):
        Lines(path)[1]
    with pytest.raises(StoreError, match="read"):
        Lines(tmp_path / "none")


def test_a_damaged_line_in_the_middle_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n{"a": \n{"a": 2}\n')
    with pytest.raises(StoreError, match="Line 2 of"):
        list(read_lines(path))


def test_an_atomic_write_that_fails_leaves_the_old_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.json"
    storage.write_json(path, {"old": 1})

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"No space left on device.*what was finished before is kept"):
        storage.write_json(path, {"new": 2})
    monkeypatch.undo()
    assert read_json(path) == {"old": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["x.json"]


def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="Could not"):
        storage.write_atomic(tmp_path / "file" / "inner" / "x", "text")


def test_nan_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        storage.write_json(tmp_path / "x.json", {"value": float("nan")})


def test_a_damaged_json_file_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(StoreError, match=r"is damaged .* Delete it and run again"):
        read_json(tmp_path / "x.json")


def test_files_are_joined_in_order_and_hashed_by_relative_path(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one\n")
    (tmp_path / "b").write_text("two\n")
    concatenate([tmp_path / "b", tmp_path / "a"], tmp_path / "whole")
    assert (tmp_path / "whole").read_text() == "two\none\n"
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "empty").write_text("")
    assert hash_folder(tmp_path / "deep") == {"empty": empty}
    remove_folder(tmp_path / "deep")
    remove_folder(tmp_path / "deep")
    assert not (tmp_path / "deep").exists()
