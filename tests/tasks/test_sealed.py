"""Sealed gold: in its own file, opened only for a reason that covers the role, every opening written down."""

from __future__ import annotations

from pathlib import Path

import pytest

from w2sg.errors import SealedGoldError, StoreError
from w2sg.records import Example, Gold, TaskRow
from w2sg.tasks.sealed import OPEN_FILE, SEALED_FILE, open_gold, open_sealed, read_accesses, write_gold


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [
        TaskRow(Example(role, "Q?"), Gold(role, f"secret of {role}", ("alias",), "because"), role, stratum)
        for role, stratum in (("supervise", ""), ("validate", ""), ("transfer", ""), ("test", "id"))
    ]
    unplaced = TaskRow(Example("spare", "Q?"), Gold("spare", "secret of spare"))
    unlabelled = TaskRow(Example("pool", "Q?"), None, "transfer")
    write_gold(tmp_path, [*rows, unplaced, unlabelled])
    return tmp_path


def test_files_are_apart(folder: Path) -> None:
    opened, sealed = (folder / OPEN_FILE).read_text(), (folder / SEALED_FILE).read_text()
    assert "secret of supervise" in opened
    assert "secret of validate" in opened
    assert "secret of transfer" not in opened
    assert "secret of test" not in opened
    assert "secret of transfer" in sealed
    assert "secret of spare" not in opened + sealed
    assert open_gold(folder) == {
        role: Gold(role, f"secret of {role}", ("alias",), "because") for role in ("supervise", "validate")
    }


def test_each_reason_opens_its_roles_and_leaves_a_line(folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "opener" / "access.jsonl"
    assert read_accesses(log) == []
    assert set(open_sealed(folder, by="imitation, seed 0", reason="score", log=log)) == {"test"}
    assert set(open_sealed(folder, by="ceiling", reason="ceiling", log=log)) == {"transfer"}
    both = open_sealed(folder, by="labels", reason="score", log=log, roles=("transfer", "test"))
    assert both["test"] == Gold("test", "secret of test", ("alias",), "because")
    written = [(access.by, access.reason, access.roles, access.n) for access in read_accesses(log)]
    assert written == [
        ("imitation, seed 0", "score", ("test",), 1),
        ("ceiling", "ceiling", ("transfer",), 1),
        ("labels", "score", ("test", "transfer"), 2),
    ]
    assert all(access.when.endswith("+00:00") for access in read_accesses(log))


def test_no_gold_without_the_right(folder: Path, tmp_path: Path) -> None:
    log = tmp_path / "access.jsonl"
    for keywords in (
        {"by": "student", "reason": "curiosity"},
        {"by": "", "reason": "score"},
        {"by": "ceiling", "reason": "ceiling", "roles": ("test",)},
        {"by": "score", "reason": "score", "roles": ("supervise",)},
    ):
        with pytest.raises(SealedGoldError):
            open_sealed(folder, log=log, **keywords)  # type: ignore[arg-type]
    assert not log.exists()


def test_no_gold_when_the_opening_cannot_be_written(folder: Path) -> None:
    with pytest.raises(StoreError):
        open_sealed(folder, by="score", reason="score", log=folder / OPEN_FILE / "no-folder" / "log.jsonl")
