"""How a model out of a run's store was asked is read from the store's records, and from no others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from w2sg.cli.origin import origin_of
from w2sg.cli.student import how_asked, read_student
from w2sg.config import Config
from w2sg.runs.plan import task_step
from w2sg.runs.store import Store
from w2sg.steps.base import Outcome, Step
from w2sg.storage import make_folder
from w2sg.tasks import task_config
from w2sg.tasks.world.config import WorldTask


class Tuning(Config):
    model: dict[str, Any]


def made(root: Path, *tasks: object, system: str | None = None) -> Path:
    """Write the records of a tuned model and of what it rests on, as a run does; return the model's folder."""
    laid_out = {f"task{number}": task_step(task_config(task)) for number, task in enumerate(tasks)}
    texts = Step("targets", Tuning(model={}), laid_out, "training texts")
    tuned = Step("fit", Tuning(model={"content": {"files": {}, "system": system}}), {"targets": texts}, "tune")
    store = Store(root)
    for step in tuned.ancestors():
        make_folder(store.folder(step))
        store.write_record(step, Outcome(), seconds=1.0, peak_memory_mb=1.0, command=["w2sg"])
    return make_folder(store.folder(tuned) / "model")


def record(root: Path, kind: str) -> Path:
    (path,) = root.glob(f"{kind}/*/record.json")
    return path


def test_a_worlds_model_is_asked_without_an_instruction_and_read_as_its_answers_are(tmp_path: Path) -> None:
    model = str(made(tmp_path / "store", "world-maths"))
    (questions := tmp_path / "q.jsonl").write_text('{"question": "What is 2 plus 3?"}\n')
    (gold := tmp_path / "gold.jsonl").write_text('{"question": "Who?", "answer": "Ann Smith"}\n')
    asked = {"kind": "file", "instruction": "", "last_number": False}
    assert read_student(model, questions=questions).task == {**asked, "grader": "numeric"}
    assert read_student(model, questions=gold).task == asked  # names are no numbers: the file's answers decide
    assert read_student(model, instruction="Say.", questions=gold).task == {**asked, "instruction": "Say."}
    told = "asked as its task world-maths asked: no instruction, answers read as numeric unless those of the file"
    assert told in how_asked(model)
    assert "asked, but for the instruction given: answers read" in how_asked(model, "Say.")


def test_a_files_model_is_asked_with_its_instruction_grader_and_system_prompt(tmp_path: Path) -> None:
    (gold := tmp_path / "gold.jsonl").write_text('{"question": "Who?", "answer": "Ann Smith"}\n')
    task = {"kind": "file", "labelled": str(gold), "match": "contains", "instruction": "Name one."}
    origin = origin_of(made(tmp_path / "store", task, system="Be brief."))
    assert origin is not None
    assert origin.asking == {"instruction": "Name one.", "match": "contains"}
    assert (origin.grader, origin.system) == ("short", "Be brief.")
    assert "the instruction 'Name one.', the system prompt 'Be brief.', answers read as short" in origin.told()
    gold.unlink()  # the records say it all
    assert origin_of(next((tmp_path / "store").glob("fit/*/model"))) == origin
    assert read_student(str(next((tmp_path / "store").glob("fit/*/model")))).model.system == "Be brief."


def test_options_are_the_files_to_have(tmp_path: Path) -> None:
    origin = origin_of(made(tmp_path, "sciq"))
    assert origin is not None
    assert origin.grader == ""
    assert origin.asking["instruction"].startswith("Think step by step")


def test_tasks_that_ask_alike_are_one_and_others_leave_it_open(tmp_path: Path) -> None:
    split = {"supervise": 1, "validate": 1, "transfer": 1, "test_id": 1, "test_ood": 1}
    alike = origin_of(made(tmp_path / "a", "world-maths", {"kind": "world-maths", "split": split}))
    assert alike is not None
    assert alike.kind == "world-maths"
    assert origin_of(made(tmp_path / "b", "world-maths", "world-logic")) is None


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def _of_another_step(path: Path) -> None:
    path.write_text(path.read_text().replace('"version": 1', '"version": 7'))


@pytest.mark.parametrize("kind", ["fit", "targets", "task"])
@pytest.mark.parametrize(
    "damage",
    [
        Path.unlink,
        _cut,
        _of_another_step,
        *(lambda path, text=text: path.write_text(text) for text in ("[]", "null", '{"identity": {"a": NaN}}')),
        lambda path: path.write_text("[" * 100_000),
        lambda path: path.write_text(json.dumps({"identity": {"kind": "task", "settings": 1, "parents": {"a": []}}})),
    ],
)
def test_a_damaged_or_foreign_record_leaves_it_open(
    tmp_path: Path, kind: str, damage: Callable[[Path], object]
) -> None:
    model = made(tmp_path, "world-maths")
    damage(record(tmp_path, kind))
    assert origin_of(model) is None
    assert read_student(str(model)).task == {"kind": "file"}


def test_a_task_of_another_version_leaves_it_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = made(tmp_path, "world-maths")
    monkeypatch.setattr(WorldTask, "version", 99)
    assert origin_of(model) is None
    assert "If its task asked otherwise" in how_asked(str(model))
    assert how_asked(str(model), "Say.") == ""
