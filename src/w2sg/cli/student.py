"""A student's folder, as `w2sg fit` makes it: the checkpoint, its card, the report, and the settings that `predict`
and `eval` ask it with. Any other model folder, zoo member or Hub id can be asked too, with plain settings.

    DIR/model/       what from_pretrained (or peft) loads
    DIR/README.md    the model card
    DIR/w2sg.json    how the student is asked, and which training step it came from
    DIR/results.json, DIR/report.html, DIR/store/
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from w2sg.config import Config
from w2sg.errors import ModelError, StoreError
from w2sg.models.base import ModelConfig
from w2sg.models.identity import SCRIPTED, locate
from w2sg.storage import make_folder, read_json, write_json

MODEL = "model"
SETTINGS = "w2sg.json"


class Student(Config):
    """How a model is asked."""

    schema_version: Literal[1] = 1
    """The version of this file's form."""
    model: ModelConfig
    """The checkpoint; a path that begins with `./` lies in the student's own folder."""
    task: dict[str, Any] = Field(default_factory=lambda: {"kind": "file"})
    """How questions are put and answers read: settings of a file task, without its files."""
    max_new_tokens: int = 256
    """The longest response."""
    fit: str = ""
    """The fingerprint of the training step that made it."""


def parameters(model: ModelConfig) -> float:
    """Return about how many parameters a model on this disk has, from the size of its weights; 0 where unknown."""
    if model.path.startswith(SCRIPTED):
        return 0.0
    try:
        return sum(file.stat().st_size for file in Path(locate(model)).glob("*.safetensors")) / 2
    except ModelError:
        return 0.0  # loading will tell what is wrong with the model


def read_student(folder: str) -> Student:
    """Return the student in `folder`, or plain settings for any other model that `folder` names.

    Raises:
        StoreError, ConfigError: its settings are damaged.
    """
    path = Path(folder) / SETTINGS
    if not path.is_file():
        return Student(model=ModelConfig(path=folder))
    student = Student.parse(read_json(path), f"The student's settings {str(path)!r}")
    if student.model.path.startswith("./"):
        inside = str(Path(folder) / student.model.path)
        student = student.model_copy(update={"model": student.model.model_copy(update={"path": inside})})
    return student


def write_student(folder: Path, student: Student, checkpoint: Path) -> None:
    """Copy the checkpoint to `folder/model`, which appears whole, and write the settings last.

    Raises:
        StoreError: the disk refuses.
    """
    path = folder / SETTINGS
    if path.is_file() and (folder / MODEL).is_dir() and read_json(path).get("fit") == student.fit:
        return
    make_folder(folder)
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
    write_json(path, student.model_dump(mode="json"))
