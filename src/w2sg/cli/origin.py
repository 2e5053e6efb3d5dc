"""How a model out of a run's store was asked while it was made: recovered from the records of the step that made it and
of the steps that this one rests on, and from nothing else. `student` asks it so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from w2sg.config import fingerprint
from w2sg.errors import StoreError, UserError
from w2sg.runs.store import RECORD
from w2sg.storage import read_json
from w2sg.tasks import task_config
from w2sg.tasks.file import GraderName
from w2sg.tasks.grading import NumericGrader, ShortGrader


@dataclass(frozen=True)
class Origin:
    """The task of a model, as far as a task of the user's own file can ask alike."""

    kind: str
    """The task's kind."""
    asking: dict[str, Any]
    """Settings of a file task: the instruction, and how its grader is set."""
    grader: str
    """How answers are read; empty where a file's rows say it (options), or a file task has no such grader."""
    system: str | None
    """The system prompt before every question."""

    def told(self, instruction: str | None = None) -> str:
        """Say how the model is asked; a given `instruction` stands in place of the task's."""
        said = self.asking["instruction"]
        parts = [f"the instruction {said!r}" if said else "no instruction"] if instruction is None else []
        parts += [f"the system prompt {self.system!r}"] if self.system else []
        parts += [f"answers read as {self.grader} unless those of the file say otherwise"] if self.grader else []
        but = "" if instruction is None else ", but for the instruction given"
        return f"is asked as its task {self.kind} asked{but}" + (f": {', '.join(parts)}" if parts else "")


def origin_of(checkpoint: Path) -> Origin | None:
    """Return how the model in `checkpoint`, a step's `model` folder, was asked; None where the store does not tell it:
    records are missing, damaged or of a task whose texts changed since, or several tasks ask differently."""
    folder = checkpoint.absolute().parent
    made = _identity(folder / RECORD, folder.name[-16:])
    if made is None:
        return None
    forms = [_form(one["settings"]) for one in _ancestry(made, folder.parent.parent) if one["kind"] == "task"]
    if not forms or None in forms or any(form != forms[0] for form in forms):
        return None
    kind, asking, grader = forms[0]  # type: ignore[misc]
    return Origin(kind, asking, grader, _system(made["settings"]))


def _ancestry(made: dict[str, Any], store: Path) -> Iterator[dict[str, Any]]:
    """Yield the identities of a step and of all that it rests on whose records can be read, each once."""
    records = {path.parent.name[-16:]: path for path in store.glob(f"*/*/{RECORD}")}
    todo, seen = [made], set[str]()
    while todo:
        one = todo.pop()
        yield one
        for digits in set(map(str, one["parents"].values())) & records.keys() - seen:
            seen.add(digits)
            todo += [found] if (found := _identity(records[digits], digits)) is not None else []


def _identity(path: Path, digits: str) -> dict[str, Any] | None:
    """Return the identity in a record; None where there is none, or it is not that of the step which `digits` name."""
    try:
        identity = read_json(path)["identity"]
        whole = fingerprint(identity) == digits and isinstance(identity, dict)
    except (StoreError, KeyError, TypeError, RecursionError):
        return None
    parts = identity if whole else {}
    fits = "kind" in parts and isinstance(parts.get("settings"), dict) and isinstance(parts.get("parents"), dict)
    return parts if fits else None


def _form(settings: dict[str, Any]) -> tuple[str, dict[str, Any], str] | None:
    """Return how a task step's task asks: its kind, settings of a file task, its grader; None where the settings are
    not those of a task, or of one of which this w2sg has another version."""
    try:
        data = {key: value for key, value in settings["task"].items() if key != "split"}
        if data["kind"] == "file":
            data["unlabelled"] = "questions"  # it needs some file, of which nothing is read here
        config = task_config(data)
        task = config.build()
        if task.version != settings["version"]:
            return None
        asking: dict[str, Any] = {"instruction": task.instruction()}
        grader = task.grader
    except (UserError, KeyError, TypeError, AttributeError):
        return None
    if isinstance(grader, NumericGrader):
        asking["last_number"] = grader.last_number
    if isinstance(grader, ShortGrader):
        asking["match"] = grader.match
    known = grader.name in get_args(GraderName) and grader.name != "choice"
    return config.kind, asking, grader.name if known else ""


def _system(settings: Any) -> str | None:
    """Return the system prompt of the model that a step tuned, if it had one."""
    for part in ("model", "content", "system"):
        settings = settings.get(part) if isinstance(settings, dict) else None
    return settings if isinstance(settings, str) else None
