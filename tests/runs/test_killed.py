"""Real models in worker processes, the run killed at random moments and started again: the same store in the end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from runs_tree import tree

EXPERIMENT = {
    "name": "killed",
    "tasks": [
        {
            "kind": "world-maths",
            "split": {"supervise": 32, "validate": 0, "transfer": 24, "test_id": 12, "test_ood": 12},
        }
    ],
    "teacher": "zoo/nano",
    "student": "zoo/nano",
    "methods": ["imitation-vote"],
    "controls": ["teacher", "ceiling"],
    "max_new_tokens": 64,
    "teacher_fit": {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3},
    "student_fit": {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3},
    "runtime": {"checkpoint_every_seconds": 0},
    "workers": 2,
}


def start(folder: Path, file: Path) -> subprocess.Popen[bytes]:
    command = [str(Path(sys.executable).with_name("w2sg")), "run", str(file), "--out", str(folder)]
    environment = {name: value for name, value in os.environ.items() if name != "W2SG_STORE"}
    with (folder.parent / "log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)


def members(group: int) -> int:
    """How many processes of a process group are alive."""
    count = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        count += int(fields[2]) == group and fields[0] != "Z"
    return count


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="counts processes through /proc, which Linux has")
def test_killed_at_random_moments_a_run_of_real_models_arrives_at_the_same_bits(tmp_path: Path) -> None:
    file = tmp_path / "experiment.yaml"
    file.write_text(yaml.safe_dump(EXPERIMENT))
    whole, killed = tmp_path / "whole" / "out", tmp_path / "killed" / "out"
    for folder in (whole, killed):
        folder.parent.mkdir()
    before = time.monotonic()
    assert start(whole, file).wait(300) == 0, (whole.parent / "log").read_text()
    seconds = time.monotonic() - before
    moments, kills = random.Random(0), 0
    for _ in range(4):
        run = start(killed, file)
        time.sleep(moments.uniform(0.2, 0.4) * seconds)
        if run.poll() is None:
            os.kill(run.pid, signal.SIGKILL)  # the parent alone: its workers must notice and leave
            kills += 1
        run.wait(30)
        deadline = time.monotonic() + 20
        while members(run.pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert members(run.pid) == 0, "a worker outlived its killed parent"
    assert start(killed, file).wait(300) == 0, (killed.parent / "log").read_text()
    expected = tree(whole / "store")
    found = tree(killed / "store")
    assert {name for name in {*found, *expected} if found.get(name) != expected.get(name)} == set()
    assert sum(name.endswith("record.json") for name in expected) > 10
    assert kills > 1
