"""Ctrl-C in the middle of a run, as a user presses it: a sentence, exit code 130, and nothing finished is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

import scripted_world

SLOW = """
import time
import scripted_world

def weak(question):
    time.sleep(0.02)
    return scripted_world.weak(question)
"""


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(folder), str(Path(scripted_world.__file__).parent)])
    return subprocess.Popen(
        [sys.executable, "-c", "from w2sg.cli.main import main; main()", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # a Ctrl-C reaches the whole group of a terminal's foreground job, and only that
        # a background job of a shell ignores it, and so would what it starts
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_control_c_says_how_to_continue_and_the_run_continues(tmp_path: Path, workers: int) -> None:
    (tmp_path / "slowly.py").write_text(SLOW)
    changes = {"teacher": "scripted:slowly:weak", "seeds": [0], "workers": workers, "statistics": {"resamples": 100}}
    (tmp_path / "e.yaml").write_text(yaml.safe_dump(scripted_world.experiment(tmp_path / "data", **changes)))
    running = start(tmp_path, "run", "e.yaml")
    deadline = time.monotonic() + 60
    while not list(tmp_path.rglob("score/*/record.json")):
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert "Traceback" not in said
    assert "is kept; continue where it stopped with: w2sg run e.yaml" in said
    done = {path.parent.name: path.stat().st_mtime_ns for path in tmp_path.rglob("record.json")}

    again = start(tmp_path, "run", "e.yaml")
    shown, said = again.communicate(timeout=120)
    assert again.returncode == 0, said
    assert "found done and kept" in said
    assert "Verdict" in shown
    after = {path.parent.name: path.stat().st_mtime_ns for path in tmp_path.rglob("record.json")}
    assert {name: after[name] for name in done} == done
