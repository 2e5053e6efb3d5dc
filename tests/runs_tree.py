"""What a run left in its store, in a form in which two runs of one plan are equal; runs that are stopped on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from w2sg.runs.store import RECORD
from w2sg.steps import replies
from w2sg.storage import hash_file

Result = TypeVar("Result")

TIMED = {"sealed-access.jsonl", "fit.json"}
"""Files that hold hours or seconds; `fit.json` is compared without its seconds, the log of openings not at all."""


def tree(store: Path) -> dict[str, Any]:
    """Return every file's hash and every record, less what differs between any two runs: hour, seconds, memory."""
    found: dict[str, Any] = {}
    for path in sorted(store.rglob("*")):
        if not path.is_file() or path.parent.name == "locks":
            continue
        name = path.relative_to(store).as_posix()
        if path.name == RECORD:
            record = json.loads(path.read_text())
            del record["provenance"], record["cost"]["seconds"], record["cost"]["peak_memory_mb"]
            for timed in TIMED:
                record["files"].pop(timed, None)
            found[name] = record
        elif path.name == "fit.json":
            found[name] = {**json.loads(path.read_text()), "seconds": None}
        elif path.name not in TIMED:
            found[name] = hash_file(path)
    return found


def stopped_on_the_way(
    monkeypatch: pytest.MonkeyPatch, run: Callable[[], Result], every: int, attempts: int = 90
) -> Result:
    """Return what `run` does, called anew each time it is stopped: at every so many blocks of replies, before the block
    is written."""
    kept, calls = replies.write_rows, 0

    def stopped(path: Path, rows: Any) -> None:
        nonlocal calls
        calls += 1
        if calls % every == 0:
            raise KeyboardInterrupt
        kept(path, rows)

    monkeypatch.setattr(replies, "write_rows", stopped)
    for _ in range(attempts):
        try:
            result = run()
        except KeyboardInterrupt:
            continue
        assert calls > 10
        return result
    pytest.fail(f"still stopped after {attempts} attempts")
