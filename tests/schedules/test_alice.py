"""Whole runs of Alice on scripted models: who is asked what, who learns what, what is refused."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

import scripted_world
from fault_server import running
from runs_tree import stopped_on_the_way, tree
from scripted_runs import labels_of, plan_of, run, step_of
from w2sg.errors import ConfigError, DataError, ModelError
from w2sg.report.collect import collect
from w2sg.report.gather import gather, identity
from w2sg.report.page import render
from w2sg.report.results import Results
from w2sg.report.terminal import show
from w2sg.runs.experiment import Experiment
from w2sg.runs.forecast import forecast
from w2sg.runs.plan import make_plan
from w2sg.runs.store import Store
from w2sg.steps.inputs import (
    read_examples,
    read_label_scores,
    read_labels,
    read_responses,
    read_rewrite_scores,
    read_scores,
    read_targets,
)

MIDDLE = "scripted:scripted_world:middle"


def test_the_student_learns_what_it_wrote_itself(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ["alice"])
    store = run(plan, tmp_path)
    (arm,) = plan.arms
    (rewrites,) = step_of(arm, "rewrite")
    targets = {target.id: target for target in read_targets(store.folder(arm.node.tuned.parents["targets"]))}  # type: ignore[union-attr]
    examples = {example.id: example for example in read_examples(store.folder(arm.task_step), ("transfer",))}
    written = dict(read_responses(store.folder(rewrites)))
    assert len(written) == len(examples) == 14
    assert all(len(rows) == 4 for rows in written.values())
    for id, target in targets.items():
        assert target.response in {row.text for row in written[id]}
        assert target.response != "Hm."
        assert target.prompt[0].content.startswith(examples[id].question)
        assert "somebody" not in target.prompt[0].content.lower()
    (labels,) = labels_of(arm)
    for label in read_labels(store.folder(labels)):
        assert label.statement.startswith("Asked 32 times, I gave ")
    assert len(read_scores(store.folder(arm.scores))) == 14


@pytest.mark.parametrize(
    "name",
    ["alice-no-uncertainty", "alice-shuffled", "alice-shuffled-statement", "alice-no-attempt", "alice-swapped",
     "alice-blind", "alice-shuffled-order", "alice-teacher-words", "alice-student-words", "alice-on-greedy",
     "imitation-on-alice"],
)  # fmt: skip
def test_every_variant_runs_and_is_another_result(tmp_path: Path, name: str) -> None:
    plan = plan_of(tmp_path, ["alice", name])
    store = run(plan, tmp_path)
    alice, other = plan.arms
    assert alice.scores.fingerprint != other.scores.fingerprint
    assert len(read_scores(store.folder(other.scores))) == 14


def test_shuffled_answers_are_told_in_another_order_and_nothing_else(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, {"alice": {}, "other": {"like": "alice-shuffled-order", "recipe": {"turns": 2}}})
    store = run(plan, tmp_path)
    usual, shuffled = ([*read_labels(store.folder(labels_of(arm)[0]))] for arm in plan.arms)
    assert [replace(label, statement="") for label in usual] == [replace(label, statement="") for label in shuffled]
    said = [(one.statement, other.statement) for one, other in zip(usual, shuffled, strict=True)]
    assert all(len(one) == len(other) for one, other in said)
    moved = sum(one != other for one, other in said)
    assert 0 < moved < len(said)
    (judge, *_) = step_of(plan.arms[1], "judge")
    assert judge.settings.identity()["listing"] == "shuffled"


def test_variants_share_samples_and_attempts(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ["alice", "alice-no-uncertainty", "alice-shuffled", "imitation-on-alice"])
    sampled = [step for step in plan.steps if step.kind == "sample" and "transfer" in step.settings.roles]  # type: ignore[attr-defined]
    assert len(sampled) == 2  # the teacher's and the student's own
    assert (
        len([step for step in plan.steps if step.kind == "label"]) == 2
    )  # of transfer, and of validate to calibrate by


def test_a_sampled_attempt_is_drawn_apart_from_the_supervisors_samples(tmp_path: Path) -> None:
    """By the same random numbers a model that supervises itself would attempt its own first sample, word for word."""
    plan = plan_of(tmp_path, {"alice": {"supervisor": "student", "recipe": {"attempt": "sampled"}}})
    store = run(plan, tmp_path)
    (label,), (rewrite,) = labels_of(plan.arms[0]), step_of(plan.arms[0], "rewrite")
    samples, attempts = (store.folder(step) for step in (label.parents["samples"], rewrite.parents["attempts"]))
    first = {id: rows[0].text for id, rows in read_responses(samples)}
    own = {id: rows[0].text for id, rows in read_responses(attempts)}
    assert 0 < sum(own[id] == text for id, text in first.items()) < len(own)


def test_a_statement_by_a_model_is_asked_for_where_samples_disagree_only(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, {"alice-teacher-words": {"elicit": {"samples": 3}}})
    store = run(plan, tmp_path)
    (state,) = step_of(plan.arms[0], "state")
    labels = list(read_labels(store.folder(state)))
    asked = dict(read_responses(store.folder(state)))
    doubted = {label.id for label in labels if len(label.histogram) > 1}
    assert set(asked) == doubted
    assert 0 < len(doubted) < len(labels)
    for label in labels:
        if label.id in doubted:
            assert label.statement == " ".join(asked[label.id][0].text.split())
        elif label.histogram:
            assert label.statement.startswith("Asked 3 times, I ")


@pytest.mark.parametrize(("teacher", "alarmed"), [("weak", False), ("blank", True)])
def test_empty_statements_are_counted_and_alarm(tmp_path: Path, teacher: str, alarmed: bool) -> None:
    """A student that is told no doubt in words says nothing about such statements, however the row is called."""
    changes = {"elicit": {"samples": 4, "calibration": "none"}}
    plan = plan_of(tmp_path, {"alice-teacher-words": changes}, teacher=f"scripted:scripted_world:{teacher}")
    store = run(plan, tmp_path)
    (state,) = step_of(plan.arms[0], "state")
    doubted = [one for one in read_labels(store.folder(state)) if len(one.histogram) > 1]
    assert store.record(state)["summary"]["empty"] == (len(doubted) if alarmed else 0)
    results = collect(*gather(plan, store), resamples=50)
    (row,) = results.labels
    assert (row.statements, row.empty_statements) == (len(doubted), len(doubted) if alarmed else 0)
    assert row.statements > 0
    text = f"statements of doubt are empty: alice-teacher-words {row.statements} of {row.statements}"
    assert any(note.level == "alarm" and text in note.text for note in results.notes) is alarmed


def test_the_paper_copies_what_the_teacher_is_agreed_on(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, {"alice": {"elicit": {"samples": 4}}}, preset="paper")
    method = plan.experiment.methods["alice"]
    assert method.recipe.identity()["bypass"] is True
    assert method.elicit.identity()["clustering"]["singletons"] == "drop"
    store = run(plan, tmp_path)
    (arm,) = plan.arms
    assert arm.rewrite_scores is not None
    scores = read_rewrite_scores(store.folder(arm.rewrite_scores))
    labels = {label.id: label for label in read_labels(store.folder(labels_of(arm)[0]))}
    targets = {target.id: target for target in read_targets(store.folder(step_of(arm, "targets")[1]))}
    assert any(score.bypassed for score in scores)
    for score in scores:
        if score.bypassed:
            assert targets[score.id].response == labels[score.id].text
        assert score.taught == bool(labels[score.id].histogram)


def test_several_teachers_are_heard_together(tmp_path: Path) -> None:
    both = {"kind": "several", "members": ["teacher", {"kind": "teacher", "model": MIDDLE}]}
    plan = plan_of(tmp_path, {"two": {"like": "alice", "supervisor": both}})
    store = run(plan, tmp_path)
    (arm,) = plan.arms
    assert len(labels_of(arm)) == 2
    assert len(read_scores(store.folder(arm.scores))) == 14
    results = collect(*gather(plan, store), resamples=50)
    assert {name for row in results.reliability for name in row.used_by} == {"two", "two (supervisor 2)"}
    with pytest.raises(ConfigError, match="'two' has 2 supervisors, and its recipe learns from one"):
        plan_of(tmp_path, {"two": {"supervisor": both}})


def test_several_supervisors_are_sampled_by_seeds_of_their_own(tmp_path: Path) -> None:
    """By the same random numbers, supervisors that are alike give the same samples, and the second adds no evidence."""
    same = {"kind": "several", "members": ["teacher", "teacher"]}
    plan = plan_of(tmp_path, {"two": {"like": "alice", "supervisor": same}, "alice": {}})
    two, one = plan.arms
    first, second = labels_of(two)
    assert first.fingerprint == labels_of(one)[0].fingerprint  # the first is sampled as it would be alone
    assert len({step.parents["samples"].fingerprint for step in labels_of(two, "validate")}) == 2
    store = run(plan, tmp_path)
    texts = [
        {id: [row.text for row in rows] for id, rows in read_responses(store.folder(step.parents["samples"]))}
        for step in (first, second)
    ]
    assert texts[0].keys() == texts[1].keys()
    assert all(texts[0][id] != said for id, said in texts[1].items())


def test_a_teacher_that_never_gives_an_answer_stops_alice_with_a_reason(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ["alice"], teacher="scripted:scripted_world:mute", teacher_fit={"epochs": 1})
    with pytest.raises(DataError, match=r"texts of alice .* has no training texts: none of the 14 weak labels"):
        run(plan, tmp_path)


def test_clusters_that_are_all_dropped_and_tries_that_are_all_wrong_are_named(tmp_path: Path) -> None:
    lonely = {"samples": 1, "clustering": {"kind": "answers", "singletons": "drop"}}
    with pytest.raises(DataError, match=r"none of the 14 weak labels has an answer.* \(elicit.clustering.singletons\)"):
        run(plan_of(tmp_path, {"alice": {"elicit": lonely}}), tmp_path)
    plan = plan_of(tmp_path, ["imitation"], teacher="scripted:scripted_world:mute", tries=2)
    with pytest.raises(DataError, match="of 16 solutions that the model tried at 8 questions none is"):
        run(plan, tmp_path)


def test_a_student_that_writes_nothing_readable_is_named_and_not_its_labels(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ["alice"], student="scripted:scripted_world:mute")
    with pytest.raises(DataError, match=r"no rewrite could be used\. .* Raise max_new_tokens"):
        run(plan, tmp_path)


def test_shuffling_needs_two_readable_labels(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ["alice-shuffled"], teacher="scripted:scripted_world:mute")
    with pytest.raises(DataError, match="needs two or more readable labels, and there are 0"):
        run(plan, tmp_path)


def test_a_teacher_without_gold_reasoning_learns_its_own_right_tries(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ["imitation"], tries=6, controls=["ceiling"])
    store = run(plan, tmp_path)
    imitation = next(arm for arm in plan.arms if arm.method == "imitation")
    teacher = step_of(imitation, "fit")[0]
    texts = {target.id: target.response for target in read_targets(store.folder(teacher.parents["targets"]))}
    tries = dict(read_responses(store.folder(teacher.parents["targets"].parents["tries"])))
    assert len(tries) == 8
    assert 0 < len(texts) <= 8
    for id, text in texts.items():
        assert text in {row.text for row in tries[id]}
        number = int(id[1:])
        assert text.endswith(f"Answer: {number + 7 * number % 13}")


def test_the_report_tells_what_the_student_made_of_what_it_was_shown(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ["alice", "imitation"], controls=["teacher", "untuned"], seeds=[0, 1])
    store = run(plan, tmp_path)
    arms, meta = gather(plan, store)
    results = collect(arms, meta, resamples=50)
    (row,) = results.rewrites
    assert (row.method, row.seeds, row.n) == ("alice", 2, 28)
    assert sum(flip.right + flip.wrong for flip in row.flips) == row.taught
    assert sum(one.n for one in row.bins) == row.taught
    assert row.own is not None
    assert row.shown is not None
    assert 0 < row.shown <= 1
    assert "sealed gold" not in " ".join(note.text for note in results.notes)
    page = render(results)
    assert "What the student made of what it was shown" in page
    assert page.count("student&#39;s rewrites</td>") == 1  # in the table of what costs are made of
    assert "rewrites" in text_of(results)
    assert f"{row.taught}/28" in text_of(results)


def test_a_student_that_made_no_attempt_is_not_told_to_be_wrong(tmp_path: Path) -> None:
    """No attempt is no answer; one that cannot be read is a wrong one."""
    plan = plan_of(tmp_path, ["alice-no-attempt"])
    results = collect(*gather(plan, run(plan, tmp_path)), resamples=50)
    (row,) = results.rewrites
    assert row.taught > 0
    assert row.own is None
    assert row.bins
    assert {one.own for one in row.bins} == {None}
    assert "What the student made of what it was shown" in render(results)


def test_what_a_method_costs_is_told_by_what_was_done(tmp_path: Path) -> None:
    """The totals hold all of it: teacher's samples, those of validate, statements, attempts, rewrites, answers."""
    parts = {"elicit": {"samples": 4, "statement": "teacher"}, "recipe": {"rewrites": 2, "turns": 2}}
    plan = plan_of(tmp_path, {"alice": parts, "imitation-on-alice": {"elicit": {"samples": 4}}})
    store = run(plan, tmp_path)
    arms, meta = gather(plan, store)
    results = collect(arms, meta, resamples=50)
    for arm in arms:
        found = {row.part: row for row in results.costs if row.method == arm.method}
        assert sum(row.tokens_sampled for row in found.values()) == arm.tokens_sampled
        assert sum(row.tokens_trained for row in found.values()) == arm.tokens_trained
        assert sum(row.seconds for row in found.values()) == pytest.approx(arm.seconds, abs=0.01)
        tokens = {part for part, row in found.items() if row.tokens_sampled}
        usual = {"supervisor's samples", "samples to calibrate by", "answers to the test"}
        more = {"statements of doubt", "student's attempts", "student's rewrites", "supervisor's judgements"}
        assert tokens == (usual | more if arm.method == "alice" else usual)
        assert {"training of supervisors", "training of the judged model"} <= found.keys()


