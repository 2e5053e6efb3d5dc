"""Whole runs on scripted models: what is done once, shared, refused, kept."""

from __future__ import annotations

import multiprocessing
from pathlib import Path
from typing import Any

import pytest

import scripted_world
from w2sg.errors import DataError, StoreError
from w2sg.models.base import RuntimeConfig
from w2sg.runs.experiment import Experiment
from w2sg.runs.forecast import forecast
from w2sg.runs.plan import Plan, make_plan
from w2sg.runs.runner import needed, run_steps
from w2sg.runs.store import RECORD, Store
from w2sg.steps.inputs import LABELS, SCORES, SEALED_ACCESS, read_scores
from w2sg.storage import read_lines


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


def test_a_missing_step_is_not_done_again_when_nothing_needs_it(tmp_path: Path) -> None:
    plan = plan_of(tmp_path)
    done = {leaf.fingerprint for arm in plan.arms for leaf in arm.leaves()}
    assert needed(plan.steps, done) == []
    last = plan.arms[-1].scores
    again = needed(plan.steps, done - {last.fingerprint})
    assert {step.fingerprint for step in again} == {step.fingerprint for step in last.ancestors()}


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
    with pytest.raises(DataError, match="has no training texts") as caught:
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
