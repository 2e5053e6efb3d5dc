"""A student's folder, as `w2sg fit` makes it: the checkpoint, its card, the report, and the settings that `predict`
and `eval` ask it with. Any other model folder, zoo member or Hub id can be asked too, with plain settings.

    DIR/model/       what from_pretrained (or peft) loads
    DIR/README.md    the model card
    DIR/w2sg.json    how the student is asked, and which training step it came from
    DIR/taught.json  hashes of the questions that taught the teacher, chose settings, or were the pool
    DIR/results.json, DIR/report.html, DIR/store/
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from w2sg.cli.origin import Origin, origin_of
from w2sg.config import Config
from w2sg.errors import ConfigError, StoreError
from w2sg.models.base import ModelConfig
from w2sg.models.ensemble import FILE as ENSEMBLE
from w2sg.records import Example, Item
from w2sg.runs.store import RECORD
from w2sg.storage import make_folder, read_json, write_atomic, write_json
from w2sg.tasks.duplicates import exact_key
from w2sg.tasks.file import rows_of
from w2sg.tasks.sources import read_records

MODEL = "model"
CARD = "README.md"
SETTINGS = "w2sg.json"
TAUGHT = "taught.json"
_AS_A_FILE = (
    "is asked as the questions of a file are: the question, its options and an instruction that fits the file's "
    "answers. If its task asked otherwise (an embedded world's questions have no instruction, others the one that was "
    "set), say how with --instruction ('' for none, as in the world)."
)
MARKER = ".w2sg-fit"
"""Says that the folder's model and card are ours, also while they are being replaced."""


class Student(Config):
    """How a model is asked."""

    schema_version: Literal[1] = 1
    """The version of this file's form."""
    model: ModelConfig
    """The checkpoint; in a student's folder `./model`."""
    task: dict[str, Any] = Field(default_factory=lambda: {"kind": "file"})
    """How questions are put and answers read: settings of a file task, without its files."""
    max_new_tokens: int = 256
    """The longest response."""
    fit: str = ""
    """The fingerprint of the training step that made it."""


def read_student(
    name: str, trust_remote_code: bool = False, instruction: str | None = None, questions: Path | None = None
) -> Student:
    """Return the student in the folder `name`, or plain settings for any other model that `name` means; one out of a
    run's store is asked as its task asked, where the store tells how.

    A student's folder may come from anyone: its settings name a checkpoint inside it and nothing else, and whether
    code that comes with a model runs is for the caller to say.

    Args:
        instruction: what stands after every question, in place of what the settings say.
        questions: the file that it will be asked. Its answers, if it has any, say how they are graded, else the task of
            a model out of a store.

    Raises:
        StoreError, ConfigError: its settings are damaged, or name a model that is not in the folder.
        DataError: the file cannot be read.
    """
    folder = _folder_of(name)
    path = folder / SETTINGS
    if not path.is_file():
        plain = ModelConfig(path=name, trust_remote_code=trust_remote_code)
        if (origin := _origin(name)) is None:
            return _asking(Student(model=plain), instruction)
        task = {"kind": "file", **origin.asking}
        if questions is not None and origin.grader and not any(row.gold for row in rows_of(read_records(questions))):
            task["grader"] = origin.grader
        model = plain.model_copy(update={"system": origin.system})
        return _asking(Student(model=model, task=task), instruction)
    student = Student.parse(read_json(path), f"The student's settings {str(path)!r}")
    # Absolute, for a path relative to `.` could read as a Hub id or a script.
    inside = (folder / MODEL).resolve()
    if student.model.path != f"./{MODEL}" or not inside.is_relative_to(folder.resolve()):
        raise ConfigError(
            f"The student's settings {str(path)!r} name the model {student.model.path!r}, which does not lie in the "
            f"student's own folder. They must say './{MODEL}'; to ask another model, give its path in place of "
            f"{name!r}."
        )
    changes = {"path": str(inside), "revision": None, "trust_remote_code": trust_remote_code}
    found = student.model_copy(update={"model": student.model.model_copy(update=changes)})
    return _asking(found, instruction)


def _asking(student: Student, instruction: str | None) -> Student:
    if instruction is None:
        return student
    return student.model_copy(update={"task": {**student.task, "instruction": instruction}})


