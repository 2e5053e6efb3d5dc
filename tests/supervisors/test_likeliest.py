"""Supervisors that answer with the option that they find likeliest, instead of writing: what they say, as labels and at
the test, and what they cannot be asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiny_models import build_model
from w2sg.decode.choices import option_probabilities
from w2sg.decode.config import SamplingConfig
from w2sg.errors import ConfigError
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.fit_config import FitConfig, LoraConfig
from w2sg.models.loading import load
from w2sg.records import ask
from w2sg.report.costs import part_of
from w2sg.runs.experiment import Experiment
from w2sg.runs.plan import make_plan, task_step
from w2sg.runs.runner import run_steps
from w2sg.runs.store import Store
from w2sg.steps.base import with_ancestors
from w2sg.steps.cast import Cast
from w2sg.steps.classify import read_shares
from w2sg.steps.inputs import MODEL, read_examples, read_labels, read_scores
from w2sg.steps.model import Likeliest, ModelRef
from w2sg.steps.sample import sample_step
from w2sg.steps.task import task_of
from w2sg.supervisors.committee import Committee
from w2sg.supervisors.single import Student, Teacher
from w2sg.tasks import task_config
from w2sg.tasks.options import option_responses

CPU = RuntimeConfig(device="cpu")
SPLIT = {"supervise": 6, "validate": 0, "transfer": 4, "test_id": 3, "near_duplicates": "exact"}
GREEDY = SamplingConfig(samples=1, temperature=0.0, max_new_tokens=8)


@pytest.fixture
def task(tmp_path: Path) -> dict[str, Any]:
    colours = ["red", "blue", "pale green"]
    rows = [
        {"id": f"q{n}", "question": f"Which colour has house {n}?", "choices": colours[: 2 + n % 2], "answer": "red"}
        for n in range(13)
    ]
    (tmp_path / "gold.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"kind": "file", "name": "colours", "grader": "choice", "labelled": str(tmp_path / "gold.jsonl"),
            "split": SPLIT}  # fmt: skip


def cast_of(task: dict[str, Any], model: Path) -> Cast:
    ref = ModelRef.of(ModelConfig(path=str(model)))
    fit = FitConfig(learning_rate=1e-2, epochs=1, batch_size=6, lora=LoraConfig(rank=2))
    return Cast("colours", task_step(task_config(task)), ref, ref, fit, fit, True, 8, 64, 0)


@pytest.mark.parametrize("answers", ["likeliest", "likeliest-per-token", "likeliest-over-prior"])
def test_an_ensemble_chooses_by_its_mixed_tokens(answers: Likeliest, task: dict[str, Any], tmp_path: Path) -> None:
    """The shares are those of one question at a time, asked of the ensemble as it is loaded."""
    cast, store = cast_of(task, build_model(tmp_path / "llama", "llama")), Store(tmp_path / "store")
    node = Committee(experts=2, answers=answers).node(cast)
    asked = sample_step(node, cast.task, ("transfer",), GREEDY, 0, "labels")
    run_steps(with_ancestors([asked]), store, CPU, workers=1)
    assert node.tuned is not None
    model = load(ModelConfig(path=str(store.folder(node.tuned) / MODEL)), CPU)
    built, found = task_of(asked), read_shares(store.folder(asked))
    normalise = {"likeliest": "none", "likeliest-per-token": "tokens", "likeliest-over-prior": "prior"}[answers]
    examples = read_examples(store.folder(cast.task), ("transfer",))
    assert len(found) == len(examples) == 4
    for one, example in zip(found, examples, strict=True):
        question = (ask(built.prompt(example)), option_responses(built, example))
        (chances,) = option_probabilities(model, [question], CPU, normalise=normalise, prior=ask("Answer:"))  # type: ignore[arg-type]
        assert one.id == example.id
        assert np.array(one.shares) == pytest.approx(chances, rel=1e-4)


def test_labels_students_and_the_test(task: dict[str, Any], tmp_path: Path) -> None:
    """As labels, with the shares of several draws, and where the supervisor is judged itself: an answer always."""
    tiny = str(build_model(tmp_path / "llama", "llama"))
    experiment = Experiment.parse(
        {
            "name": "tiny",
            "tasks": [task],
            "teacher": tiny,
            "student": tiny,
            "methods": {
                "chosen": {"like": "imitation", "supervisor": {"answers": "likeliest"}},
                "drawn": {"like": "chosen", "elicit": {"kind": "vote", "samples": 16}},
                "untuned-options": {"like": "untuned", "supervisor": {"answers": "likeliest"}},
                "teacher-options": {"like": "teacher", "supervisor": {"answers": "likeliest-per-token"}},
            },
            "controls": [],
            "max_new_tokens": 4,
            "teacher_fit": {"epochs": 1},
            "student_fit": {"epochs": 1},
        },
        "the test",
    )
    plan, store = make_plan(experiment), Store(tmp_path / "store")
    run_steps(plan.steps, store, CPU, workers=1)
    by_name = {arm.method: arm for arm in plan.arms}
    for name in ("untuned-options", "teacher-options"):
        assert all(score.parsed for score in read_scores(store.folder(by_name[name].scores)))
    played = {part_of(step, ()) for step in plan.steps if step.kind == "classify"}
    assert played == {"supervisor's samples", "answers to the test"}
    labels = {}
    for name in ("chosen", "drawn"):
        made = by_name[name].labels
        assert made is not None
        labels[name] = list(read_labels(store.folder(made)))
        assert len(labels[name]) == 4
        assert all(label.answer is not None for label in labels[name])
    assert all(label.confidence is None for label in labels["chosen"])
    for label in labels["drawn"]:
        assert label.confidence == label.histogram[0][1] / 16


def test_what_cannot_be_asked(task: dict[str, Any], tmp_path: Path) -> None:
    model = build_model(tmp_path / "llama", "llama")
    free = {**task, "grader": "numeric", "name": "free"}
    for supervisor in (Teacher(answers="likeliest"), Student(answers="likeliest"), Committee(answers="likeliest")):
        assert supervisor.node(cast_of(task, model)).classifies == "likeliest"
        with pytest.raises(ConfigError, match=r"no options \(numeric answers\).*answers: text"):
            supervisor.node(cast_of(free, model))
    assert Teacher().identity() == Teacher(answers="text").identity() == {"kind": "teacher"}
