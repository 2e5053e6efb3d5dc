"""Whole runs on scripted models, and how their steps are found again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import scripted_world
from w2sg.models.base import RuntimeConfig
from w2sg.runs.experiment import Experiment
from w2sg.runs.plan import Arm, Plan, make_plan
from w2sg.runs.runner import run_steps
from w2sg.runs.store import Store
from w2sg.steps.base import Step


def plan_of(folder: Path, methods: Any, **changes: Any) -> Plan:
    """Return the plan of an experiment on scripted models; one seed and no controls, unless changed."""
    data = scripted_world.experiment(folder / "data", methods=methods, **{"seeds": [0], "controls": [], **changes})
    return make_plan(Experiment.parse(data, "the test"))


def run(plan: Plan, folder: Path) -> Store:
    """Run all steps of a plan; return their store."""
    store = Store(folder / "store")
    run_steps(plan.steps, store, RuntimeConfig(), workers=1)
    return store


def step_of(arm: Arm, kind: str) -> list[Step]:
    """Return the steps of a kind that an arm rests on, in their order."""
    return [step for step in arm.scores.ancestors() if step.kind == kind]


def labels_of(arm: Arm, role: str = "transfer") -> list[Step]:
    """Return the steps that label the questions of a role for an arm."""
    return [step for step in step_of(arm, "label") if step.parents["samples"].settings.roles == (role,)]  # type: ignore[attr-defined]
