"""Whole runs on scripted models: what is done once, shared, refused, kept."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest

import scripted_world
from runs_tree import tree
from w2sg.errors import DataError, StoreError
from w2sg.models.base import RuntimeConfig
from w2sg.runs.experiment import Experiment
from w2sg.runs.forecast import forecast
from w2sg.runs.plan import Plan, make_plan
from w2sg.runs.runner import run_steps
from w2sg.runs.store import RECORD, Store
from w2sg.steps.inputs import LABELS, SCORES, SEALED_ACCESS, read_scores
from w2sg.storage import read_lines, remove_folder


def plan_of(folder: Path, **changes: Any) -> Plan:
    return make_plan(Experiment.parse(scripted_world.experiment(folder / "data", **changes), "the test"))


def run(plan: Plan, folder: Path) -> int:
    return run_steps(plan.steps, Store(folder / "store"), RuntimeConfig(), workers=1)


def test_every_arm_ends_in_grades_of_every_test_item(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    assert run(plan, tmp_path) == len(plan.steps)
    store = Store(tmp_path / "store")
    assert {(arm.method, arm.seed) for arm in plan.arms} == {
        (name, seed)
        for name in (
            "teacher", "untuned", "ceiling", "self-distillation", "random-labels", "imitation", "imitation-vote",
        )
        for seed in (0, 1)
    }  # fmt: skip
    accuracy = {}
    for arm in plan.arms:
        scores = read_scores(store.folder(arm.scores))
        assert len({score.id for score in scores}) == 14
        accuracy[arm.method] = sum(score.correct for score in scores) / len(scores)
    assert accuracy["untuned"] > accuracy["teacher"] > 0


def test_the_same_run_again_does_nothing_and_another_method_only_its_own(tmp_path: Path) -> None:
    run(plan_of(tmp_path), tmp_path)
    assert run(plan_of(tmp_path), tmp_path) == 0
    more = plan_of(
        tmp_path,
        methods={"imitation": {}, "imitation-vote": {}, "vote-of-4": {"elicit": {"kind": "vote", "samples": 4}}},
    )
    store = Store(tmp_path / "store")
    new = [part.step for part in forecast(more, store) if part.seconds > 0]
    # per seed: sampling, labels, their grades, texts, tuning, answers, grades
    assert len(new) == 14
    assert run(more, tmp_path) == 14


def test_a_changed_setting_is_named_as_the_reason(tmp_path: Path) -> None:
    run(plan_of(tmp_path), tmp_path)
    outlook = forecast(plan_of(tmp_path, student_fit={"epochs": 1}), Store(tmp_path / "store"))
    reasons = {part.reason for part in outlook if part.step.kind == "fit" and part.seconds > 0}
    assert reasons == {"changed: settings.fit.epochs: 3.0 -> 1.0"}
    assert all(part.seconds == 0 for part in outlook if "teacher" in part.step.label)


def test_a_deleted_folder_is_computed_anew_and_nothing_else(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    run(plan, tmp_path)
    store = Store(tmp_path / "store")
    before = tree(store.root)
    for kind in sorted({step.kind for step in plan.steps}):
        remove_folder(store.folder(next(step for step in plan.steps if step.kind == kind)))
        assert run(plan, tmp_path) == 1
        assert tree(store.root) == before


def test_sealed_gold_is_opened_by_grading_and_the_ceiling_alone(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    run(plan, tmp_path)
    store = Store(tmp_path / "store")
    opened = {
        step.label: list(read_lines(path))
        for step in plan.steps
        if (path := store.folder(step) / SEALED_ACCESS).exists()
    }
    assert set(opened) == {step.label for step in plan.steps if step.kind in ("score", "label-score")} | {
        "sums · gold of transfer (ceiling)"
    }
    assert all(len(lines) == 1 for lines in opened.values())


@pytest.mark.parametrize("change", ["flip", "cut", "delete"])
def test_a_damaged_artifact_is_found_before_it_is_used(tmp_path: Path, change: str) -> None:
    plan = plan_of(tmp_path)
    run(plan, tmp_path)
    store = Store(tmp_path / "store")
    labels = next(arm.labels for arm in plan.arms if arm.labels is not None)
    path = store.folder(labels) / LABELS
    content = path.read_bytes()
    if change == "flip":
        path.write_bytes(content.replace(b"Answer", b"Answes", 1))
    elif change == "cut":
        path.write_bytes(content[:-5])
    else:
        path.unlink()
    with pytest.raises(StoreError, match=r"was damaged or changed\. Delete the folder .* and run again"):
        run(plan, tmp_path)


def test_a_record_changed_by_hand_is_refused(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    run(plan, tmp_path)
    path = Store(tmp_path / "store").folder(plan.steps[0]) / RECORD
    path.write_text(path.read_text().replace('"supervise": 8', '"supervise": 9'))
    with pytest.raises(StoreError, match="describes other settings"):
        run(plan, tmp_path)


def test_a_failure_stops_what_rests_on_it_and_nothing_else(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, teacher="scripted:scripted_world:mute", teacher_fit={"epochs": 1})
    with pytest.raises(DataError, match=r"has no training texts|needs two or more readable") as caught:
        run(plan, tmp_path)
    assert caught.value.__notes__ == ["6 steps failed; this is the first."]
    store = Store(tmp_path / "store")
    done = {arm.method for arm in plan.arms if store.state(arm.scores) == "done"}
    assert done == {"teacher", "untuned", "ceiling", "self-distillation"}
    teacher = next(arm for arm in plan.arms if arm.method == "teacher")
    assert all(not score.parsed and not score.correct for score in read_scores(store.folder(teacher.scores)))


def _run_in_child(folder: Path, results: Any) -> None:
    results.put(run(plan_of(folder), folder))


def test_two_runs_share_a_store_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    children = [context.Process(target=_run_in_child, args=(tmp_path, results)) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    assert run(plan_of(tmp_path), tmp_path) == 0


def test_a_moved_data_file_or_renamed_run_reuses_everything(tmp_path: Path) -> None:
    run(plan_of(tmp_path), tmp_path)
    moved = Experiment.parse(scripted_world.experiment(tmp_path / "elsewhere", name="renamed"), "the test")
    assert run_steps(make_plan(moved).steps, Store(tmp_path / "store"), RuntimeConfig(), workers=1) == 0


def test_grades_say_what_was_answered(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, seeds=[0])
    run(plan, tmp_path)
    score = next(read_lines(Store(tmp_path / "store").folder(plan.arms[0].scores) / SCORES))
    assert set(score) == {"id", "stratum", "correct", "parsed", "answer", "difficulty"}


def test_a_file_that_changes_while_the_run_is_on_is_refused(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    gold = tmp_path / "data" / "gold.jsonl"
    true = gold.read_text()
    gold.write_text(true.replace('"answer": "', '"answer": "9'))
    with pytest.raises(DataError, match=r"gold\.jsonl of the task 'sums' changed after the run was planned"):
        run(plan, tmp_path)
    gold.write_text(true)
    assert run(plan, tmp_path) == len(plan.steps)


def test_precision_asked_for_by_name_and_foreign_code_are_in_the_fingerprint(tmp_path: Path) -> None:
    plain = plan_of(tmp_path).arms[0].scores.fingerprint
    assert plan_of(tmp_path, runtime={"dtype": "bfloat16"}).arms[0].scores.fingerprint != plain
    trusting = {"path": "scripted:scripted_world:weak", "trust_remote_code": True}
    assert plan_of(tmp_path, teacher=trusting).arms[0].scores.fingerprint != plain
    assert plan_of(tmp_path, runtime={"threads": 2, "device": "cpu"}).arms[0].scores.fingerprint == plain


def test_shuffled_labels_are_not_reported_as_the_labels_that_were_learnt(tmp_path: Path) -> None:
    graded = {arm.method for arm in plan_of(tmp_path).arms if arm.label_scores is not None}
    assert graded == {"imitation", "imitation-vote", "self-distillation"}


def test_a_task_without_test_questions_is_refused_before_anything_runs(tmp_path: Path) -> None:
    data = scripted_world.experiment(tmp_path / "data")
    data["tasks"][0]["split"] |= {"test_id": 0, "test_ood": 0}
    with pytest.raises(DataError, match="has no test questions"):
        make_plan(Experiment.parse(data, "the test"))


@pytest.mark.parametrize("content", ["", "[]", "null", "{}", "{"])
def test_another_runs_damaged_record_does_not_stop_this_one(tmp_path: Path, content: str) -> None:
    stray = tmp_path / "store" / "fit" / "other-0123456789abcdef" / RECORD
    stray.parent.mkdir(parents=True)
    stray.write_text(content)
    plan = plan_of(tmp_path)
    forecast(plan, Store(tmp_path / "store"))
    assert run(plan, tmp_path) == len(plan.steps)


def test_a_store_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="is a file"):
        Store(tmp_path / "file")


def test_sampling_finished_before_its_record_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(tmp_path, seeds=[0])

    def full(*_: Any, **__: Any) -> None:
        raise StoreError("no space left")

    sampling = next(step for step in plan.steps if step.kind == "sample" and "model" not in step.parents)
    both, store = (sampling.parents["task"], sampling), Store(tmp_path / "store")
    run_steps(both[:1], store, RuntimeConfig(), workers=1)
    monkeypatch.setattr(Store, "write_record", full)
    with pytest.raises(StoreError, match="no space left"):
        run_steps(both, store, RuntimeConfig(), workers=1)
    monkeypatch.undo()
    monkeypatch.setattr("w2sg.decode.sampling.sample", lambda *_, **__: pytest.fail("sampled again"))
    assert run_steps(both, store, RuntimeConfig(), workers=1) == 1
    assert store.record(sampling)["cost"]["tokens_sampled"] > 0


def test_a_pool_without_gold_has_no_ceiling_and_the_plan_says_so(tmp_path: Path) -> None:
    data = scripted_world.experiment(tmp_path / "data")
    data["tasks"][0] |= scripted_world.write_files(tmp_path / "data", 40, 10)
    data["tasks"][0]["split"] |= {"transfer": "rest"}
    plan = make_plan(Experiment.parse(data, "the test"))
    assert "ceiling" not in {arm.method for arm in plan.arms}
    assert [note.text for note in plan.notes] == [
        "There is no ceiling: the transfer questions have no gold to train on."
    ]
    assert run(plan, tmp_path) == len(plan.steps)


def test_later_steps_never_open_the_users_file_again(tmp_path: Path) -> None:
    data = scripted_world.experiment(tmp_path / "data")
    del data["tasks"][0]["grader"]  # guessed from the answers
    plan = make_plan(Experiment.parse(data, "the test"))
    first = [step for step in plan.steps if step.kind == "task"]
    run_steps(tuple(first), Store(tmp_path / "store"), RuntimeConfig(), workers=1)
    (tmp_path / "data" / "gold.jsonl").unlink()
    assert run(plan, tmp_path) == len(plan.steps) - len(first)


def test_a_step_asked_for_alone_brings_what_it_rests_on(tmp_path: Path) -> None:
    last = plan_of(tmp_path).arms[-1].scores
    store = Store(tmp_path / "store")
    assert run_steps((last,), store, RuntimeConfig(), workers=1) == len(list(last.ancestors()))
    assert store.state(last) == "done"
