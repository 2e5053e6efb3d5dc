"""The probe of reading: what is shown, who is graded how, who opened gold; on models that play a script."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from w2sg.decode.config import SamplingConfig
from w2sg.errors import DataError, SealedGoldError
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.records import Example, Gold
from w2sg.runs.plan import task_step
from w2sg.runs.runner import run_steps
from w2sg.runs.store import Store
from w2sg.steps.base import Step
from w2sg.steps.inputs import SEALED_ACCESS
from w2sg.steps.model import ModelRef, Node
from w2sg.steps.probe import SHOWN, demonstrations, probe_step, read_probe_scores, wrong_answers
from w2sg.tasks import task_config
from w2sg.tasks.sealed import open_sealed, read_accesses
from w2sg.tasks.world.config import WorldTask

SIZES = {"supervise": 4, "validate": 4, "transfer": 12, "test_id": 4, "test_ood": 0}


def probe(script: str, kind: str = "world-maths", **sizes: int) -> Step:
    task = task_step(task_config({"kind": kind, "split": {**SIZES, **sizes}}))
    node = Node(ModelRef.of(ModelConfig(path=f"scripted:scripted_readers:{script}")))
    return probe_step(node, task, SamplingConfig(max_new_tokens=64, chunk=7), "probe")


def counts(step: Step, store: Store) -> dict[str, tuple[int, int]]:
    """Replies that are right, and that follow the wrong answer, by what was shown."""
    run_steps((step,), store, RuntimeConfig(), workers=1)
    scores = read_probe_scores(store.folder(step))
    assert Counter(score.shown for score in scores) == dict.fromkeys(SHOWN, 12)
    return {
        shown: (
            sum(score.correct for score in scores if score.shown == shown),
            sum(score.follows for score in scores if score.shown == shown),
        )
        for shown in SHOWN
    }


@pytest.mark.parametrize("kind", ["world-maths", "world-logic", "world-knowledge"])
def test_a_model_that_repeats_what_it_is_shown(tmp_path: Path, kind: str) -> None:
    found = counts(probe("reader", kind), Store(tmp_path))
    assert found["own"] == (12, 0)
    assert found["other"][0] < 12
    assert (found["often"], found["rarely"]) == ((0, 12), (12, 0))


@pytest.mark.parametrize("kind", ["world-maths", "world-logic", "world-knowledge"])
def test_a_model_that_repeats_the_first_answer_gains_nothing_by_it(tmp_path: Path, kind: str) -> None:
    found = counts(probe("hasty", kind), Store(tmp_path))
    assert found["own"] == (12, 0)
    for shown in ("often", "rarely"):
        assert 2 <= found[shown][1] <= 10
        assert sum(found[shown]) == 12


def test_a_model_that_reads_nothing(tmp_path: Path) -> None:
    found = counts(probe("deaf"), Store(tmp_path))
    assert found["own"] == found["other"]
    assert found["often"] == found["rarely"]


def test_gold_is_opened_for_the_probe_alone_and_written_down(tmp_path: Path) -> None:
    step, store = probe("reader"), Store(tmp_path)
    counts(step, store)
    (access,) = read_accesses(store.folder(step) / SEALED_ACCESS)
    assert (access.by, access.reason, access.roles, access.n) == ("probe", "probe", ("transfer",), 12)


def test_the_probe_gives_no_right_to_the_gold_of_the_test(tmp_path: Path) -> None:
    with pytest.raises(SealedGoldError):
        open_sealed(tmp_path, by="probe", reason="probe", log=tmp_path / "log.jsonl", roles=("test",))
    assert not (tmp_path / "log.jsonl").exists()


def test_what_is_shown_by_hand() -> None:
    task = task_config({"kind": "world-maths"}).build()
    examples = {id: Example(id, f"Q{id}?") for id in ("a", "b")}
    gold = {"a": Gold("a", "3", rationale="1 + 2 = 3."), "b": Gold("b", "5", rationale="2 + 3 = 5.")}
    wrong = {"a": "4", "b": "6"}
    shown = {name: dict(demonstrations(task, examples, gold, wrong, name)) for name in SHOWN}
    assert shown["own"]["a"].text == shown["other"]["b"].text == "1 + 2 = 3.\nAnswer: 3"
    assert shown["often"]["a"].answers == (("4", 14), ("3", 2))
    assert shown["rarely"]["b"].answers == (("5", 14), ("6", 2))
    prompt = task.revise_prompt(examples["a"], others=(shown["rarely"]["a"],))
    assert prompt == "Qa?\nAnother's answers: 3 (14 times), 4 (2 times)\nWhat is the right solution?"


def test_no_question_is_shown_its_own_work_as_anothers() -> None:
    task = task_config({"kind": "world-maths"}).build()
    examples = {str(n): Example(str(n), "?") for n in range(9)}
    gold = {id: Gold(id, id) for id in examples}
    shown = {id: one.text for id, one in demonstrations(task, examples, gold, {}, "other")}
    assert all(text != f"Answer: {id}" for id, text in shown.items())
    assert len(set(shown.values())) == len(examples)


def test_wrong_answers_are_wrong_and_stay_the_same() -> None:
    for kind in ("world-maths", "world-logic", "world-knowledge"):
        task = task_config({"kind": kind, "split": SIZES}).build()
        assert isinstance(task, WorldTask)
        problems = task.problems()
        wrong = wrong_answers(task, problems)
        assert wrong == wrong_answers(task, problems)
        assert all(wrong[id] != problem.solution.answer for id, problem in problems.items())


def test_one_question_or_another_task_cannot_be_probed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="two transfer questions"):
        run_steps((probe("reader", transfer=1),), Store(tmp_path), RuntimeConfig(), workers=1)
    rows = [{"id": str(n), "question": f"What is {n} plus {n}?", "answer": str(2 * n)} for n in range(20)]
    file = tmp_path / "gold.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    split = {"supervise": 5, "validate": 1, "transfer": 5, "test_id": 5, "near_duplicates": "exact"}
    task = task_step(task_config({"kind": "file", "grader": "numeric", "labelled": str(file), "split": split}))
    node = Node(ModelRef.of(ModelConfig(path="scripted:scripted_readers:deaf")))
    with pytest.raises(DataError, match="cannot be probed"):
        run_steps((probe_step(node, task, SamplingConfig(), "probe"),), Store(tmp_path), RuntimeConfig(), workers=1)
