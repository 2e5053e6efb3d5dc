"""Killed training, started again, ends in the same bits; torn and foreign checkpoints are not trusted."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from w2sg.errors import DataError, StoreError
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.fit import fit
from w2sg.models.fit_config import FitConfig
from w2sg.models.fit_trainer import COMPLETE, last_checkpoint
from w2sg.records import Target, ask
from w2sg.storage import hash_folder, write_json

KILLS = int(os.environ.get("W2SG_KILLS", "8"))
"""Kills per kind of training; set it high for every write of every checkpoint."""

CONFIG = FitConfig(learning_rate=1e-2, epochs=2, batch_size=4)
EVERY_STEP = RuntimeConfig(device="cpu", checkpoint_every_seconds=0)
TEXTS = [Target(str(place), ask(f"What is {place} + 3?"), f"It is {place + 3}. " + "so " * place) for place in range(9)]


class Stop(Exception):
    """Raised by a progress callback to break training off."""


def stop_at(step: int) -> Callable[[int, int, str], None]:
    def progress(done: int, total: int, note: str) -> None:
        if done == step:
            raise Stop

    return progress


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["full", "lora"])
def test_killed_anywhere_ends_in_the_same_bits(kind: str, tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    """Full training with micro-batches, and LoRA with dropout; neither kills nor the interval of checkpoints show."""
    program = Path(__file__).parents[1] / "fit_kills.py"
    command = [sys.executable, str(program), str(tiny_model("llama")), str(tmp_path), str(KILLS)]
    done = subprocess.run(command + ["--lora"] * (kind == "lora"), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["seldom"] == found["whole"]
    assert len(found["kills"]) == min(KILLS, found["operations"])
    assert sum(not kill["ended"] for kill in found["kills"]) >= KILLS // 2
    for kill in found["kills"]:
        assert kill["outcome"] == found["whole"], f"killed by {kill['hit']} at file operation {kill['at']}"


@pytest.fixture
def interrupted(tiny_model: Callable[..., Path], tmp_path: Path) -> Path:
    """A folder in which training broke off at step 3 of 6, with the checkpoint of step 2."""
    path = ModelConfig(path=str(tiny_model("llama")))
    with pytest.raises(Stop):
        fit(path, TEXTS, CONFIG, seed=0, folder=tmp_path, runtime=EVERY_STEP, progress=stop_at(3))
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["checkpoint-2"]
    return tmp_path


def resumed_from(folder: Path, model: Path, seed: int = 0) -> int:
    """Train to the end and return the first step that was told."""
    told: list[int] = []
    path = ModelConfig(path=str(model))
    fit(path, TEXTS, CONFIG, seed=seed, folder=folder, runtime=EVERY_STEP, progress=lambda done, *_: told.append(done))
    return told[0]


@pytest.mark.parametrize(("family", "tied"), [("gpt_neox", False), ("gpt_neox", True), ("qwen2", True)])
def test_every_family_goes_on_to_the_same_bits(
    family: str, tied: bool, tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    """GPT-NeoX's output matrix has another name on disk than in memory, and a plain load would start it anew."""
    path = ModelConfig(path=str(tiny_model(family, tie_word_embeddings=tied)))
    whole = fit(path, TEXTS, CONFIG, seed=0, folder=tmp_path / "whole", runtime=EVERY_STEP)
    with pytest.raises(Stop):
        fit(path, TEXTS, CONFIG, seed=0, folder=tmp_path / "cut", runtime=EVERY_STEP, progress=stop_at(4))
    again = fit(path, TEXTS, CONFIG, seed=0, folder=tmp_path / "cut", runtime=EVERY_STEP)
    assert again.losses == whole.losses
    assert hash_folder(tmp_path / "cut" / "model") == hash_folder(tmp_path / "whole" / "model")


def test_goes_on_where_it_was(interrupted: Path, tiny_model: Callable[..., Path]) -> None:
    assert resumed_from(interrupted, tiny_model("llama")) == 2


