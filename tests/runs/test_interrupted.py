"""Killed at every single write of a whole run, started again, a run ends in the same store."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import scripted_world
from runs_tree import tree
from w2sg.models.base import RuntimeConfig
from w2sg.runs.experiment import Experiment
from w2sg.runs.plan import make_plan
from w2sg.runs.runner import run_steps
from w2sg.runs.store import Store

KILLED = 9


def run_whole(data: dict[str, Any], store: Path) -> int:
    plan = make_plan(Experiment.parse(data, "the test"))
    return run_steps(plan.steps, Store(store), RuntimeConfig(), workers=1)


def die_at(moment: int, data: dict[str, Any], store: Path) -> int:
    """Run in a forked child that dies, without any cleaning up, at its `moment`-th touch of the disk (before a sync,
    before a rename, or right after a rename); return the child's exit code."""
    child = os.fork()
    if child == 0:
        count = 0
        replace = os.replace

        def strike() -> None:
            nonlocal count
            count += 1
            if count == moment:
                os._exit(KILLED)

        def dying_fsync(descriptor: Any) -> None:
            strike()  # a killed process, not a power cut: what was written is in the kernel's hands, no need to wait

        def dying_replace(source: Any, target: Any) -> None:
            strike()
            replace(source, target)
            strike()

        os.fsync, os.replace = dying_fsync, dying_replace  # type: ignore[assignment]
        try:
            run_whole(data, store)
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.mark.slow
def test_killed_at_every_write_then_resumed_equals_uninterrupted(tmp_path: Path) -> None:
    controls = ["teacher", "ceiling", "random-labels"]
    data = scripted_world.experiment(tmp_path / "data", seeds=[0], controls=controls, methods=["imitation-vote"])
    run_whole(data, tmp_path / "whole")
    expected = tree(tmp_path / "whole")
    kills = 0
    for moment in range(1, 10_000):
        store = tmp_path / f"killed-{moment}"
        code = die_at(moment, data, store)
        if code == 0:
            break
        assert code == KILLED
        kills += 1
        run_whole(data, store)
        assert tree(store) == expected, f"killed at touch {moment}"
    assert kills > 100
    print(f"killed at {kills} moments")


def test_killed_again_and_again_a_run_still_arrives(tmp_path: Path) -> None:
    """Every attempt gets a few writes further than the last one's finished work, however often it dies."""
    data = scripted_world.experiment(tmp_path / "data", seeds=[0])
    run_whole(data, tmp_path / "whole")
    store = tmp_path / "store"
    attempts = 0
    while die_at(20, data, store) != 0:
        attempts += 1
        assert attempts < 200
    assert attempts > 5
    assert tree(store) == tree(tmp_path / "whole")
