"""Whole runs of what goes beyond the published Alice, on scripted models: stopping early, selection, several turns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runs_tree import stopped_on_the_way, tree
from scripted_runs import plan_of, run, step_of
from w2sg.report.collect import collect
from w2sg.report.gather import gather
from w2sg.runs.forecast import forecast
from w2sg.runs.plan import Arm
from w2sg.runs.store import Store
from w2sg.steps.inputs import read_labels, read_responses, read_scores, read_targets
from w2sg.steps.judge import read_judgements

MIDDLE = "scripted:scripted_world:middle"


def texts(arm: Arm, store: Store) -> dict[str, str]:
    assert arm.node.tuned is not None
    rows = read_targets(store.folder(arm.node.tuned.parents["targets"]))
    return {target.id: target.response for target in rows}


def samples_of(arm: Arm, store: Store) -> dict[str, list[str]]:
    """The supervisor's samples of the transfer questions."""
    (step,) = {
        step.parents["samples"].fingerprint: step.parents["samples"]
        for step in step_of(arm, "label")
        if step.parents["samples"].settings.roles == ("transfer",)  # type: ignore[attr-defined]
    }.values()
    return {id: [row.text for row in rows] for id, rows in read_responses(store.folder(step))}


def test_a_vote_that_stops_early_takes_the_beginning_of_all_samples(tmp_path: Path) -> None:
    changes = {"elicit": {"samples": 60}}
    plan = plan_of(tmp_path, {"alice": changes, "alice-adaptive": changes})
    assert forecast(plan, Store(tmp_path / "none"))
    store = run(plan, tmp_path)
    full, adaptive = plan.arms
    all_of_them, some = samples_of(full, store), samples_of(adaptive, store)
    assert list(some) == list(all_of_them)
    assert all(rows == all_of_them[id][: len(rows)] for id, rows in some.items())
    (sampled,) = [step for step in step_of(adaptive, "sample") if step.settings.identity()["roles"] == ["transfer"]
                  and "stopping" in step.settings.identity()]  # fmt: skip
    summary = store.record(sampled)["summary"]
    assert summary["responses"] == sum(map(len, some.values())) < 14 * 60
    assert summary["settled"] > 0
    assert store.record(sampled)["cost"]["tokens_sampled"] > 0
    (label,) = [step for step in step_of(adaptive, "label") if step.parents["samples"] is sampled]
    for one in read_labels(store.folder(label)):
        assert sum(count for _, count in one.histogram) + one.unparsed == len(some[one.id])
        assert one.statement.startswith(f"Asked {len(some[one.id])} times, I ")
    assert len(read_scores(store.folder(adaptive.scores))) == 14


def test_a_selected_text_is_of_one_of_the_three(tmp_path: Path) -> None:
    votes = {"like": "alice-selected", "recipe": {"select": "votes"}}
    plan = plan_of(tmp_path, {"alice": {}, "alice-selected": {}, "by-votes": votes})
    store = run(plan, tmp_path)
    alice, selected, _ = plan.arms
    steps = {kind: {step.fingerprint for step in step_of(alice, kind)} for kind in ("sample", "rewrite", "label")}
    for arm in plan.arms[1:]:
        for kind, shared in steps.items():  # all but the choice is done once
            made = {step.fingerprint for step in step_of(arm, kind) if "transfer" in str(step.settings.identity())}
            assert kind == "label" or made <= shared
        assert set(texts(arm, store)) >= set(texts(alice, store))
    (rewrites,) = step_of(selected, "rewrite")
    written = dict(read_responses(store.folder(rewrites)))
    attempts = dict(read_responses(store.folder(rewrites.parents["attempts"])))
    labels = {label.id: label for label in read_labels(store.folder(rewrites.parents["labels"]))}
    for id, text in texts(selected, store).items():
        assert text in {*(row.text for row in (*written[id], *attempts[id])), labels[id].text}


TURNS = {"alice": {}, "alice-multi-turn": {"recipe": {"turns": 3, "judgements": 4}}}