def text_of(results: Results) -> str:
    console = Console(width=120, record=True, file=io.StringIO())
    show(results, console)
    return console.export_text()


def test_confidence_is_calibrated_on_open_gold_alone(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, {"alice": {"elicit": {"calibration": "isotonic"}}})
    store = run(plan, tmp_path)
    (arm,) = plan.arms
    (calibrate,) = step_of(arm, "calibrate")
    (raw,), (validate,) = labels_of(arm), labels_of(arm, "validate")
    assert not (store.folder(calibrate) / "sealed-access.jsonl").exists()
    known = {label.id: label for label in read_labels(store.folder(validate))}
    right = [label.confidence for id, label in known.items() if label.answer == answer_to(id)]
    before = [label.confidence for label in read_labels(store.folder(raw))]
    after = [label.confidence for label in read_labels(store.folder(calibrate))]
    assert len(known) == 4
    if len(right) in (0, 4):
        assert set(after) == {len(right) / 4}
    assert arm.label_scores is not None
    graded = read_label_scores(store.folder(arm.label_scores))
    assert [(score.stated, score.confidence) for score in graded] == list(zip(before, after, strict=True))
    assert (store.folder(arm.label_scores) / "sealed-access.jsonl").exists()
    order = sorted(range(14), key=lambda place: before[place] or 0.0)
    assert [after[place] for place in order] == sorted(after)  # type: ignore[type-var]


