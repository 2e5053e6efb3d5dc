"""Reading files: every fault is one DataError paragraph that names the file and the line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from w2sg.errors import DataError
from w2sg.tasks.sources import BadRow, Record, checked_file, file_format, read_records, scan_records

ROWS = [{"question": "What is 2 + 2?", "answer": 4}, {"question": "Größe? 数", "answer": "5"}]


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def parquet(path: Path, columns: dict[str, list[object]]) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(columns), path)
    return path


def test_three_formats_give_the_same_rows(tmp_path: Path) -> None:
    lines = "\n\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)
    files = [
        write(tmp_path / "a.jsonl", lines),
        write(tmp_path / "b.json", json.dumps(ROWS, indent=1) + " \n\n"),
        write(tmp_path / "bom.json", b"\xef\xbb\xbf" + json.dumps(ROWS).encode()),
        write(tmp_path / "wrong-name.txt", lines.replace("\n", "\r\n")),
        parquet(tmp_path / "c.parquet", {"question": [row["question"] for row in ROWS], "answer": ["4", "5"]}),
    ]
    for path in files:
        records = read_records(path)
        assert [record.text("question") for record in records] == [row["question"] for row in ROWS]
        assert [record.text("answer") for record in records] == ["4", "5"]
    assert [file_format(path) for path in files] == ["jsonl", "json", "json", "jsonl", "parquet"]


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", '[\n {"question": "one"},\n\n {"question":\n  "two"}\n, {"question": "three"}]')
    assert [record.line for record in read_records(path)] == [2, 4, 6]
    path = write(tmp_path / "a.jsonl", '{"question": "one"}\n\n{"question": "two"}\n')
    assert [record.line for record in read_records(path)] == [1, 3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        (" \n\n", "is empty"),
        (b"\x89PNG\x00\x01", "binary file"),
        ('{"question": "x"}'.encode("utf-16"), "UTF-16"),
        (b'{"question": "ok"}\n{"question": "caf\xe9"}', r"line 2 holds the byte 0xe9.*UTF-8"),
        ('{"question": "ok"}\n{"question": \n', r"line 2: not valid JSON"),
        ('{"question": "ok"}\n[1]\n', r"line 2: a row must be a JSON object"),
        ('"text"', r"line 1: a row must be a JSON object"),
        ("question,answer\nWhat?,5\n", r"line 1: not valid JSON"),
        ("[]", "holds no rows"),
        ("[1]", r"line 1: a row must be a JSON object"),
        ('[\n{"question": "a"}\n{"question": "b"}]', "line 2: the JSON list is not closed or lacks a comma"),
        ('[{"question": "a"},\n', r"line 2: not valid JSON"),
        ('[{"question": "a"}]\n[{"question": "b"}]\n', "line 2: the JSON list has ended, and more follows"),
        ('[{"question": "a"}] garbage', "line 1: the JSON list has ended, and more follows"),
        ('[]\n\n{"question": "a"}', "line 3: the JSON list has ended, and more follows"),
        ("[" * 100_000, "nested too deeply"),
        ('{"question": ' * 100_000, "line 1"),
        ('{"question": ' + "9" * 5000 + "}", r"line 1: not valid JSON"),
        (b"PAR1 and then nothing", "parquet file .* is damaged"),
    ],
    ids=range(20),
)
def test_unreadable_files_say_why_in_one_paragraph(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = write(tmp_path / "data.jsonl", content)
    with pytest.raises(DataError, match=message) as caught:
        read_records(path)
    assert "\n" not in str(caught.value)
    assert "data.jsonl" in str(caught.value)
    assert len(str(caught.value)) < 500


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    for path, message in (
        (tmp_path, "is a folder"),
        (tmp_path / "none.jsonl", "There is no file"),
        (Path("a\0b"), "."),
        (Path("/dev/null"), "not a regular file"),
        (tmp_path / ("x" * 5000), "."),
    ):
        with pytest.raises(DataError, match=message):
            checked_file(path)


def test_unreadable_by_permission(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", "{}")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(DataError, match="cannot be read"):
        read_records(path)


def test_one_bad_row_does_not_hide_the_others(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"question": "one"}\nnonsense\n{"question": "two"}\n')
    found = list(scan_records(path))
    assert [(type(entry), entry.line) for entry in found] == [(Record, 1), (BadRow, 2), (Record, 3)]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "no 'x'"),
        ("  ", "is empty"),
        ([1], "must be text, and is a list"),
        ({"a": 1}, "must be text, and is an object"),
        (float("nan"), "not a number"),
        ("\ud800", "surrogate"),
        (b"bytes", "of type bytes"),
    ],
)
def test_text_column_of_another_type(value: object, message: str) -> None:
    with pytest.raises(DataError, match=f"f, line 3: .*{message}"):
        Record("f", 3, {"x": value}).text("x")


def test_values_that_count_as_text() -> None:
    record = Record("f", 1, {"a": 5, "b": 2.5, "c": True, "d": " x ", "e": 10**5000})
    assert [record.text(key) for key in "abcd"] == ["5", "2.5", "true", "x"]
    assert record.text("e").startswith("0x")
    assert record.optional_text("missing") == ""


@pytest.mark.parametrize("value", ["5", True, float("inf"), float("nan"), [1], 10**400])
def test_number_column_of_another_type(value: object) -> None:
    with pytest.raises(DataError, match="finite number"):
        Record("f", 1, {"x": value}).number("x")


def test_options_in_both_forms() -> None:
    assert Record("f", 1, {"c": ["x", 2]}).options("c") == (("x", "2"), ("A", "B"))
    hub = Record("f", 1, {"c": {"text": ["x", "y"], "label": ["1", "2"]}})
    assert hub.options("c") == (("x", "y"), ("1", "2"))
    for value, message in (
        ("x, y", "list of texts"),
        (["x"], "holds 1 options"),
        (["x"] * 27, "holds 27 options"),
        ({"text": ["x", "y"], "label": ["1"]}, "2 texts and 1 labels"),
        ({"text": "x"}, "list of texts"),
        ([["x"], "y"], "must be text"),
    ):
        with pytest.raises(DataError, match=message):
            Record("f", 1, {"c": value}).options("c")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200).map(str.encode),
        st.binary(max_size=60).map(lambda data: b"PAR1" + data + b"PAR1"),
        st.text('[]{}",:0123456789eE+-.\n \\untrfals', max_size=80).map(str.encode),
    )
)
def test_any_bytes_are_read_or_refused_with_a_data_error(tmp_path: Path, data: bytes) -> None:
    path = write(tmp_path / "fuzz", data)
    try:
        records = read_records(path)
    except DataError:
        return
    assert all(isinstance(record.values, dict) for record in records)


@pytest.mark.parametrize("setting", [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}])
def test_hub_without_network_is_one_paragraph(tmp_path: Path, setting: dict[str, str]) -> None:
    """Switched off, or not reachable: said at once, without the libraries' own noise. Run apart, because the libraries
    read these settings when they are imported."""
    code = (
        "import time\nimport datasets\nfrom huggingface_hub import constants\n"
        "from w2sg.errors import DataError\nfrom w2sg.tasks import build, task_config\n"
        "before, start = constants.HF_HUB_OFFLINE, time.monotonic()\n"
        "try:\n    build(task_config('gsm8k')).load()\n"
        "except DataError as error:\n    print(error)\n"
        "assert time.monotonic() - start < 10\n"
        "assert constants.HF_HUB_OFFLINE == datasets.config.HF_HUB_OFFLINE == before\n"
    )
    kept = {name: value for name, value in os.environ.items() if name not in ("HF_HUB_OFFLINE", "HF_ENDPOINT")}
    environment = {**kept, **setting, "HF_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.stderr == ""
    assert "'openai/gsm8k'" in done.stdout
    assert "give local files" in done.stdout
    assert done.stdout.count("\n") == 1