def test_a_torn_checkpoint_is_removed(interrupted: Path, tiny_model: Callable[..., Path]) -> None:
    (whole,) = (interrupted / "checkpoints").iterdir()
    shutil.copytree(whole, whole.with_name("checkpoint-4"))
    (whole.with_name("checkpoint-4") / COMPLETE).unlink()
    (whole.with_name("checkpoint-4") / "optimizer.pt").write_bytes(b"torn")
    assert resumed_from(interrupted, tiny_model("llama")) == 2


def test_a_checkpoint_that_lacks_weights_is_refused(interrupted: Path, tiny_model: Callable[..., Path]) -> None:
    """They would start anew, and nobody would know."""
    weights = interrupted / "checkpoints" / "checkpoint-2" / "model.safetensors"
    kept = load_file(weights)
    del kept["lm_head.weight"]
    save_file(kept, weights, {"format": "pt"})
    with pytest.raises(StoreError, match=r"checkpoint-2' lacks 1 of the model's weights, first 'lm_head\.weight'"):
        resumed_from(interrupted, tiny_model("llama"))


def test_a_checkpoint_of_another_job_is_not_resumed(interrupted: Path, tiny_model: Callable[..., Path]) -> None:
    assert resumed_from(interrupted, tiny_model("llama"), seed=1) == 0


def test_only_the_newest_whole_checkpoint_counts(tmp_path: Path) -> None:
    for step, job in ((2, "mine"), (10, "mine"), (30, "other")):
        write_json(tmp_path / f"checkpoint-{step}" / COMPLETE, {"job": job})
    (tmp_path / "checkpoint-40").mkdir()
    assert last_checkpoint(tmp_path, "mine", clean=False) == tmp_path / "checkpoint-10"
    assert len(list(tmp_path.iterdir())) == 4
    assert last_checkpoint(tmp_path, "mine") == tmp_path / "checkpoint-10"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-2"]
    assert last_checkpoint(tmp_path / "nowhere", "mine") is None


def test_a_disk_that_refuses_a_checkpoint(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    """A limit on file sizes stands for a full disk: one paragraph, and with space again training goes on."""
    path = ModelConfig(path=str(tiny_model("llama")))

    def progress(done: int, total: int, note: str) -> None:
        if done == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(StoreError, match="Could not write a training checkpoint"):
            fit(path, TEXTS, CONFIG, seed=0, folder=tmp_path, runtime=EVERY_STEP, progress=progress)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert resumed_from(tmp_path, tiny_model("llama")) == 2


@pytest.mark.slow
def test_two_processes(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    """Two processes train what one does, up to rounding; broken off and started again, to the same bits.

    Nine texts in batches of four: the last batch of each pass has one text, so that one process has none.
    """
    path = ModelConfig(path=str(tiny_model("llama")))
    two = EVERY_STEP.model_copy(update={"processes": 2})
    told: list[int] = []
    one = fit(path, TEXTS, CONFIG, seed=0, folder=tmp_path / "one", runtime=EVERY_STEP)
    both = fit(
        path, TEXTS, CONFIG, seed=0, folder=tmp_path / "two", runtime=two, progress=lambda done, *_: told.append(done)
    )
    assert [loss for _, loss in both.losses] == pytest.approx([loss for _, loss in one.losses], abs=1e-4)
    assert (both.tokens_trained, both.steps, told) == (one.tokens_trained, 6, list(range(7)))
    with pytest.raises(Stop):
        fit(path, TEXTS, CONFIG, seed=0, folder=tmp_path / "cut", runtime=two, progress=stop_at(4))
    assert list((tmp_path / "cut" / "checkpoints").glob(f"*/{COMPLETE}"))
    again = fit(path, TEXTS, CONFIG, seed=0, folder=tmp_path / "cut", runtime=two)
    assert again.losses == both.losses
    assert hash_folder(tmp_path / "cut" / "model") == hash_folder(tmp_path / "two" / "model")
    assert not (tmp_path / "cut" / "job").exists()


@pytest.mark.slow
def test_errors_of_other_processes_reach_the_user(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    path = ModelConfig(path=str(tiny_model("llama")))
    two = EVERY_STEP.model_copy(update={"processes": 2})
    weightless = [Target("a", ask("What?"), "That.", weight=0.0)]
    with pytest.raises(DataError, match="all 1 training texts have weight 0"):
        fit(path, weightless, CONFIG, seed=0, folder=tmp_path, runtime=two)
