"""What a run left in its store, in a form in which two runs of one plan are equal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from w2sg.runs.store import RECORD
from w2sg.storage import hash_file

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
