"""`w2sg zoo check` for real, small: the smallest member as teacher and student."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from w2sg.cli.main import app
from w2sg.report.zoo_check import TITLES
from w2sg.report.zoo_check_results import CheckResults

SMALL = (
    *("--seeds", "0", "1", "--kinds", "world-logic", "--teacher", "zoo/nano", "--student", "zoo/nano"),
    *("--set", "split.supervise=16", "split.validate=2", "split.transfer=12", "split.test_id=10", "split.test_ood=10"),
    *("max_new_tokens=32", "teacher_fit.epochs=1", "student_fit.epochs=1", "statistics.resamples=200"),
    *("runtime.device=cpu", "--workers", "1"),
)


def check(*words: str) -> Any:
    result = CliRunner().invoke(app, ["zoo", "check", *words], prog_name="w2sg", env={"COLUMNS": "120"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_a_small_check_for_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = check(*SMALL)
    assert first.exit_code == 0, first.output
    folder = Path("runs/zoo-check")
    found = CheckResults.model_validate(json.loads((folder / "zoo-check.json").read_text()))
    assert [kind.task for kind in found.kinds] == ["world-logic"]
    for kind in found.kinds:
        assert kind.seeds == (0, 1)
        assert [criterion.number for criterion in kind.criteria] == [1, 2, 3, 4, 5, 6]
        assert {row.n for row in kind.accuracy} == {10, 20}
        for figure in (figure for criterion in kind.criteria for figure in criterion.figures):
            assert figure.value is not None
            assert figure.low is not None
            assert figure.high is not None
            assert figure.low <= figure.value <= figure.high
    reasons = {(opening.label.rpartition(" · ")[0], *opening.reasons) for opening in found.opened}
    assert len([reason for reason in reasons if "probe" in reason]) == 1
    page = (folder / "zoo-check.md").read_text()
    for title in TITLES:
        assert title.split(",")[0] in first.stdout
        assert title in page
    files = {path: path.stat().st_mtime_ns for path in (folder / "store").rglob("*") if path.is_file()}
    written = (folder / "zoo-check.json").read_bytes()
    again = check(*SMALL)
    assert again.exit_code == 0
    assert again.stdout == first.stdout
    assert {path: path.stat().st_mtime_ns for path in (folder / "store").rglob("*") if path.is_file()} == files
    assert (folder / "zoo-check.json").read_bytes() == written


def test_mistakes_are_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words, said in (
        (("--student", "zoo/nanno"), "perhaps you meant 'zoo/nano'"),
        (("--kinds", "world-math"), "perhaps you meant 'world-maths'"),
        (("--set", "methods=imitation"), "decides methods"),
    ):
        result = check(*words)
        assert result.exit_code == 2
        assert said in result.stderr
    assert not list(Path().iterdir())
