"""EnsemW2S and its controls on real, tiny, random models: from gold to a student, and the ensemble judged itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tiny_models import build_model
from w2sg.errors import ConfigError
from w2sg.models.base import RuntimeConfig
from w2sg.runs.experiment import Experiment
from w2sg.runs.plan import Plan, make_plan
from w2sg.runs.runner import run_steps
from w2sg.runs.store import Store
from w2sg.schedules.methods import method
from w2sg.steps.inputs import MODEL, read_labels, read_scores
from w2sg.supervisors.boosted import Boosted

FIT = {"learning_rate": 3e-2, "epochs": 6, "batch_size": 4, "lora": {"rank": 4, "alpha": 8}}


def plan_of(folder: Path, methods: dict[str, Any], **changes: Any) -> Plan:
    teacher = build_model(folder / "teacher", "llama")
    student = build_model(folder / "student", "qwen2", seed=2)
    rows = [{"question": f"What is {n} plus {n}?", "answer": str(2 * n), "id": f"q{n}"} for n in range(16)]
    (folder / "gold.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    split = {"supervise": 6, "validate": 0, "transfer": 6, "test_id": 4, "near_duplicates": "exact"}
    task = {"kind": "file", "name": "sums", "labelled": str(folder / "gold.jsonl"), "grader": "numeric"}
    experiment = Experiment.parse(
        {
            "name": "tiny",
            "tasks": [{**task, "last_number": True, "split": split}],
            "teacher": str(teacher),
            "student": str(student),
            "methods": methods,
            "controls": [],
            "max_new_tokens": 8,
            "teacher_fit": FIT,
            "student_fit": {"epochs": 0.1},
            **changes,
        },
        "the test",
    )
    return make_plan(experiment)


def test_from_gold_to_a_student_and_the_same_experts_in_three_methods(tmp_path: Path) -> None:
    supervisor = {"experts": 2, "boosting": {"prior": "vocabulary", "measured": "in-sample"}}
    small = {"supervisor": supervisor, "recipe": {"kind": "imitation", "keep_unparsed": True}}
    methods = {"ensemw2s": small, "ensemw2s-uniform": small, "ensemw2s-experts": {"supervisor": supervisor}}
    plan = plan_of(tmp_path, methods)
    store = Store(tmp_path / "store")
    assert run_steps(plan.steps, store, RuntimeConfig(device="cpu"), workers=1) == len(plan.steps)
    kinds = [step.kind for step in plan.steps]
    assert {kind: kinds.count(kind) for kind in ("answer-tokens", "boost", "ensemble", "fit")} == {
        "answer-tokens": 1, "boost": 2, "ensemble": 2, "fit": 2,
    }  # fmt: skip
    weights = {}
    for arm in plan.arms:
        assert len(read_scores(store.folder(arm.scores))) == 4
        (ensemble,) = [step for step in arm.scores.ancestors() if step.kind == "ensemble"]
        stored = json.loads((store.folder(ensemble) / MODEL / "ensemble.json").read_text())
        weights[arm.method] = [expert["weight"] for expert in stored["experts"]]
        if arm.labels is not None:
            assert len(list(read_labels(store.folder(arm.labels)))) == 6
    assert weights["ensemw2s"] == weights["ensemw2s-experts"] != [1.0, 1.0] == weights["ensemw2s-uniform"]


def test_presets() -> None:
    ours, published = method("ensemw2s").supervisor, method("ensemw2s", preset="paper").supervisor
    assert isinstance(ours, Boosted)
    assert isinstance(published, Boosted)
    assert (ours.boosting.prior, ours.boosting.measured, ours.boosting.largest_step) == ("none", "out-of-bag", 1.0)
    assert (published.boosting.prior, published.boosting.measured) == ("pretrained", "in-sample")
    assert published.boosting.largest_step is None
    uniform = method("ensemw2s-uniform", preset="paper").supervisor
    assert isinstance(uniform, Boosted)
    assert (uniform.weights, uniform.boosting) == ("uniform", published.boosting)


@pytest.mark.parametrize(
    ("supervisor", "words"),
    [
        ({"experts": 0}, "greater than or equal to 1"),
        ({"boosting": {"reweight": False}}, "set weights to 'uniform'"),
        ({"boosting": {"draw": "weight"}}, "none is out of bag"),
        ({"boosting": {"priors": "none"}}, r"boosting.priors: unknown key \(perhaps you meant 'prior'\)"),
    ],
)
def test_what_does_not_fit_is_named(supervisor: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        method("ensemw2s", {"supervisor": supervisor})
