"""Boosting on a zoo member, from gold to the report: what its rounds left is read, graded by prefixes, and shown."""

import json
import re

import numpy as np
import pytest

from w2sg.models.base import RuntimeConfig
from w2sg.report.collect import collect
from w2sg.report.gather import gather
from w2sg.report.page import render
from w2sg.report.round_files import heaviest_places
from w2sg.runs.experiment import Experiment
from w2sg.runs.plan import make_plan
from w2sg.runs.runner import run_steps
from w2sg.runs.store import Store
from w2sg.steps.boost_files import read_arrays, read_round
from w2sg.steps.choose import read_prefix_scores

SUPERVISOR = {"experts": 2, "boosting": {"prior": "vocabulary", "draw": "count", "measured": "in-sample"}}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The plan, the store and the results of two experts judged themselves, with their prefixes, as many of them as do
    best on validate, and two without boosting."""
    folder = tmp_path_factory.mktemp("boosted")
    rows = [{"question": f"<b>{n}</b> plus {n}?", "answer": str(2 * n), "id": f"q{n}"} for n in range(18)]
    (folder / "gold.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    split = {"supervise": 8, "validate": 2, "transfer": 2, "test_id": 6, "near_duplicates": "exact"}
    task = {"kind": "file", "name": "sums", "labelled": str(folder / "gold.jsonl"), "grader": "numeric"}
    experiment = Experiment.parse(
        {
            "name": "boosted",
            "tasks": [{**task, "last_number": True, "split": split}],
            "teacher": "zoo/nano",
            "student": "zoo/nano",
            "methods": {
                "ensemw2s-experts": {"supervisor": SUPERVISOR, "schedule": {"prefixes": True}},
                "ensemw2s-chosen-experts": {"supervisor": SUPERVISOR},
                "alone": {"like": "single-expert", "supervisor": {**SUPERVISOR, "experts": 1}, "schedule": "as-is"},
                "uniform-ensemble-experts": {
                    "like": "uniform-ensemble", "supervisor": {"experts": 2}, "schedule": "as-is",
                },
            },
            "controls": [],
            "max_new_tokens": 4,
            "teacher_fit": {"learning_rate": 3.0e-3, "epochs": 2, "batch_size": 4},
        },
        "the test",
    )  # fmt: skip
    plan, store = make_plan(experiment), Store(folder / "store")
    run_steps(plan.steps, store, RuntimeConfig(device="cpu"), workers=1)
    arms, meta = gather(plan, store)
    return plan, store, collect(arms, meta, resamples=200)


def test_what_the_rounds_left_is_in_the_results(run):
    plan, store, results = run
    (row,) = results.rounds
    assert row.used_by == ("ensemw2s-experts", "ensemw2s-chosen-experts", "alone (the first 1)")
    assert (row.model, row.asked, row.measured) == ("nano", 2, "in-sample")
    folders = [store.folder(step) for step in plan.steps if step.kind == "boost"]
    assert len(folders) == len(row.rounds) == 2
    for folder, one in zip(folders, row.rounds, strict=True):
        told = read_round(folder)
        for name in ("error", "prior", "alpha", "normaliser", "effective_size", "heaviest", "mass"):
            assert getattr(one, name) == told[name]
    first, second = (read_arrays(folder) for folder in folders)
    (pair,) = row.pairs
    assert pair.correlation == pytest.approx(np.corrcoef(first["wrong"], second["wrong"])[0, 1])
    spared = (first["drawn"] == 0) & (second["drawn"] == 0)
    unlearnt = [one["wrong"][spared] for one in (first, second)]
    if all(bits.any() and not bits.all() for bits in unlearnt):
        assert pair.unlearnt == pytest.approx(np.corrcoef(*unlearnt)[0, 1])
    else:
        assert pair.unlearnt is None
    assert row.rounds[0].final_answer == pytest.approx(row.final_tokens)  # the first weights are equal
    assert [(end.seed, end.trained, end.why) for end in row.ends] == [(0, 2, "")]


def test_how_many_models_sampled_a_token_that_is_counted_once(run):
    plan, store, results = run
    counts = {
        arm.method: store.record(arm.node.tuned)["summary"]["experts"]
        for arm in plan.arms
        if arm.method in ("ensemw2s-experts", "ensemw2s-chosen-experts", "alone", "uniform-ensemble-experts")
    }
    answers = {row.method: row.experts for row in results.costs if row.part == "answers to the test"}
    assert answers == counts
    assert counts["uniform-ensemble-experts"] == 2
    (said,) = [note.text for note in results.notes if "counted once" in note.text]
    assert "2 experts: " in said
    assert f"<p>sums: {said}</p>" in render(results)
    taught = {row.method: (row.taught, row.questions) for row in results.taught}
    assert taught == dict.fromkeys(counts, (8, 8))


def test_how_many_experts_were_kept_is_told_with_what_every_first_few_made_of_validate(run):
    plan, store, results = run
    ((choice,),) = [row.choices for row in results.rounds]
    (step,) = [step for step in plan.steps if step.kind == "choose"]
    scores = read_prefix_scores(store.folder(step))
    assert (choice.used_by, choice.n) == (("ensemw2s-chosen-experts",), 2)
    assert [(one.experts, one.accuracy) for one in choice.prefixes] == [(one.experts, one.accuracy) for one in scores]
    assert [(one.seed, one.experts, one.of) for one in choice.kept] == [
        (0, store.record(step)["summary"]["experts"], 2)
    ]
    assert "Experts kept by the questions of validate, for ensemw2s-chosen-experts: " in render(results)


def test_the_heaviest_tokens_stand_in_their_texts(run):
    plan, store, results = run
    (row,) = results.rounds
    last = [step for step in plan.steps if step.kind == "boost"][-1]
    weights = read_arrays(store.folder(last))["weights"]
    assert row.heaviest
    assert (row.heaviest_round, row.heaviest_seed, row.heaviest[0].weight) == (2, 0, weights.max())
    assert len({token.id for token in row.heaviest}) == len(row.heaviest)
    for token in row.heaviest:
        assert token.token
        assert 1 in token.wrong  # heavier than others, so the first expert missed it
        text = token.before + token.token + token.after
        assert str(2 * int(token.id[1:])) in text
        assert f"<b>{token.id[1:]}</b>" in token.question
    page = render(results)
    assert "<mark>" in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page


def test_every_prefix_is_tested_and_the_last_is_the_ensemble(run):
    _, _, results = run
    assert [(row.kind, row.rung, row.of, row.student) for row in results.rungs] == [
        ("prefix", 1, 2, "nano"),
        ("prefix", 2, 2, "nano"),
    ]
    last, whole = results.rungs[1].accuracies[-1], results.find("sums", "ensemw2s-experts", "all")
    assert (last.accuracy, last.low, last.high) == (whole.accuracy, whole.low, whole.high)
    assert results.rungs[0].accuracies[-1].gain is None
    assert last.gain.low <= last.accuracy - results.rungs[0].accuracies[-1].accuracy <= last.gain.high
    page = render(results)
    assert "Accuracy against the number of experts (%)" in page
    assert 'aria-label="Accuracy against the number of experts on sums"' in page


def test_the_true_test_of_boosting_is_named(run):
    _, _, results = run
    rows = [(row.method, row.against) for row in results.comparisons if row.stratum == "all"]
    assert rows[0] == ("ensemw2s-experts", "uniform-ensemble-experts")
    others = {("ensemw2s-experts", "ensemw2s-chosen-experts"), ("ensemw2s-chosen-experts", "uniform-ensemble-experts")}
    assert set(rows[1:]) == others | {("ensemw2s-experts", "alone"), ("ensemw2s-chosen-experts", "alone")}
    (verdict,) = [one for one in results.verdict if one.method == "ensemw2s-experts" and one.stratum == "all"]
    assert "Boosting itself is" in verdict.sentence
    assert "points against uniform-ensemble-experts (" in verdict.sentence
    assert "as many experts that differ by their seed alone" in verdict.sentence
    assert re.search(r"Also: \S+ points against alone \(", verdict.sentence)


def test_the_heaviest_by_hand():
    """One of each text, of equals the first; nothing where all weigh the same."""
    weights = np.array([1.0, 3.0, 2.9, 0.5, 3.0, 0.1])
    assert heaviest_places(weights, [3, 1, 2]) == [1, 4, 3]
    assert heaviest_places(weights, [3, 1, 2], count=2) == [1, 4]
    assert heaviest_places(np.ones(6), [3, 1, 2]) == []
    assert heaviest_places(np.array([]), []) == []
