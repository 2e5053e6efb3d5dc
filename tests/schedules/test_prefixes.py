"""An ensemble that is judged itself may be judged by its first few experts too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import scripted_world
from w2sg.errors import ConfigError
from w2sg.runs.experiment import Experiment
from w2sg.runs.plan import Plan, make_plan
from w2sg.schedules.controls import AsIs


def plan_of(folder: Path, **methods: Any) -> Plan:
    data = scripted_world.experiment(folder / "data", methods=methods, controls=[], seeds=[0])
    return make_plan(Experiment.parse(data, "the test"))


def test_they_train_nothing_and_change_nothing(tmp_path: Path) -> None:
    plain = {"like": "ensemw2s-experts", "supervisor": {"experts": 3}}
    without, with_ = plan_of(tmp_path, x=plain), plan_of(tmp_path, x={**plain, "schedule": {"prefixes": True}})
    (arm,), (same,) = with_.arms, without.arms
    assert arm.scores.fingerprint == same.scores.fingerprint
    assert (len(arm.below), arm.below_is, same.below) == (2, "prefix", ())
    more = {step.fingerprint for step in with_.steps} - {step.fingerprint for step in without.steps}
    kinds = sorted(step.kind for step in with_.steps if step.fingerprint in more)
    assert kinds == ["first-experts", "first-experts", "sample", "sample", "score", "score"]
    assert [one.method for one in arm.below] == ["x (first 1 of 3 experts)", "x (first 2 of 3 experts)"]
    assert {step.fingerprint for step in arm.leaves()} >= {one.scores.fingerprint for one in arm.below}


def test_experts_that_are_made_only_for_failed_ones_are_not_counted(tmp_path: Path) -> None:
    method = {"like": "ensemw2s-experts", "supervisor": {"experts": 3, "retries": 2}, "schedule": {"prefixes": True}}
    (arm,) = plan_of(tmp_path, x=method).arms
    assert len(arm.below) == 2


def test_committees_have_them_too(tmp_path: Path) -> None:
    schedule = {"kind": "as-is", "prefixes": True}
    (arm,) = plan_of(tmp_path, x={"like": "uniform-ensemble", "schedule": schedule}).arms
    assert len(arm.below) == 4


@pytest.mark.parametrize(
    "supervisor", ["teacher", {"kind": "boosted", "experts": 1}, {"kind": "boosted", "choose": "validate"}]
)
def test_what_is_no_ensemble_of_several_is_refused(supervisor: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'x' asks for a test of its first few experts .*with `choose: all`"):
        plan_of(tmp_path, x={"supervisor": supervisor, "schedule": {"kind": "as-is", "prefixes": True}})


def test_off_they_are_not_part_of_the_identity() -> None:
    assert AsIs().identity() == {"kind": "as-is"}