def test_an_exchange_stands_still_where_the_two_agree(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, TURNS)
    assert forecast(plan, Store(tmp_path / "none"))
    store = run(plan, tmp_path)
    alice, turns = plan.arms
    assert [len(step_of(turns, kind)) for kind in ("rewrite", "propose", "judge")] == [3, 3, 3]
    rewrites, proposals, judges = (step_of(turns, kind) for kind in ("rewrite", "propose", "judge"))
    assert rewrites[0].fingerprint == step_of(alice, "rewrite")[0].fingerprint
    asked = [{id for id, _ in read_responses(store.folder(step))} for step in rewrites]
    said = [{id: rows[0].text for id, rows in read_responses(store.folder(step))} for step in proposals]
    judged = [{one.id: one for one in read_judgements(store.folder(step))} for step in judges]
    assert len(asked[0]) == 14
    for turn in (1, 2):
        agreed = {id for id, one in judged[turn - 1].items() if one.agreed}
        assert agreed | asked[turn] == asked[0]
        assert not agreed & asked[turn]
        for id in agreed:
            assert said[turn][id] == said[turn - 1][id]
            assert not judged[turn][id].asked
    assert any(one.asked for one in judged[0].values())
    assert any(one.agreed and not one.asked for one in judged[0].values())
    for one in judged[0].values():
        assert 0 <= one.support_before <= 1
        assert 0 <= one.support_after <= 1
    learnt = texts(turns, store)
    for id, text in learnt.items():
        assert text in {turn[id] for turn in said}
        if judged[2][id].agreed:
            assert text == said[2][id]
    summary = store.record(judges[0])["summary"]
    assert summary["asked"] == len({id for id, _ in read_responses(store.folder(judges[0]))}) > 0
    assert len(read_scores(store.folder(turns.scores))) == 14
    results = collect(*gather(plan, store), resamples=50)
    assert {row.method for row in results.rewrites} == {"alice", "alice-multi-turn"}
    cost = {arm.method: arm.tokens_sampled for arm in gather(plan, store)[0]}
    assert cost["alice-multi-turn"] > cost["alice"]


@pytest.mark.parametrize(
    "changes",
    [
        {"recipe": {"keep": "last"}},
        {"recipe": {"attempt": "none", "order": "blind"}},
        {"recipe": {"select": "agreement"}, "elicit": {"stopping": "top-two"}},
        {"preset": "paper", "elicit": {"samples": 4}},
        {"schedule": "cascade"},
    ],
    ids=str,
)
def test_an_exchange_goes_with_every_other_part(tmp_path: Path, changes: dict[str, Any]) -> None:
    plan = plan_of(tmp_path, {"turns": {"like": "alice-multi-turn", **changes}}, intermediates=[MIDDLE])
    store = run(plan, tmp_path)
    assert len(read_scores(store.folder(plan.arms[0].scores))) == 14
    last = changes.get("recipe", {}).get("keep") == "last"
    lessons = 2 if "schedule" in changes else 1
    assert len(step_of(plan.arms[0], "judge")) == lessons * (1 if last else 2)  # the last answers need no judge then


def test_several_supervisors_judge_each_for_itself(tmp_path: Path) -> None:
    both = {"kind": "several", "members": ["teacher", {"kind": "teacher", "model": MIDDLE}]}
    plan = plan_of(tmp_path, {"two": {"like": "alice-multi-turn", "supervisor": both}})
    store = run(plan, tmp_path)
    judges = step_of(plan.arms[0], "judge")
    assert len(judges) == 4
    assert len({step.parents["model"].fingerprint for step in judges}) == 2
    assert len({step.settings.identity()["seed"] for step in judges}) == 4  # for each supervisor and turn
    first, second = ({one.id: one for one in read_judgements(store.folder(step))} for step in judges[:2])
    asked = {id for id, _ in read_responses(store.folder(step_of(plan.arms[0], "rewrite")[1]))}
    assert asked == {id for id in first if not (first[id].agreed and second[id].agreed)}
    assert len(read_scores(store.folder(plan.arms[0].scores))) == 14


def test_a_run_that_is_stopped_ends_in_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    methods = {"alice-multi-turn": {"elicit": {"stopping": {"kind": "posterior", "round": 4}}}}
    plan = plan_of(tmp_path, methods, chunk=16)
    whole = tree(run(plan, tmp_path / "whole").root)
    store = stopped_on_the_way(monkeypatch, lambda: run(plan, tmp_path / "stopped"), every=4)
    assert tree(store.root) == whole
