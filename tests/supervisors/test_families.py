"""Teachers of different families as one: how they are named, what is refused, and from gold to a student."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import scripted_world
from tiny_models import build_model
from w2sg.errors import ConfigError
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.ensemble import read_ensemble
from w2sg.models.loading import load
from w2sg.models.mixture_bytes import BytewiseModel
from w2sg.runs.experiment import Experiment
from w2sg.runs.plan import Plan, make_plan
from w2sg.runs.runner import run_steps
from w2sg.runs.store import Store
from w2sg.schedules.methods import method
from w2sg.steps.inputs import MODEL, read_labels, read_scores
from w2sg.supervisors.families import Families


def plan_of(folder: Path, supervisor: Any, **changes: Any) -> Plan:
    methods = {"both": {"supervisor": supervisor, "recipe": {"kind": "imitation", "keep_unparsed": True}}}
    data = scripted_world.experiment(
        folder / "data", **{"seeds": [0], "controls": [], "methods": methods, "teacher": "zoo/nano", **changes}
    )
    return make_plan(Experiment.parse(data, "the test"))


def test_the_named_method_takes_the_teacher_and_the_zoos_other_family(tmp_path: Path) -> None:
    supervisor = method("two-families-ensemble").supervisor
    assert isinstance(supervisor, Families)
    assert [member.model and member.model.path for member in supervisor.members] == [None, "zoo/neox"]
    (join,) = [step for step in plan_of(tmp_path, "families").steps if step.kind == "join"]
    assert [parent.kind for parent in join.parents.values()] == ["fit", "fit"]
    assert join.label.startswith("sums · ensemble of nano, neox")


def test_members_are_named_by_their_paths() -> None:
    found = Families.parse({"members": ["teacher", "zoo/mini", {"kind": "teacher", "model": "zoo/neox"}]}, "it")
    assert [member.model and member.model.path for member in found.members] == [None, "zoo/mini", "zoo/neox"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"members": ["zoo/nano"]}, "at least 2"),
        ({"members": "zoo/nano"}, "members"),
        ({"weights": [1.0]}, "1 weights for 2 members"),
        ({"weights": [1.0, 0.0]}, "must be above 0"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Families.parse(changes, "it")


def test_the_same_member_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Two of the members nano, nano are the same"):
        plan_of(tmp_path, {"kind": "families", "members": ["teacher", "zoo/nano"]})


def test_different_system_prompts_are_refused(tmp_path: Path) -> None:
    other = {"kind": "teacher", "model": {"path": "zoo/neox", "system": "Be brief."}}
    with pytest.raises(ConfigError, match="different system prompts"):
        plan_of(tmp_path, {"kind": "families", "members": ["teacher", other]})


def test_a_student_learns_from_two_families(tmp_path: Path) -> None:
    """From gold to the student's scores, on tiny random models: an adapter and a whole model of other tokenizers."""
    teacher = build_model(tmp_path / "teacher", "llama", max_position_embeddings=1024)
    other = build_model(tmp_path / "other", "gpt_neox", chat=False, seed=2, max_position_embeddings=1024)
    members = {"members": ["teacher", str(other)], "weights": [2.0, 1.0], "mixture": "log-linear"}
    supervisor = {"kind": "families", **members}
    plan = plan_of(
        tmp_path,
        supervisor,
        teacher=str(teacher),
        student=str(teacher),
        max_new_tokens=4,
        teacher_fit={"epochs": 1, "lora": {"rank": 2, "alpha": 4}},
        student_fit={"epochs": 1, "batch_size": 14},
    )
    store = Store(tmp_path / "store")
    assert run_steps(plan.steps, store, RuntimeConfig(device="cpu"), workers=1) == len(plan.steps)
    (join,) = [step for step in plan.steps if step.kind == "join"]
    made = store.folder(join) / MODEL
    assert [(expert.weight, expert.base) for expert in read_ensemble(made).experts] == [(2.0, None), (1.0, str(other))]
    model = load(ModelConfig(path=str(made)), RuntimeConfig(device="cpu"))
    assert isinstance(model, BytewiseModel)
    assert model.model.weights.tolist() == [2, 1]
    assert model.model.mixture == "log-linear"
    (label,) = [step for step in plan.steps if step.kind == "label"]
    assert len(list(read_labels(store.folder(label)))) == 14
    assert all(len(read_scores(store.folder(arm.scores))) == 14 for arm in plan.arms)
