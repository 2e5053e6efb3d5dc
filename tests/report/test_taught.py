"""How many questions every model learnt from: counted in whole runs on scripted models, and shown."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from scripted_runs import plan_of, run, step_of
from w2sg.records import ItemScore, Response
from w2sg.report.arms import ArmResult, RunMeta, TaughtMade
from w2sg.report.collect import collect
from w2sg.report.gather import gather
from w2sg.report.page import render
from w2sg.report.taught import is_alarming, summed_up, taught_rows
from w2sg.report.taught_files import TaughtReader
from w2sg.report.terminal import show
from w2sg.runs.store import Store
from w2sg.steps.base import Step
from w2sg.steps.inputs import RESPONSES, TARGETS, read_responses
from w2sg.storage import read_lines, write_rows


def arm(method: str, seed: int, taught: TaughtMade | None) -> ArmResult:
    return ArmResult("t", method, seed, [ItemScore("q", "", True, True, "a")], taught=taught)


def test_means_over_seeds_by_hand() -> None:
    few = TaughtMade(2, 10, 40, 30, {"rewrites unfinished": 28, "rewrites with no room in the context": 2})
    most = TaughtMade(9, 10, 40, 4)
    (row,) = taught_rows("t", "alice", [arm("alice", 0, few), arm("alice", 1, most)])
    assert (row.seeds, row.taught, row.questions, row.rewrites, row.cut) == (2, 5.5, 10, 40, 17)
    assert [(one.reason, one.count) for one in row.why] == [
        ("rewrites unfinished", 28), ("rewrites with no room in the context", 2)
    ]  # fmt: skip
    assert summed_up([row, row.model_copy(update={"method": "b"})]) == "5.5 of 10 alice, b"
    assert list(taught_rows("t", "untuned", [arm("untuned", 0, None)])) == []


def test_what_alarms() -> None:
    assert not is_alarming(5, 10, None, None)
    assert is_alarming(4, 10, None, None)
    assert not is_alarming(10, 10, 8, 4)
    assert is_alarming(10, 10, 8, 5)


def test_few_taught_is_an_alarm_with_its_reasons_and_all_is_none() -> None:
    few = TaughtMade(3, 100, 372, 255, {"rewrites unfinished": 219, "rewrites with no room in the context": 36})
    found = collect(
        [arm("alice", 0, few), arm("imitation", 0, TaughtMade(93, 100))], RunMeta("n", "c", "0"), resamples=9
    )
    (alarm,) = [note.text for note in found.notes if note.level == "alarm"]
    told = "alice learnt from 3 of 100 (372 rewrites in all, 219 rewrites unfinished, 36 rewrites with no room in the"
    assert told in alarm
    assert "imitation" not in alarm
    out = io.StringIO()
    show(found, Console(file=out, width=80, color_system=None))
    assert "Taught, of the questions there were: 3 of 100 alice; 93 of 100 imitation" in out.getvalue()
    assert "<td>3 of 100</td>" in render(found)


def test_a_run_tells_how_many_were_taught_and_by_whom(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ["alice", "imitation"], controls=["teacher", "untuned", "ceiling"])
    store = run(plan, tmp_path)
    results = collect(*gather(plan, store), resamples=20)
    found = {row.method: row for row in results.taught}
    assert set(found) == {"teacher", "alice", "imitation", "ceiling"}
    assert (found["teacher"].taught, found["teacher"].questions) == (8, 8)
    assert (found["ceiling"].taught, found["ceiling"].questions) == (14, 14)
    for one in plan.arms:
        if one.method in ("alice", "imitation"):
            texts = list(read_lines(store.folder(one.node.tuned.parents["targets"]) / TARGETS))  # type: ignore[union-attr]
            assert (found[one.method].taught, found[one.method].questions) == (len(texts), 14)
    assert found["alice"].rewrites == 56
    assert found["imitation"].rewrites is None
    assert not any("learnt from" in note.text for note in results.notes)


def test_half_kept_by_the_recipe_is_no_loss(tmp_path: Path) -> None:
    """A recipe that means to learn a quarter of 14 labels, and learns 4, raises no alarm; one of these 4 does."""
    sure = {"sure": {"like": "imitation-vote", "recipe": {"kind": "imitation", "keep": 0.25}}}
    plan = plan_of(tmp_path, sure)
    kept = run(plan, tmp_path)
    results = collect(*gather(plan, kept), resamples=20)
    (row,) = [row for row in results.taught if row.method == "sure"]
    assert row.taught == row.questions == 4
    assert not any("learnt from" in note.text for note in results.notes)
    tuned = plan.arms[0].node.tuned
    assert tuned is not None
    records = {step.fingerprint: kept.record(step) for step in plan.steps}
    for step in (tuned, tuned.parents["targets"]):
        records[step.fingerprint]["summary"].update(texts=1, targets=1)
    made = TaughtReader(kept, records).behind(tuned)
    assert made is not None
    assert (made.taught, made.questions) == (1, 4)
    assert is_alarming(made.taught, made.questions, None, None)


def test_rewrites_are_counted_by_the_first_reason_against_them(tmp_path: Path) -> None:
    """Of four rewrites of each question one found no room, one was cut, one is blank, one a bare answer (or, every
    other time, none)."""
    plan = plan_of(tmp_path, ["alice"])
    kept = run(plan, tmp_path)
    (rewrites,) = step_of(plan.arms[0], "rewrite")
    asked = list(read_responses(kept.folder(rewrites)))
    write_rows(
        tmp_path / "changed" / RESPONSES,
        [
            Response(id, number, text, tokens, finished)
            for place, (id, _) in enumerate(asked)
            for number, (text, tokens, finished) in enumerate(
                [("", 0, False), ("I th", 2, False), (" ", 1, True), ("Answer: 3" if place % 2 else "Hm.", 3, True)]
            )
        ],
    )

    class Changed(Store):
        def folder(self, step: Step) -> Path:
            return tmp_path / "changed" if step.kind == "rewrite" else super().folder(step)

    records = {step.fingerprint: kept.record(step) for step in plan.steps}
    tuned = plan.arms[0].node.tuned
    assert tuned is not None
    records[tuned.parents["targets"].fingerprint]["summary"]["targets"] = 3
    records[rewrites.fingerprint]["summary"].update(responses=56, cut=28)
    made = TaughtReader(Changed(kept.root), records).behind(tuned)
    assert made == TaughtMade(
        3,
        14,
        56,
        28,
        {
            "rewrites with no room in the context": 14,
            "rewrites unfinished": 14,
            "rewrites empty": 14,
            "rewrites unreadable": 7,
            "rewrites that are a bare answer": 7,
        },
    )
