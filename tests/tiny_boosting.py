"""A task of sums and a tiny random model to be boosted on it, and how its rounds are run and found again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import scripted_world
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.fit_config import FitConfig, LoraConfig
from w2sg.runs.plan import task_step
from w2sg.runs.runner import run_steps
from w2sg.runs.store import Store
from w2sg.steps.base import Step, with_ancestors
from w2sg.steps.cast import Cast
from w2sg.steps.model import ModelRef, Node
from w2sg.supervisors.boosted import Boosted
from w2sg.tasks import task_config

CPU = RuntimeConfig(device="cpu", checkpoint_every_seconds=0)
LORA = FitConfig(learning_rate=3e-2, epochs=6, batch_size=4, lora=LoraConfig(rank=4, alpha=8))


def sums_cast(folder: Path, model: Path, validate: int = 0) -> Cast:
    """Return the cast of twenty sums, eight of them to `supervise`, with `model` as teacher and student."""
    split = {"supervise": 8, "validate": validate, "transfer": 4, "test_id": 4, "near_duplicates": "exact"}
    files = scripted_world.write_files(folder, labelled=20)
    task = task_step(task_config({"kind": "file", "name": "sums", "grader": "numeric", "split": split, **files}))
    ref = ModelRef.of(ModelConfig(path=str(model)))
    return Cast("sums", task, ref, ref, LORA, LORA, reasoning=True, max_new_tokens=4, chunk=64, seed=0)


def boosted(experts: int = 2, **boosting: Any) -> Boosted:
    """Return a supervisor that keeps every expert that is better than a random token."""
    settings = {"prior": "vocabulary", "measured": "in-sample", **boosting}
    return Boosted.parse({"experts": experts, "boosting": settings}, "The supervisor")


def made(node: Node, store: Store) -> tuple[Step, Path]:
    """Run all that a supervisor needs; return its last step and that step's folder."""
    assert node.tuned is not None
    run_steps(with_ancestors([node.tuned]), store, CPU, workers=1)
    return node.tuned, store.folder(node.tuned)


def rounds(ensemble: Step, store: Store) -> list[Path]:
    """Return the folders of an ensemble's experts, in their order."""
    return [store.folder(ensemble.parents[part]) for part in sorted(ensemble.parents)]
