"""Cascades: which rung learns what from which questions, what of them is graded, and rungs of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

import scripted_world
from scripted_runs import labels_of, plan_of, run, step_of
from w2sg.errors import ConfigError, DataError
from w2sg.report.collect import collect
from w2sg.report.gather import gather
from w2sg.report.page import render
from w2sg.runs.experiment import Experiment
from w2sg.runs.plan import Arm, make_plan
from w2sg.steps.inputs import read_examples, read_labels, read_targets

MIDDLE, OTHER = "scripted:scripted_world:middle", "scripted:scripted_world:strong"


def chains(folder: Path, through: object, **changes: object) -> list[list[str]]:
    """Return who is tuned, rung by rung, in every method: the experiment's chain and one through `through`."""
    methods = {"cascade-alice": None, "mine": {"like": "cascade-alice", "schedule": {"through": through}}}
    data = scripted_world.experiment(folder / "data", methods=methods, controls=[], seeds=[0], **changes)
    plan = make_plan(Experiment.parse(data, "the test"))
    return [
        [step.settings.model.config.path for step in arm.scores.ancestors() if step.kind == "fit"]  # type: ignore[attr-defined]
        for arm in plan.arms
    ]


def test_a_cascade_takes_its_own_rungs_before_the_experiments(tmp_path: Path) -> None:
    weak, strong = "scripted:scripted_world:weak", "scripted:scripted_world:strong"
    given, own = chains(tmp_path, [OTHER, {"path": MIDDLE}], intermediates=[MIDDLE])
    assert given == [weak, MIDDLE, strong]
    assert own == [weak, OTHER, MIDDLE, strong]


def test_without_rungs_of_its_own_it_takes_the_experiments(tmp_path: Path) -> None:
    given, own = chains(tmp_path, [], intermediates=[MIDDLE])
    assert given == own


def test_one_rung_must_still_be_a_list(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"schedule\.cascade\.through"):
        chains(tmp_path, 3, intermediates=[MIDDLE])


def test_rungs_that_share_their_questions_may_outnumber_them(tmp_path: Path) -> None:
    methods = {"shared": {"like": "cascade-alice", "schedule": {"questions": "reuse"}}}
    data = scripted_world.experiment(
        tmp_path / "data", methods=methods, controls=[], seeds=[0], intermediates=[MIDDLE] * 15
    )
    (arm,) = make_plan(Experiment.parse(data, "the test")).arms
    assert len(arm.below) == 15
    with pytest.raises(ConfigError, match=r"14 transfer questions.*schedule\.questions: reuse"):
        make_plan(Experiment.parse({**data, "methods": ["cascade-alice"]}, "the test"))


def test_a_cascade_teaches_every_rung_from_its_own_questions(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ["cascade-alice", "cascade-imitation", "alice-matched"], intermediates=[MIDDLE, MIDDLE])
    store = run(plan, tmp_path)
    cascade, imitation, matched = plan.arms

    def taught(arm: Arm) -> list[set[str]]:
        fits = [step for step in step_of(arm, "fit") if "samples" not in step.parents]
        return [{target.id for target in read_targets(store.folder(step.parents["targets"]))} for step in fits]

    gold, first, second, third = taught(cascade)
    everything = {example.id for example in read_examples(store.folder(cascade.task_step), ("transfer",))}
    assert not first & second and not second & third and not first & third  # noqa: PT018
    assert first | second | third <= everything
    assert not gold & everything
    asked = [{label.id for label in read_labels(store.folder(step))} for step in labels_of(cascade)]
    assert [len(ids) for ids in asked] == [5, 5, 4]
    assert set.union(*asked) == everything
    assert [ids <= wanted for ids, wanted in zip(taught(cascade)[1:], asked, strict=True)] == [True] * 3
    assert [ids <= wanted for ids, wanted in zip(taught(imitation)[1:], asked, strict=True)] == [True] * 3
    assert taught(matched)[1] <= asked[-1]
    fits = step_of(cascade, "fit")
    assert all("model" not in step.parents for step in fits)  # every rung starts untouched
    assert [step.parents["samples"].parents["model"].fingerprint for step in labels_of(cascade)] == [
        step.fingerprint for step in fits[:3]
    ]


def test_every_rung_of_a_cascade_is_graded_and_only_the_last_is_compared(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ["cascade-alice"], intermediates=[MIDDLE, MIDDLE], controls=["teacher", "untuned"])
    store = run(plan, tmp_path)
    arms, meta = gather(plan, store)
    results = collect(arms, meta, resamples=50)
    assert results.methods("sums") == ["teacher", "untuned", "cascade-alice"]
    cascade = next(arm for arm in arms if arm.method == "cascade-alice")
    assert [(row.rung, row.student, row.labels) for row in results.rungs] == [
        (1, MIDDLE, 5), (2, MIDDLE, 5), (3, "scripted:scripted_world:strong", 4),
    ]  # fmt: skip
    for row, rung in zip(results.rungs, (*cascade.below, cascade), strict=True):
        assert row.accuracies[-1].accuracy == sum(score.correct for score in rung.scores) / 14
        assert row.labels_right is not None
        assert row.labels_right.value == pytest.approx(sum(one.correct for one in rung.labels) / row.labels)
    names = {name for row in results.reliability for name in row.used_by}
    assert names == {f"cascade-alice (rung {number} of 3)" for number in (1, 2, 3)}
    graded = {rung.steps[-1] for rung in cascade.below}
    assert not graded & set(cascade.steps)  # grading a rung is no part of what the cascade costs
    assert "sealed gold" not in " ".join(note.text for note in results.notes)
    assert [(row.rung, row.of, row.n) for row in results.rewrites] == [(1, 3, 5), (2, 3, 5), (3, 3, 4)]
    assert [(row.rung, row.taught, row.questions) for row in results.taught if row.method == "cascade-alice"] == [
        (row.rung, row.taught, row.n) for row in results.rewrites
    ]
    page = render(results)
    for made, rung in zip(results.rewrites, (*cascade.below, cascade), strict=True):
        assert made.taught == sum(score.taught for score in rung.rewrites)
        assert f"cascade-alice (rung {made.rung} of 3): what it chose" in page


def test_rungs_may_share_their_questions(tmp_path: Path) -> None:
    changes = {"schedule": {"questions": "reuse"}, "like": "cascade-alice"}
    plan = plan_of(tmp_path, {"shared": changes}, intermediates=MIDDLE)
    store = run(plan, tmp_path)
    assert {len(list(read_labels(store.folder(step)))) for step in labels_of(plan.arms[0])} == {14}


def test_a_cascade_without_rungs_or_with_too_few_questions_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'cascade-alice' needs models between .* intermediates: \[zoo/micro\]"):
        plan_of(tmp_path, ["cascade-alice"])
    with pytest.raises(ConfigError, match="has 14 transfer questions, and the cascade 'cascade-alice' has 16 rungs"):
        plan_of(tmp_path, ["cascade-alice"], intermediates=[MIDDLE] * 15)


def test_a_cascade_finds_too_few_questions_in_a_pool(tmp_path: Path) -> None:
    data = scripted_world.experiment(
        tmp_path / "data", methods=["cascade-alice"], controls=[], seeds=[0], intermediates=[MIDDLE] * 5
    )
    data["tasks"][0] |= scripted_world.write_files(tmp_path / "data", 40, 4)
    data["tasks"][0]["split"] |= {"transfer": "rest"}
    with pytest.raises(DataError, match=r"There are 4 transfer questions to be cut in 6 parts"):
        run(make_plan(Experiment.parse(data, "the test")), tmp_path)