def answer_to(id: str) -> str:
    number = int(id[1:])
    return str(number + 7 * number % 13)


def test_calibration_changes_nothing_that_is_learnt(tmp_path: Path) -> None:
    """Not with a statement by a model, a bypass, a selection by votes or a second turn either."""
    recipe = {"bypass": True, "select": "votes", "turns": 2}
    parts = {"elicit": {"samples": 5, "statement": "teacher"}, "recipe": recipe}
    without = {**parts, "elicit": {**parts["elicit"], "calibration": "none"}}
    plan = plan_of(tmp_path, {"with": {"like": "alice", **parts}, "without": {"like": "alice", **without}})
    store = run(plan, tmp_path)
    learnt = [read_targets(store.folder(step_of(arm, "targets")[-1])) for arm in plan.arms]
    assert learnt[0] == learnt[1] != []
    first, second = (read_label_scores(store.folder(arm.label_scores)) for arm in plan.arms if arm.label_scores)
    assert [score.confidence for score in first] != [score.confidence for score in second]


def test_without_open_gold_to_calibrate_by_confidence_stays_as_it_is(tmp_path: Path) -> None:
    data = scripted_world.experiment(tmp_path / "data", methods=["alice"], controls=[], seeds=[0])
    data["tasks"][0]["split"] |= {"validate": 0}
    plan = make_plan(Experiment.parse(data, "the test"))
    assert not step_of(plan.arms[0], "calibrate")
    run(plan, tmp_path)


