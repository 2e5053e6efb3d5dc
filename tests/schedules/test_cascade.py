"""A cascade may name rungs of its own, so that one experiment can hold several chains."""

from __future__ import annotations

from pathlib import Path

import pytest

import scripted_world
from w2sg.errors import ConfigError
from w2sg.runs.experiment import Experiment
from w2sg.runs.plan import make_plan

MIDDLE, OTHER = "scripted:scripted_world:middle", "scripted:scripted_world:strong"


def chains(folder: Path, through: object, **changes: object) -> list[list[str]]:
    """Return who is tuned, rung by rung, in every method: the experiment's chain and one through `through`."""
    methods = {"cascade-alice": None, "mine": {"like": "cascade-alice", "schedule": {"through": through}}}
    data = scripted_world.experiment(folder / "data", methods=methods, controls=[], seeds=[0], **changes)
    plan = make_plan(Experiment.parse(data, "the test"))
    return [
        [step.settings.model.config.path for step in arm.scores.ancestors() if step.kind == "fit"]  # type: ignore[attr-defined]
        for arm in plan.arms
    ]


def test_a_cascade_takes_its_own_rungs_before_the_experiments(tmp_path: Path) -> None:
    weak, strong = "scripted:scripted_world:weak", "scripted:scripted_world:strong"
    given, own = chains(tmp_path, [OTHER, {"path": MIDDLE}], intermediates=[MIDDLE])
    assert given == [weak, MIDDLE, strong]
    assert own == [weak, OTHER, MIDDLE, strong]


def test_without_rungs_of_its_own_it_takes_the_experiments(tmp_path: Path) -> None:
    given, own = chains(tmp_path, [], intermediates=[MIDDLE])
    assert given == own


def test_one_rung_must_still_be_a_list(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"schedule\.cascade\.through"):
        chains(tmp_path, 3, intermediates=[MIDDLE])


def test_rungs_that_share_their_questions_may_outnumber_them(tmp_path: Path) -> None:
    methods = {"shared": {"like": "cascade-alice", "schedule": {"questions": "reuse"}}}
    data = scripted_world.experiment(
        tmp_path / "data", methods=methods, controls=[], seeds=[0], intermediates=[MIDDLE] * 15
    )
    (arm,) = make_plan(Experiment.parse(data, "the test")).arms
    assert len(arm.below) == 15
    with pytest.raises(ConfigError, match=r"14 transfer questions.*schedule\.questions: reuse"):
        make_plan(Experiment.parse({**data, "methods": ["cascade-alice"]}, "the test"))
