"""Boosted classifiers on the smallest member of the zoo: rounds, stop rules, the labels and the student they teach."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from w2sg.decode.choices import option_probabilities
from w2sg.decode.config import SamplingConfig
from w2sg.ensemble.class_config import ClassBoostingConfig
from w2sg.ensemble.classes import boost
from w2sg.ensemble.distribution import Floats
from w2sg.errors import ConfigError, ModelError
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.fit_config import FitConfig, LoraConfig
from w2sg.models.hf import LanguageModel
from w2sg.models.loading import load
from w2sg.records import ask
from w2sg.runs.experiment import Experiment
from w2sg.runs.plan import make_plan, task_step
from w2sg.runs.runner import run_steps
from w2sg.runs.store import Store
from w2sg.seeding import derive
from w2sg.steps.base import Step, with_ancestors
from w2sg.steps.boost_files import read_arrays, read_round
from w2sg.steps.cast import Cast
from w2sg.steps.classify import Shares, chosen, combined, read_shares
from w2sg.steps.inputs import MODEL, read_examples, read_labels, read_responses, read_scores, read_targets
from w2sg.steps.model import ModelRef, Node
from w2sg.steps.sample import sample_step
from w2sg.supervisors.boosted_classifier import BoostedClassifier
from w2sg.tasks import task_config
from w2sg.tasks.options import option_responses

CPU = RuntimeConfig(device="cpu")
TEACHER = ModelConfig(path="zoo/nano")
COLOURS = ["red", "blue", "green"]
PLAIN = {"draw": "weight", "measured": "in-sample", "largest_step": None}


def task_of(folder: Path, gold: list[str], supervise: int) -> dict[str, Any]:
    """A task whose options stand in another order for each question; some questions have two options only."""
    rows = [
        {
            "id": f"q{n}",
            "question": f"Which colour has the house number {n}?",
            "choices": [colour for colour in COLOURS[n % 3 :] + COLOURS[: n % 3] if n % 4 or colour in ("red", answer)]
            if answer != "red"
            else COLOURS[n % 3 :] + COLOURS[: n % 3],
            "answer": answer,
        }
        for n, answer in enumerate(gold)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gold.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    split = {"supervise": supervise, "validate": 0, "transfer": 4, "test_id": 3, "near_duplicates": "exact"}
    return {"kind": "file", "name": "colours", "grader": "choice", "labelled": str(folder / "gold.jsonl"),
            "instruction": "", "split": split}  # fmt: skip


def cast_of(folder: Path, gold: list[str], **fit: Any) -> Cast:
    ref, laid_out = ModelRef.of(TEACHER), task_step(task_config(task_of(folder, gold, len(gold) - 7)))
    how = FitConfig(**{"learning_rate": 1e-2, "epochs": 3, "batch_size": 6, "lora": LoraConfig(rank=4), **fit})
    return Cast("colours", laid_out, ref, ref, how, how, reasoning=True, max_new_tokens=8, chunk=64, seed=0)


def made(node: Node, store: Store) -> tuple[Path, list[Path]]:
    """Run all that a supervisor needs; return the folders of the ensemble and of its rounds."""
    assert node.tuned is not None
    run_steps(with_ancestors([node.tuned]), store, CPU, workers=1)
    return store.folder(node.tuned), [store.folder(node.tuned.parents[part]) for part in sorted(node.tuned.parents)]


def test_rounds_labels_and_votes(tmp_path: Path) -> None:
    """Two rounds leave what the common arithmetic makes of their errors, and the ensemble's labels are
    s(c | x) = sum_t alpha_t p_t(c | x) over the options, computed here one by one."""
    gold = [COLOURS[(n * n) % 3] for n in range(17)]
    cast, store = cast_of(tmp_path, gold), Store(tmp_path / "store")
    supervisor = BoostedClassifier(experts=2, boosting=ClassBoostingConfig(largest_step=None))
    node = supervisor.node(cast)
    folder, rounds = made(node, store)
    first, second = (read_arrays(one) for one in rounds)
    told = [read_round(one) for one in rounds]
    assert told[0]["kept"]
    assert first["weights"].tolist() == [1.0] * 10
    assert second["weights"].tolist() == first["next_weights"].tolist()
    assert first["probabilities"].shape == (10, 3)
    assert first["probabilities"].sum(1) == pytest.approx(np.ones(10))
    assert (first["wrong"] == (first["answers"] != first["gold"])).all()
    learnt = read_targets(rounds[0])
    assert sum(target.weight for target in learnt) == 10 == first["drawn"].sum()
    assert all(target.response.startswith("Answer: ") for target in learnt)
    counts = (first["probabilities"] > 0).sum(1)
    prior = 1 - float((1 / counts).mean())
    assert told[0]["prior"] == pytest.approx(prior)
    # The loop of `ensemble.classes` on the very same answers comes to the same weights.
    config = supervisor.boosting.arithmetic(3)
    seen: list[list[float]] = []

    def train(weights: Floats, number: int) -> int:
        seen.append(weights.tolist())
        return number

    arrays = (first, second)
    same = boost(
        train, lambda number: arrays[number - 1]["answers"], first["gold"], config, rounds=1, seed=derive(0, "boost")
    )
    assert seen[0] == first["drawn"].tolist()
    assert same.rounds[0].error == pytest.approx(told[0]["error"])
    # Labels of the transfer questions, by both rules.
    ensemble = json.loads((folder / MODEL / "ensemble.json").read_text())["experts"]
    assert [one["weight"] for one in ensemble] == [one["alpha"] for one in told if one["kept"]]
    greedy = SamplingConfig(samples=1, temperature=0.0, max_new_tokens=8)
    answers = sample_step(node, cast.task, ("transfer",), greedy, 0, "labels")
    assert answers.kind == "classify"
    run_steps((answers,), store, CPU, workers=1)
    built, examples = (
        task_config(task_of(tmp_path, gold, 10)).build(),
        read_examples(store.folder(cast.task), ("transfer",)),
    )
    sums = [np.zeros(len(example.choices)) for example in examples]
    for one in ensemble:
        model = load(TEACHER, CPU, folder / MODEL / one["path"])
        assert isinstance(model, LanguageModel)
        for total, example in zip(sums, examples, strict=True):
            (chances,) = option_probabilities(
                model, [(ask(built.prompt(example)), option_responses(built, example))], CPU
            )
            total += one["weight"] * chances
    replies = dict(read_responses(store.folder(answers)))
    for total, example, shares in zip(sums, examples, read_shares(store.folder(answers)), strict=True):
        assert shares.shares == pytest.approx(total / total.sum(), rel=1e-3)
        (reply,) = replies[example.id]
        assert built.parse(reply.text, example) == "ABC"[int(total.argmax())]
        assert (reply.tokens, reply.finished) == (0, True)


def test_an_expert_without_errors_ends_boosting(tmp_path: Path) -> None:
    """eps = 0 in-sample: one expert is kept, with a finite weight, and the next rounds train nothing."""
    cast, store = cast_of(tmp_path, ["red"] * 13, epochs=12), Store(tmp_path / "store")
    boosting = ClassBoostingConfig(**PLAIN)
    folder, rounds = made(BoostedClassifier(experts=3, boosting=boosting).node(cast), store)
    told = [read_round(one) for one in rounds]
    assert [one["kept"] for one in told] == [True, False, False]
    assert told[0]["error"] == 0
    assert told[0]["alpha"] == pytest.approx(np.log((1 - 1e-4) / 1e-4) + np.log(2))
    assert told[0]["ends"] == told[2]["ends"] == "the expert made no error that another could learn from"
    assert not (rounds[1] / MODEL).exists()
    assert len(json.loads((folder / MODEL / "ensemble.json").read_text())["experts"]) == 1


def test_an_expert_that_is_no_better_than_a_guess_is_dropped(tmp_path: Path) -> None:
    """Gold is what the untuned model likes least, and training does next to nothing: eps = 1 > 1 - 1/K."""
    rows = task_of(tmp_path / "first", ["red"] * 13, 6)
    built, model = task_config(rows).build(), load(TEACHER, CPU)
    assert isinstance(model, LanguageModel)
    examples = [row.example for row in built.load()]
    questions = [(ask(built.prompt(one)), option_responses(built, one)) for one in examples]
    worst = [int(row.argmin()) for row in option_probabilities(model, questions, CPU)]
    gold = [example.choices[place] for example, place in zip(examples, worst, strict=True)]
    data = tmp_path / "gold.jsonl"
    lines = [
        {"id": one.id, "question": one.question, "choices": one.choices, "answer": answer}
        for one, answer in zip(examples, gold, strict=True)
    ]
    data.write_text("".join(json.dumps(line) + "\n" for line in lines))
    ref, laid_out = ModelRef.of(TEACHER), task_step(task_config({**rows, "labelled": str(data)}))
    fit = FitConfig(learning_rate=1e-12, epochs=1, lora=LoraConfig(rank=1))
    cast = Cast("colours", laid_out, ref, ref, fit, fit, reasoning=True, max_new_tokens=8, chunk=64, seed=0)
    store, node = (
        Store(tmp_path / "store"),
        BoostedClassifier(experts=2, boosting=ClassBoostingConfig(**PLAIN)).node(cast),
    )
    with pytest.raises(ModelError, match=r"0\.6667 \(measured on 6 questions\)\. .* tune the experts better") as error:
        made(node, store)
    assert "error 1.0000 is no better than the prior's" in str(error.value)
    assert "retries" not in str(error.value)
    assert "prior (" not in str(error.value)
    assert node.tuned is not None
    assert not read_round(store.folder(node.tuned.parents["expert-001"]))["kept"]


def test_combining_and_drawing_by_hand() -> None:
    one, two = [np.array([0.6, 0.4]), np.array([0.2, 0.5, 0.3])], [np.array([0.1, 0.9]), np.array([0.4, 0.3, 0.3])]
    sums = combined([one, two], [3.0, 1.0], "probability")
    assert sums == pytest.approx(np.array([[0.475, 0.525, 0], [0.25, 0.45, 0.3]]))
    assert combined([one, two], [3.0, 1.0], "vote").tolist() == [[0.75, 0.25, 0], [0.25, 0.75, 0]]
    shares = Shares("q", (0.2, 0.5, 0.3))
    assert chosen(shares, SamplingConfig(samples=1, temperature=0.0), 0) == [1]
    drawn = chosen(shares, SamplingConfig(samples=1500, temperature=1.0), 0)
    assert np.bincount(drawn) / 1500 == pytest.approx([0.2, 0.5, 0.3], abs=0.04)
    assert drawn[:5] == chosen(shares, SamplingConfig(samples=5, temperature=1.0), 0)
    sharp = chosen(shares, SamplingConfig(samples=1500, temperature=0.5), 0)
    assert np.bincount(sharp) / 1500 == pytest.approx(np.array([4, 25, 9]) / 38, abs=0.04)
    assert set(chosen(shares, SamplingConfig(samples=200, temperature=1.0, top_p=0.6), 0)) == {1, 2}
    assert set(chosen(shares, SamplingConfig(samples=200, temperature=1.0, top_k=2), 0)) == {1, 2}
    assert set(chosen(Shares("q", (1.0, 0.0)), SamplingConfig(samples=20, temperature=1.0), 0)) == {0}


def test_from_gold_to_a_student(tmp_path: Path) -> None:
    """The named methods in an experiment: the student learns the ensemble's labels, the ensemble is judged itself, and
    both share their rounds."""
    supervisor = {"experts": 2, "boosting": {"measured": "in-sample"}, "fit": {"learning_rate": 1e-2, "epochs": 3}}
    sampled = {"like": "ensemw2s-classes", "supervisor": supervisor, "elicit": {"kind": "vote", "samples": 3}}
    named = ("ensemw2s-classes", "ensemw2s-classes-experts")
    experiment = Experiment.parse(
        {
            "name": "tiny",
            "tasks": [task_of(tmp_path, [COLOURS[n % 2] for n in range(13)], 6)],
            "teacher": "zoo/nano",
            "student": "zoo/nano",
            "methods": {**{name: {"supervisor": supervisor} for name in named}, "sampled": sampled},
            "controls": [],
            "max_new_tokens": 12,
            "student_fit": {"epochs": 1},
        },
        "the test",
    )
    plan, store = make_plan(experiment), Store(tmp_path / "store")
    run_steps(plan.steps, store, CPU, workers=1)
    kinds = [step.kind for step in plan.steps]
    assert {kind: kinds.count(kind) for kind in ("boost-classes", "ensemble", "classify", "fit")} == {
        "boost-classes": 2, "ensemble": 1, "classify": 3, "fit": 2,
    }  # fmt: skip
    for arm in plan.arms:
        scores = read_scores(store.folder(arm.scores))
        assert len(scores) == 3
        if arm.method == "ensemw2s-classes-experts":
            assert all(score.parsed for score in scores)
        if arm.labels is not None:
            labels = list(read_labels(store.folder(arm.labels)))
            assert all(label.answer is not None for label in labels)
            assert len(labels) == 4


def test_what_does_not_fit_is_named(tmp_path: Path) -> None:
    data = tmp_path / "free.jsonl"
    data.write_text(json.dumps({"question": "Who?", "answer": "the river"}) + "\n")
    ref = ModelRef.of(TEACHER)
    free: Step = task_step(task_config({"kind": "file", "labelled": str(data)}))
    cast = Cast("who", free, ref, ref, FitConfig(), FitConfig(), reasoning=True, max_new_tokens=8, chunk=64, seed=0)
    with pytest.raises(ConfigError, match=r"questions of the task 'who' have no options \(short answers\)"):
        BoostedClassifier().node(cast)
    with pytest.raises(ConfigError, match="set weights to 'uniform'"):
        BoostedClassifier.parse({"boosting": {"reweight": False}}, "it")
