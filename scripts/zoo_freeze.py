"""Whether world, corpus, tokenizers and weights are still what was frozen.

    python scripts/zoo_freeze.py           compare; exit code 1 and a line for everything that differs
    python scripts/zoo_freeze.py --write   freeze what there is now, under the version that `VERSION` names

Results on the zoo can be compared only while all of it stays as it was. A change that is wanted gets a new `VERSION`
(and raises `corpus.VERSION` or the task's `version`, whichever it touches), and the results are measured anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable
from typing import Any

from w2sg import tasks
from w2sg.models import pretrain, zoo
from w2sg.runs.zoo_check import KINDS
from w2sg.storage import hash_file, read_json, write_json
from w2sg.tasks.world import corpus, knowledge
from w2sg.tasks.world.config import WorldTask

VERSION = "zoo-2"
FROZEN = zoo.home() / "frozen.json"
SEEDS = (0, 1)
DOCUMENTS = (range(2_000), range(200_000, 202_000), range(corpus.READING, corpus.READING + 2_000))
"""Those of the corpus that are hashed: of its primer, of what follows, and of the second reading."""


def digest(values: Iterable[Any]) -> str:
    """Return the SHA-256 of JSON-like values, one a line."""
    found = hashlib.sha256()
    for value in values:
        found.update(json.dumps(value, sort_keys=True).encode() + b"\n")
    return found.hexdigest()


def task(kind: str) -> dict[str, Any]:
    """Return the version of a kind's task and the hash of its questions with gold, for the first seeds."""
    hashes = {}
    for seed in SEEDS:
        made = tasks.build(tasks.task_config({"kind": kind, "seed": seed}))
        assert isinstance(made, WorldTask)
        rows = made.load()
        hashes[str(seed)] = digest(
            [row.example.id, row.example.question, row.gold.answer, row.gold.rationale] for row in rows if row.gold
        )
        version = made.version
    return {"version": version, "questions": hashes}


def members() -> dict[str, dict[str, str]]:
    """Return the hashes of every member's tokenizer and weights, as they lie there."""
    kept = ("tokenizer.json", "chat_template.jinja", "config.json", zoo.WEIGHTS)
    return {name: {file: hash_file(zoo.home() / name / file) for file in kept} for name in zoo.manifest()}


def now() -> dict[str, Any]:
    """Return everything that is frozen, as it is now."""
    numbers = [number for some in DOCUMENTS for number in some]
    return {
        "version": VERSION,
        "world": digest([knowledge.world().facts]),
        "corpus": {
            "version": corpus.VERSION,
            "seed": pretrain.SEED,
            "documents": digest(corpus.document(pretrain.SEED, number) for number in numbers),
        },
        "tasks": {kind: task(kind) for kind in KINDS},
        "members": members(),
    }


def differences(frozen: Any, found: Any, where: str = "") -> list[str]:
    """Return a line for every value that is not as it was frozen."""
    if isinstance(frozen, dict) and isinstance(found, dict):
        keys = sorted({*frozen, *found})
        return [line for key in keys for line in differences(frozen.get(key), found.get(key), f"{where}/{key}")]
    return [] if frozen == found else [f"{where[1:]}: frozen {frozen}, now {found}"]


def main() -> int:
    """Compare, or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    found = now()
    if parser.parse_args().write:
        write_json(FROZEN, found)
        return 0
    lines = differences(read_json(FROZEN), found)
    print("\n".join(lines) or f"{VERSION}: all as frozen")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
