"""The store: one folder per step, named by what decides its result; `record.json`, written last, means done.

Several runs may share a store: each step is locked while one of them works on it. What a step's files mean is
the step's business; who runs steps, and when, is `runs.runner`.
"""

from __future__ import annotations

import json
import os
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import w2sg
from w2sg.config import canonical
from w2sg.errors import StoreError
from w2sg.steps.base import Outcome, Step
from w2sg.storage import hash_file, hash_folder, make_folder, read_json, write_json

RECORD = "record.json"
ELAPSED = ".elapsed.json"
_UNHASHED = {RECORD, ELAPSED}
_SMALL = 1 << 20
_WHOLE = {"fingerprint", "identity", "label", "summary", "cost", "files", "provenance"}
_PACKAGES = ("torch", "transformers", "peft", "accelerate", "tokenizers", "numpy", "scipy")

State = Literal["done", "begun", "new"]


class Store:
    """The folder in which all steps of all runs lie."""

    def __init__(self, root: Path) -> None:
        """Take `root` as the store; it need not exist yet.

        Raises:
            StoreError: there is something that is not a folder, or a folder that may not be read.
        """
        if root.exists() and not root.is_dir():
            raise StoreError(f"The store {str(root)!r} is a file. Give a folder, or a path where one can be made.")
        self.root = root

    def folder(self, step: Step) -> Path:
        """Return the step's folder: `<kind>/<words>-<fingerprint>`, found by its fingerprint if it exists."""
        kind = self.root / step.kind
        try:
            names = os.listdir(kind)
        except FileNotFoundError:
            names = []
        except OSError as error:
            raise _unreadable(kind, error) from None
        for name in names:
            if name.endswith(f"-{step.fingerprint}"):
                return kind / name
        slug = re.sub(r"[^a-z0-9]+", "-", step.label.lower()).strip("-")[:60] or step.kind
        return kind / f"{slug}-{step.fingerprint}"

    def state(self, step: Step) -> State:
        """Return whether the step is done, was begun and left off, or is new."""
        folder = self.folder(step)
        try:
            if (folder / RECORD).is_file():
                return "done"
            return "begun" if folder.is_dir() and any(folder.iterdir()) else "new"
        except OSError as error:
            raise _unreadable(folder, error) from None

    def record(self, step: Step) -> dict[str, Any]:
        """Return the record of a finished step.

        Raises:
            StoreError: the record is missing or damaged, or is another step's.
        """
        path = self.folder(step) / RECORD
        record = read_json(path)
        if not isinstance(record, dict) or record.get("fingerprint") != step.fingerprint:
            raise StoreError(f"The record {str(path)!r} is not that of its step. Delete its folder and run again.")
        if canonical(record.get("identity")) != canonical(step.identity):
            raise StoreError(
                f"The record {str(path)!r} describes other settings than the step that bears its fingerprint; it was "
                "changed by hand or damaged. Delete its folder and run again."
            )
        return record

    def verify(self, step: Step, *, deep: bool) -> Path:
        """Check a finished step's files against its record and return its folder.

        Sizes are checked always, content by SHA-256 for small files, and for all when `deep`.

        Raises:
            StoreError: a file is missing or not as it was written.
        """
        folder = self.folder(step)
        for name, written in self.record(step)["files"].items():
            path = folder / name
            damage = ""
            if not path.is_file():
                damage = "is missing"
            elif (size := path.stat().st_size) != written["size"]:
                damage = f"has {size} bytes where {written['size']} were written"
            elif (deep or size <= _SMALL) and (found := hash_file(path)) != written["sha256"]:
                damage = f"has the SHA-256 {found[:12]}... where {written['sha256'][:12]}... was written"
            if damage:
                raise StoreError(
                    f"The file {str(path)!r} of the finished step {step.label!r} {damage}: it was damaged or changed. "
                    f"Delete the folder {str(folder)!r} and run again; only this step and those that rest on a "
                    "changed result are computed anew."
                )
        return folder

    @contextmanager
    def locked(self, step: Step, *, wait: bool = True) -> Iterator[bool]:
        """Hold the step's lock; yields False at once if another run holds it and `wait` is False."""
        from filelock import FileLock, Timeout

        locks = make_folder(self.root / "locks")
        lock = FileLock(str(locks / f"{step.fingerprint}.lock"), timeout=-1 if wait else 0)
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        except OSError as error:
            raise StoreError(f"Could not lock {lock.lock_file!r}: {error}. Check that the store is writable.") from None
        try:
            yield True
        finally:
            lock.release()

    def write_record(
        self, step: Step, outcome: Outcome, *, seconds: float, peak_memory_mb: float, command: list[str]
    ) -> None:
        """Declare the step done. Written last: everything else of the step is on the disk already."""
        folder = self.folder(step)
        (folder / ELAPSED).unlink(missing_ok=True)
        for torn in folder.rglob(".*.tmp"):  # what a kill left of a write that never took place
            torn.unlink(missing_ok=True)
        files = {
            name: {"sha256": digest, "size": (folder / name).stat().st_size}
            for name, digest in hash_folder(folder).items()
            if name not in _UNHASHED
        }
        record = {
            "fingerprint": step.fingerprint,
            "identity": step.identity,
            "label": step.label,
            "summary": outcome.summary,
            "cost": {**asdict(outcome.cost), "seconds": round(seconds, 3), "peak_memory_mb": round(peak_memory_mb, 1)},
            "files": files,
            "provenance": {**provenance(), "command": command},
        }
        write_json(folder / RECORD, json.loads(json.dumps(record)))

    def finished(self) -> Iterator[dict[str, Any]]:
        """Yield the records of all finished steps."""
        for path in sorted(self.root.glob(f"*/*/{RECORD}")):
            with suppress(StoreError):  # history only: a damaged record matters to the run that needs its step
                record = read_json(path)
                if isinstance(record, dict) and record.keys() >= _WHOLE:
                    yield {**record, "folder": str(path.parent)}


def _unreadable(path: Path, error: OSError) -> StoreError:
    return StoreError(f"The folder {str(path)!r} of the store cannot be read: {error.strerror}. Mend its permissions.")


def provenance() -> dict[str, Any]:
    """Return what made a result: versions, platform, the hour."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "w2sg": w2sg.__version__,
        "python": platform.python_version(),
        "packages": versions,
        "platform": f"{platform.system()} {platform.machine()}",
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def command_line() -> list[str]:
    """Return the command that is running, without the path of the program."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]]