def how_asked(name: str, instruction: str | None = None) -> str:
    """Return a note where `name` is a model out of a run's store: that it is asked as its task asked, or that it may
    not be, the store holding no word of how; the latter also of an ensemble, or an adapter, that lies elsewhere.
    Nothing where `instruction` says it, and for any other model."""
    if not _in_store(name):
        if instruction is not None or not _was_tuned(name):
            return ""
        return f"Note: {name} was tuned, and does not tell how its questions were asked. It {_AS_A_FILE}"
    if (origin := _origin(name)) is not None:
        return f"Note: {name} comes from a run's store, and {origin.told(instruction)}."
    if instruction is not None:
        return ""
    return f"Note: {name} comes from a run's store, and {_AS_A_FILE}"


def _was_tuned(name: str) -> bool:
    """Whether `name` is an ensemble or an adapter that is no student's: a folder that was copied out of a store."""
    folder = Path(name)
    made = any((folder / file).is_file() for file in (ENSEMBLE, "adapter_config.json"))
    return made and not (_folder_of(name) / SETTINGS).is_file()


def _in_store(name: str) -> bool:
    """Whether `name` is the model of a step in a run's store, and not a student's."""
    folder = Path(name).absolute()
    return folder.name == MODEL and (folder.parent / RECORD).is_file() and not (_folder_of(name) / SETTINGS).is_file()


def _origin(name: str) -> Origin | None:
    return origin_of(Path(name)) if _in_store(name) else None


def _folder_of(name: str) -> Path:
    """The student's folder that `name` means: itself, or the one around a student's checkpoint, which knows its task
    and what it was taught."""
    folder = Path(name)
    around = folder.absolute().parent
    return around if folder.name == MODEL and (around / SETTINGS).is_file() else folder


def check_ours(folder: Path) -> None:
    """Refuse a folder whose model or card were not written by `w2sg fit`, which would replace them.

    Raises:
        StoreError: they are the user's own.
    """
    found = [name for name in (MODEL, CARD) if os.path.lexists(folder / name)]
    if found and not any((folder / name).is_file() for name in (SETTINGS, MARKER)):
        raise StoreError(
            f"The folder {str(folder)!r} holds {' and '.join(found)} that w2sg fit did not write and would replace. "
            "Give --out a folder that is new or empty."
        )


def key_of(example: Example) -> str:
    """Return a short hash of what an example asks, whatever its case and spacing."""
    return hashlib.sha256(exact_key(example).encode("utf-8", "replace")).hexdigest()[:24]


def taught(name: str) -> dict[str, frozenset[str]]:
    """Return the hashes of the questions that made the student in the folder `name`, by role; empty where unknown.

    Raises:
        StoreError: the file that holds them is damaged.
    """
    path = _folder_of(name) / TAUGHT
    if not path.is_file():
        return {}
    found = read_json(path)
    if not isinstance(found, dict) or not all(isinstance(keys, list) for keys in found.values()):
        raise StoreError(f"The file {str(path)!r} is damaged. Run the w2sg fit that made it again, or delete it.")
    return {role: frozenset(map(str, keys)) for role, keys in found.items()}


def write_student(folder: Path, student: Student, checkpoint: Path, items: Iterable[Item]) -> None:
    """Copy the checkpoint to `folder/model`, which appears whole, and write the settings last.

    Args:
        items: the questions that made the student.

    Raises:
        StoreError: the disk refuses.
    """
    path = folder / SETTINGS
    whole = path.is_file() and (folder / TAUGHT).is_file() and (folder / MODEL).is_dir()
    if whole and read_json(path).get("fit") == student.fit:
        return
    make_folder(folder)
    write_atomic(folder / MARKER, "The model, the card and the report in this folder were written by w2sg fit.\n")
    path.unlink(missing_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{MODEL}.", suffix=".tmp", dir=folder))
    try:
        shutil.copytree(checkpoint, fresh, dirs_exist_ok=True)
        shutil.rmtree(folder / MODEL, ignore_errors=True)
        fresh.chmod(0o755)
        os.replace(fresh, folder / MODEL)
    except OSError as error:
        raise StoreError(
            f"Could not copy the student to {str(folder / MODEL)!r}: {error}. Check that the disk is writable and has "
            f"free space, then run the same command again; the trained student is safe in {str(checkpoint)!r}."
        ) from None
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    keys: dict[str, set[str]] = {}
    for item in items:
        keys.setdefault(item.role, set()).add(key_of(item.example))
    write_json(folder / TAUGHT, {role: sorted(found) for role, found in keys.items()})
    write_json(path, student.model_dump(mode="json"))
