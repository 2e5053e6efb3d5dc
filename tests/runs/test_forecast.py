"""How long a run will take: by what like steps took, in the middle; by the model's size where there are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import scripted_world
from w2sg.runs.experiment import Experiment
from w2sg.runs.forecast import Forecast, forecast
from w2sg.runs.plan import Plan, make_plan
from w2sg.runs.runner import run_steps
from w2sg.runs.store import RECORD, Store


def plan_of(folder: Path, **changes: Any) -> Plan:
    return make_plan(Experiment.parse(scripted_world.experiment(folder / "data", **changes), "the test"))


def finished(plan: Plan, folder: Path, **seconds: float) -> Store:
    """Run the plan; then let its steps have taken `seconds` by kind."""
    store = Store(folder / "store")
    run_steps(plan.steps, store, plan.experiment.runtime, workers=1)
    for kind, took in seconds.items():
        for path in (store.root / kind).glob(f"*/{RECORD}"):
            put(path, took)
    return store


def put(path: Path, seconds: float) -> None:
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "cost": {**record["cost"], "seconds": seconds}}))


def todo(plan: Plan, store: Store, words: str) -> list[Forecast]:
    return [part for part in forecast(plan, store) if part.seconds and words in part.step.label]


def test_the_same_step_of_another_seed_takes_what_it_took_in_the_middle(tmp_path: Path) -> None:
    seeds = [0, 1, 2]
    store = finished(plan_of(tmp_path, seeds=seeds), tmp_path, fit=50.0, score=0.0)
    paths = sorted((store.root / "fit").glob(f"*by-imitation-seed*/{RECORD}"))
    for path, seconds in zip(paths, (3.0, 4.0, 900.0), strict=True):  # one of them on a busy machine
        put(path, seconds)
    more = plan_of(tmp_path, seeds=[*seeds, 3])
    (fit,) = todo(more, store, "tune the student by imitation · seed 3")
    assert (fit.seconds, fit.measured) == (4.0, True)
    (score,) = todo(more, store, "grades of imitation · seed 3")
    assert score.seconds > 0  # reused steps alone take no time


def test_another_row_takes_as_long_as_rows_with_as_many_questions(tmp_path: Path) -> None:
    store = finished(plan_of(tmp_path), tmp_path, fit=50.0, sample=7.0)
    more = plan_of(tmp_path, methods={"imitation": {}, "vote-of-4": {"elicit": {"kind": "vote", "samples": 4}}})
    (test,) = todo(more, store, "vote-of-4 answers the test · seed 0")
    assert test.seconds == pytest.approx(7.0)
    half = {"half": {"schedule": {"kind": "direct", "questions": "matched"}}}
    cascade = plan_of(tmp_path, methods=half, intermediates=["scripted:scripted_world:middle"])
    labels = todo(cascade, store, "teacher answers transfer")
    assert [part.seconds for part in labels] == [pytest.approx(3.5)] * 2  # half of 14 questions, for two seeds


def test_without_any_like_it_a_step_is_guessed_by_its_models_size(tmp_path: Path) -> None:
    small, large = (
        max(part.seconds for part in forecast(plan_of(tmp_path, student=name), Store(tmp_path / "none")))
        for name in ("zoo/nano", "zoo/small")
    )
    assert 0 < small < large
    assert not any(part.measured for part in forecast(plan_of(tmp_path), Store(tmp_path / "none")))
