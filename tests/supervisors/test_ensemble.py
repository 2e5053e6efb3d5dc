"""An ensemble as the teacher: by its path alone, under any method, asked as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import scripted_world
from tiny_ensembles import adapter_ensemble
from tiny_models import build_model
from w2sg.errors import ConfigError
from w2sg.models.base import RuntimeConfig
from w2sg.models.ensemble import save_ensemble
from w2sg.runs.experiment import Experiment
from w2sg.runs.plan import Plan, make_plan
from w2sg.runs.runner import run_steps
from w2sg.runs.store import Store
from w2sg.steps.inputs import read_labels, read_scores


def plan_of(folder: Path, **changes: Any) -> Plan:
    data = scripted_world.experiment(folder / "data", **{"seeds": [0], "controls": ["teacher"], **changes})
    return make_plan(Experiment.parse(data, "the test"))


@pytest.fixture
def ensemble(tmp_path: Path) -> Path:
    """An ensemble that can be planned with, of experts that do not load."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text(json.dumps({"name": name}))
    save_ensemble(tmp_path / "ensemble", "org/base", [(tmp_path / "a", 1.0), (tmp_path / "b", 0.5)])
    return tmp_path / "ensemble"


def test_an_ensemble_teaches_untrained(ensemble: Path, tmp_path: Path) -> None:
    methods = ["imitation", "alice", "cascade-alice"]
    middle = ["scripted:scripted_world:middle"]
    plan = plan_of(tmp_path, teacher=str(ensemble), methods=methods, intermediates=middle)
    taught = {step.label for step in plan.steps if step.kind == "fit"}
    assert taught
    assert not any("tune the teacher" in label for label in taught)
    assert any("tune the teacher" in step.label for step in plan_of(tmp_path, methods=["imitation"]).steps)


def test_how_much_of_it_teaches_is_part_of_the_result(ensemble: Path, tmp_path: Path) -> None:
    def samples(**use: Any) -> set[str]:
        teacher = {"path": str(ensemble), "ensemble": use}
        plan = plan_of(tmp_path, teacher=teacher, methods=["imitation"])
        return {step.fingerprint for step in plan.steps if step.kind == "sample"}

    found = [samples(), samples(experts=1), samples(weights="uniform"), samples(mixture="log-linear")]
    assert all(not (found[0] <= other) for other in found[1:])
    assert samples(experts=2) == found[0]


def test_an_ensemble_is_no_student(ensemble: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be a student"):
        plan_of(tmp_path, student=str(ensemble), methods=["imitation"])


def test_a_student_learns_from_an_ensemble(tmp_path: Path) -> None:
    """From the ensemble's labels to the student's scores, on tiny random models."""
    base = build_model(tmp_path / "base", "llama", max_position_embeddings=1024)
    student = build_model(tmp_path / "student", "llama", seed=2, max_position_embeddings=1024)
    teacher = adapter_ensemble(tmp_path / "ensemble", base, (1.0, 0.6))
    plan = plan_of(
        tmp_path,
        teacher=str(teacher),
        student=str(student),
        methods={"imitation": {"recipe": {"kind": "imitation", "keep_unparsed": True}}},
        max_new_tokens=8,
        student_fit={"epochs": 1, "batch_size": 14},
    )
    store = Store(tmp_path / "store")
    assert run_steps(plan.steps, store, RuntimeConfig(device="cpu"), workers=1) == len(plan.steps)
    (label,) = [step for step in plan.steps if step.kind == "label"]
    assert len(list(read_labels(store.folder(label)))) == 14
    assert all(len(read_scores(store.folder(arm.scores))) == 14 for arm in plan.arms)
