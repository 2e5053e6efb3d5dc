"""Kill training again and again and say what came out: run as a program by `models/test_fit_resume.py`.

    python tests/fit_kills.py MODEL FOLDER KILLS [--lora]

Imports are paid once: every attempt is a fork. An attempt is killed (SIGKILL, by itself) right before its n-th
operation on a file below its folder, or after a moment on the clock; the attempt after it runs to the end. Prints
JSON: the digest of the uninterrupted result, and per kill what it hit and the digest of the resumed result.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import peft  # noqa: F401 (imported before the forks)
from transformers import LlamaForCausalLM  # noqa: F401

import w2sg.models.fit_trainer  # noqa: F401
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.fit import fit
from w2sg.models.fit_config import FitConfig, LoraConfig
from w2sg.records import Target, ask
from w2sg.storage import hash_folder, read_json

CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "shutil.rmtree"}
RELATIVE = ("model", "optimizer", "scheduler", "rng_state", "trainer_state", "training_args", "adapter", "complete")
TARGETS = [
    Target(str(place), ask(f"What is {place} + 3?"), f"It is {place + 3}. " + "so " * (place % 4), weight=1 + place % 2)
    for place in range(11)
]


def train(model: str, folder: Path, lora: bool, every: float) -> None:
    """Train for six steps, in micro-batches, with whatever dropout there is."""
    config = FitConfig(
        learning_rate=1e-2, epochs=2, batch_size=4, lora=LoraConfig(rank=4, dropout=0.3) if lora else None
    )
    runtime = RuntimeConfig(device="cpu", micro_batch=3, checkpoint_every_seconds=every)
    fit(ModelConfig(path=model), TARGETS, config, seed=0, folder=folder, runtime=runtime)


def attempt(work: Any, kill_at: int = 0, kill_after: float = 0.0) -> tuple[bool, int]:
    """Run `work` in a fork; return whether it came to its end, and how many file operations it did."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            count = 0

            def hook(event: str, arguments: tuple[Any, ...]) -> None:
                nonlocal count
                writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
                # rmtree names what it deletes relative to an open folder
                if (writes or event in CHANGES) and str(arguments[0]).startswith((f"{work.folder}/", *RELATIVE)):
                    count += 1
                    os.pwrite(report, str(count).encode(), 0)
                    if count == kill_at:
                        os.kill(os.getpid(), signal.SIGKILL)

            report = os.open(f"{work.folder}.count", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            sys.addaudithook(hook)
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    if kill_after:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise RuntimeError("an attempt failed")
    return not os.WIFSIGNALED(status), int(Path(f"{work.folder}.count").read_text() or 0)


class Work:
    """One job in one folder."""

    def __init__(self, model: str, folder: Path, lora: bool, every: float = 0.0) -> None:
        self.model, self.folder, self.lora, self.every = model, folder, lora, every

    def __call__(self) -> None:
        train(self.model, self.folder, self.lora, self.every)

    def outcome(self) -> list[Any]:
        """Return what must not depend on interruptions, the model's files and the losses, once the rest is gone."""
        assert not (self.folder / "checkpoints").exists()
        assert sorted(path.name for path in self.folder.iterdir()) == ["fit.json", "fit.lock", "model"]
        return [hash_folder(self.folder / "model"), read_json(self.folder / "fit.json")["losses"]]


def main() -> None:
    """Do all kills and print what came out."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("folder", type=Path)
    parser.add_argument("kills", type=int)
    parser.add_argument("--lora", action="store_true")
    arguments = parser.parse_args()
    arguments.folder.mkdir(exist_ok=True)
    started = time.monotonic()
    whole = Work(arguments.model, arguments.folder / "whole", arguments.lora)
    _, operations = attempt(whole)
    seconds = time.monotonic() - started
    seldom = Work(arguments.model, arguments.folder / "seldom", arguments.lora, every=1e9)
    attempt(seldom)
    drawn = random.Random(0)
    points = sorted(drawn.sample(range(1, operations + 1), min(arguments.kills, operations)))
    results = []
    for number, point in enumerate(points):
        work = Work(arguments.model, arguments.folder / "killed", arguments.lora)
        if number % 3 == 2:
            ended, count = attempt(work, kill_after=drawn.uniform(0.1, seconds))
            hit = "clock"
        else:
            ended, count = attempt(work, kill_at=point)
            hit = "write"
        if number % 4 == 3 and not ended:
            attempt(work, kill_at=1 + point // 2)  # killed a second time on its way
        attempt(work)
        results.append({"hit": hit, "at": count, "ended": ended, "outcome": work.outcome()})
        shutil.rmtree(work.folder)
    print(
        json.dumps({"whole": whole.outcome(), "seldom": seldom.outcome(), "operations": operations, "kills": results})
    )


if __name__ == "__main__":
    main()
