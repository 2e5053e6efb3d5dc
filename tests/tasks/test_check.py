"""`check_file`: everything about a file at once, without stopping at its first fault."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from w2sg.errors import DataError
from w2sg.tasks import check_file

LONG = "In the old forest by the lake a biologist counted the birds each morning of May and wrote the numbers in a book"


def test_a_good_file(tmp_path: Path) -> None:
    path = tmp_path / "good.jsonl"
    path.write_text(
        "".join(json.dumps({"question": f"{n} + {n}?", "answer": 2 * n, "note": ""}) + "\n" for n in range(12))
    )
    report = check_file(path)
    assert report.ok
    assert (report.format, report.rows, report.labelled, report.unlabelled) == ("jsonl", 12, 12, 0)
    assert report.columns == {"question": 12, "answer": 12}
    assert report.unknown_columns == ("note",)
    assert report.grader == "numeric"
    text = report.text()
    assert "12 rows (12 with an answer, 0 without)" in text
    assert "grader: numeric (12 of 12 answers are numbers)" in text
    assert "bad rows: 0" in text


def test_every_fault_with_its_line(tmp_path: Path) -> None:
    rows = [f'{{"question": "What is {number} + 0?", "answer": "{number}"}}' for number in range(20)]
    rows += [
        "not json",  # 21
        '{"answer": "5"}',  # 22
        '{"question": "Spell 7.", "answer": "seven"}',  # 23
        '{"question": "what is 3 +  0?", "answer": "3"}',  # 24
        json.dumps({"question": LONG + " of hers", "answer": 1, "id": "x"}),  # 25
        json.dumps({"question": LONG + " of his", "answer": 1, "id": "x"}),  # 26
        '{"question": "No answer here?"}',  # 27
    ]
    path = tmp_path / "bad.jsonl"
    path.write_text("\n".join(rows))
    report = check_file(path)
    assert not report.ok
    assert report.rows == 27
    assert [fault.line for fault in report.faults] == [21, 22, 23, 26, 27]
    assert report.unparseable == 1
    assert "'seven'" in report.faults[2].message
    assert "on line 25" in report.faults[3].message
    assert report.exact_duplicates == ((24, 4),)
    assert report.unlabelled == 1
    assert any("1 rows have no answer" in note for note in report.notes)
    assert "line 21: not valid JSON" in report.text()


def test_near_duplicates_and_an_unlabelled_pool(tmp_path: Path) -> None:
    path = tmp_path / "pool.json"
    path.write_text(json.dumps([{"question": LONG + end} for end in (" of hers", " of his", " of theirs")], indent=1))
    report = check_file(path)
    assert report.ok
    assert report.grader == ""
    assert len(report.near_duplicates) == 2
    assert "unlabelled pool" in report.notes[0]


def test_mixed_choices_are_told(tmp_path: Path) -> None:
    path = tmp_path / "mixed.jsonl"
    path.write_text('{"question": "a?", "answer": "x", "choices": ["x", "y"]}\n{"question": "b?", "answer": "x"}')
    report = check_file(path)
    assert "1 of 2 rows have `choices`" in report.notes[0]


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no file"):
        check_file(tmp_path / "none.jsonl")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=120) | st.text('[]{}"question:answer,0 5\n\\', max_size=120).map(str.encode))
def test_any_bytes_give_a_report_or_a_data_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "fuzz"
    path.write_bytes(data)
    try:
        assert check_file(path).text()
    except DataError:
        return