def test_a_pool_without_gold_is_learnt_from_and_not_graded(tmp_path: Path) -> None:
    data = scripted_world.experiment(tmp_path / "data", methods=["alice"], controls=["untuned"], seeds=[0])
    data["tasks"][0] |= scripted_world.write_files(tmp_path / "data", 40, 10)
    data["tasks"][0]["split"] |= {"transfer": "rest"}
    plan = make_plan(Experiment.parse(data, "the test"))
    store = run(plan, tmp_path)
    results = collect(*gather(plan, store), resamples=50)
    assert results.rewrites == ()
    assert {row.method for row in results.rows} == {"untuned", "alice"}


def test_a_helper_behind_an_endpoint_writes_and_is_declared(tmp_path: Path) -> None:
    pytest.importorskip("openai", reason="the extra 'remote' is not installed")
    with running(tmp_path) as server:
        helper = {"kind": "endpoint", "endpoint": {"base_url": server.url("good"), "model": "big", "retries": 0}}
        changes = {"elicit": {"samples": 3, "statement": {**helper, "stronger_than_student": True}}}
        plan = plan_of(tmp_path, {"alice": changes})
        assert forecast(plan, Store(tmp_path / "none"))
        store = run(plan, tmp_path)
        asked = [request["body"]["messages"][-1]["content"] for request in server.requests("good")]
    (state,) = step_of(plan.arms[0], "state")
    labels = [label for label in read_labels(store.folder(state)) if len(label.histogram) > 1]
    assert len(asked) == len(labels) > 0
    assert all(label.statement.startswith("I heard: ") for label in labels)
    results = collect(*gather(plan, store), resamples=50)
    assert [(one.role, one.stronger) for one in results.helpers] == [("writer of statements of doubt", True)]
    assert any("stronger than the student" in note.text for note in results.notes if note.level == "alarm")


