"""Alice on real, tiny, random models: teacher and student of two families, each with its own tokenizer and template."""

from __future__ import annotations

import json
from pathlib import Path

from tiny_models import build_model
from w2sg.models.base import RuntimeConfig
from w2sg.runs.experiment import Experiment
from w2sg.runs.plan import make_plan
from w2sg.runs.runner import run_steps
from w2sg.runs.store import Store
from w2sg.steps.inputs import MODEL, read_labels, read_responses, read_scores, read_targets


def test_a_cascade_over_two_families(tmp_path: Path) -> None:
    teacher = build_model(tmp_path / "teacher", "llama", bos=True, max_position_embeddings=2048)
    middle = build_model(tmp_path / "middle", "qwen2", seed=1, max_position_embeddings=2048)
    student = build_model(tmp_path / "student", "gpt_neox", seed=2, chat=False, max_position_embeddings=2048)
    rows = [{"question": f"What is {n} plus {n}?", "answer": str(2 * n), "id": f"q{n}"} for n in range(20)]
    (tmp_path / "gold.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    split = {"supervise": 4, "validate": 2, "transfer": 8, "test_id": 4, "near_duplicates": "exact"}
    task = {"kind": "file", "name": "sums", "labelled": str(tmp_path / "gold.jsonl"), "grader": "numeric"}
    experiment = Experiment.parse(
        {
            "name": "tiny",
            "tasks": [{**task, "last_number": True, "split": split}],
            "teacher": str(teacher),
            "student": str(student),
            "intermediates": [str(middle)],
            "methods": {"cascade-alice": {"elicit": {"samples": 6}, "recipe": {"check": False}}},
            "controls": [],
            "max_new_tokens": 24,
            "teacher_fit": {"epochs": 1},
            "student_fit": {"epochs": 1},
        },
        "the test",
    )
    plan = make_plan(experiment)
    store = Store(tmp_path / "store")
    assert run_steps(plan.steps, store, RuntimeConfig(device="cpu"), workers=1) == len(plan.steps)
    (arm,) = plan.arms
    steps = list(arm.scores.ancestors())
    rewrites = [store.folder(step) for step in steps if step.kind == "rewrite"]
    assert len(rewrites) == 2
    asked = [id for folder in rewrites for id, rows in read_responses(folder) if len(rows) == 4]
    heard = [
        label.id
        for step in steps
        if step.kind == "label" and "transfer" in step.parents["samples"].settings.roles  # type: ignore[attr-defined]
        for label in read_labels(store.folder(step))
        if label.histogram
    ]
    assert asked == heard
    assert len(set(asked)) == len(asked) > 4
    fits = [step for step in steps if step.kind == "fit"]
    families = [json.loads((store.folder(step) / MODEL / "config.json").read_text())["model_type"] for step in fits]
    assert families == ["llama", "qwen2", "gpt_neox"]
    assert {target.id for target in read_targets(store.folder(fits[2].parents["targets"]))} <= set(asked)
    assert len(read_scores(store.folder(arm.scores))) == 4