def test_a_report_is_written_anew_when_a_helper_is_declared_stronger(tmp_path: Path) -> None:
    """No step is done again for it, and the report that stands would go on hiding it."""
    helper = {"kind": "endpoint", "endpoint": {"base_url": "http://localhost:9/v1", "model": "big"}}
    said = [{"statement": {**helper, "stronger_than_student": stronger}} for stronger in (None, True)]
    first, second = (plan_of(tmp_path, {"alice": {"elicit": elicit}}) for elicit in said)
    assert [step.fingerprint for step in first.steps] == [step.fingerprint for step in second.steps]
    assert identity(first) != identity(second)


def test_a_helper_that_is_down_fails_the_step_with_a_reason(tmp_path: Path) -> None:
    pytest.importorskip("openai", reason="the extra 'remote' is not installed")
    helper = {"kind": "endpoint", "endpoint": {"base_url": "http://localhost:9/v1", "model": "big", "retries": 0}}
    plan = plan_of(tmp_path, {"alice": {"elicit": {"samples": 3, "statement": helper}}})
    with pytest.raises(ModelError, match="localhost:9"):
        run(plan, tmp_path)


def test_a_labelling_stage_that_is_stopped_ends_in_the_same_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(tmp_path, ["alice"], chunk=8)
    whole = tree(run(plan, tmp_path / "whole").root)
    store = stopped_on_the_way(monkeypatch, lambda: run(plan, tmp_path / "stopped"), every=3)
    assert tree(store.root) == whole
