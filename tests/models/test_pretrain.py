"""Pretraining: a packed step is the plain one, a killed build ends in the same weights, its record is exact."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from w2sg.errors import ModelError
from w2sg.models import pretrain, tokenizer, zoo
from w2sg.models.base import silent
from w2sg.models.pretrain_data import WIDTHS, Steps, pack
from w2sg.models.pretrain_start import new_model
from w2sg.storage import hash_folder

# The JIT that Trainer's imports touch warns of its own future.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")

BUILD = """
import sys
from pathlib import Path
from w2sg.models import pretrain
pretrain.build(sys.argv[2], Path(sys.argv[1]), documents=700, checkpoint_every_steps=2, compiled=False,
               progress=lambda done, total, note="": print(done, flush=True))
"""


def build(name: str, out: Path, kill_after: int | None = None, script: str = BUILD) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(out), name],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout
    for count, _ in enumerate(process.stdout, start=1):
        if kill_after is not None and count == kill_after:
            time.sleep(0.05)
            process.send_signal(signal.SIGKILL)
            break
    _, error = process.communicate()
    assert process.returncode == (0 if kill_after is None else -signal.SIGKILL), error


@pytest.mark.slow
@pytest.mark.parametrize("name", ["nano", "neox"])
def test_killed_and_resumed_build_ends_in_the_same_weights(tmp_path: Path, name: str) -> None:
    build(name, tmp_path / "whole")
    build(name, tmp_path / "killed", kill_after=5)
    assert not (tmp_path / "killed").exists()
    build(name, tmp_path / "killed")
    whole, killed = hash_folder(tmp_path / "whole"), hash_folder(tmp_path / "killed")
    del whole["training.json"], killed["training.json"]  # it holds the seconds
    assert whole == killed
    records = [json.loads((tmp_path / folder / "training.json").read_text()) for folder in ("whole", "killed")]
    for record in records:
        assert record.pop("seconds") > 0
        assert record.pop("tokens_per_second") > 0
    assert records[0] == records[1]
    tok = AutoTokenizer.from_pretrained(tmp_path / "whole")
    steps = Steps(tok, pretrain.SEED, 700, zoo.member(name).batch_tokens)
    real = sum(int((part["input_ids"] != tok.pad_token_id).sum()) for step in range(len(steps)) for part in steps[step])
    assert records[0]["tokens"] == real
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed", "whole"]


READ_AGAIN = """
import sys
from dataclasses import replace
from pathlib import Path
from w2sg.models import pretrain, zoo
zoo.MEMBERS["nano"] = replace(zoo.MEMBERS["nano"], documents=300, reading=300)
pretrain.build("nano", Path(sys.argv[1]), checkpoint_every_steps=2, compiled=False,
               progress=lambda done, total, note="": print(done, flush=True))
"""


@pytest.mark.slow
def test_second_reading_starts_from_the_first_and_survives_a_kill(tmp_path: Path) -> None:
    build("nano", tmp_path / "whole", script=READ_AGAIN)
    record = json.loads((tmp_path / "whole" / "training.json").read_text())
    second = record["second_reading"]
    assert 0 < second["steps"] < record["steps"]
    assert 0 < second["tokens"] < record["tokens"]
    numbers = [step for step, _ in record["losses"]]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] <= record["steps"]
    once = record["steps"] - second["steps"]
    build("nano", tmp_path / "killed", kill_after=once + 3, script=READ_AGAIN)
    assert not (tmp_path / "killed").exists()
    build("nano", tmp_path / "killed", script=READ_AGAIN)
    whole, killed = hash_folder(tmp_path / "whole"), hash_folder(tmp_path / "killed")
    del whole["training.json"], killed["training.json"]
    assert whole == killed
    # the drop of the loss at the start of training does not come again
    losses = dict(record["losses"])
    first = [losses[step] for step in numbers if step <= once]
    again = [losses[step] for step in numbers if step > once]
    assert max(again) < sum(first) / len(first)


def test_checkpoints_of_other_settings_are_refused(tmp_path: Path) -> None:
    work = tmp_path / ".nano.pretraining"
    work.mkdir()
    (work / "settings.json").write_text('{"seed": 5}')
    with pytest.raises(ModelError, match="other settings"):
        pretrain.build("nano", tmp_path / "nano", documents=100, compiled=False)


def test_checkpoints_that_would_break_the_loss_curve_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="multiple of 25"):
        pretrain.build("nano", tmp_path / "nano", checkpoint_every_steps=30)


@pytest.mark.parametrize("name", zoo.MEMBERS)
def test_untrained_member_knows_nothing(name: str) -> None:
    member = zoo.MEMBERS[name]
    vocabulary = tokenizer.RECIPES[member.tokenizer].vocabulary
    model = new_model(member, vocabulary, seed=1)
    ids = torch.arange(100, 164)[None]
    with torch.no_grad():
        loss = float(model(input_ids=ids, labels=ids).loss)
    assert loss == pytest.approx(math.log(vocabulary), rel=0.15)


@pytest.mark.parametrize("name", [name for name, member in zoo.MEMBERS.items() if member.architecture == "llama"])
def test_heads_that_look_back_and_up_do_so_from_the_start(name: str) -> None:
    """Random tokens, twice over: the first two heads attend one and two places back; in the layer above, the first
    head of each of the first two key-value groups attends to what followed the token, and the pair, the first time."""
    member, half = zoo.MEMBERS[name], 30
    model = new_model(member, 1024, seed=1)
    model.set_attn_implementation("eager")
    once = torch.randperm(700, generator=torch.Generator().manual_seed(0))[:half] + 300
    with torch.no_grad():
        below, above, *_ = model(torch.cat([once, once])[None], output_attentions=True).attentions
    assert below[0, 0].diagonal(-1).mean() > 0.8
    assert below[0, 1].diagonal(-2).mean() > 0.8
    found = [float(head.diagonal(1 - half)[2:].mean()) for head in above[0]]
    group = member.heads // member.key_value_heads
    if member.key_value_heads > 1:
        assert found[0] > 0.4
        assert found[group] > 0.4
    else:
        assert max(found) < 0.1


@pytest.mark.parametrize("name", ["nano", "neox"])
def test_packed_loss_is_that_of_documents_run_alone(name: str) -> None:
    """Against the plain way: each document by itself, without mask or positions, cross-entropy by hand."""
    member = zoo.MEMBERS[name]
    tok = tokenizer.train(1, 200, member.tokenizer)
    texts = Steps(tok, 1, 500, 1024).encode(500, 530)
    model = new_model(member, len(tok), seed=1).eval()
    by_itself, counted = 0.0, 0
    with torch.no_grad():
        for ids, counts in texts:
            chances = model(input_ids=torch.tensor([ids])).logits[0].log_softmax(-1)
            by_itself -= sum(float(chances[place - 1, ids[place]]) for place in range(1, len(ids)) if counts[place])
            counted += sum(counts)
        model.set_attn_implementation("eager")
        (parts,) = pack(texts, (40, 4), 1, tok.pad_token_id)
        packed = sum(float(pretrain.summed_loss(model, **part)) for part in parts)
    assert sum(int((part["labels"] != -100).sum()) for part in parts) == counted
    assert packed == pytest.approx(by_itself, rel=1e-4)


def test_step_returns_the_mean_over_all_counted_tokens_and_its_gradient(tmp_path: Path) -> None:
    member = zoo.MEMBERS["nano"]
    tok = tokenizer.train(1, 200)
    model = new_model(member, len(tok), 1)
    trainer = pretrain._trainer(model, member, Steps(tok, 1, 500, 1024), tmp_path, 1, silent, 1, compiled=False)
    parts = trainer.train_dataset[0]
    assert [part["input_ids"].shape[1] for part in parts] == list(WIDTHS)
    loss = float(trainer.training_step(trainer.model, parts))
    got = trainer.model.model.embed_tokens.weight.grad.clone()
    trainer.model.zero_grad()
    counted = sum(int((part["labels"] != -100).sum()) for part in parts)
    with torch.autocast("cpu", torch.bfloat16):
        plain = sum(pretrain.summed_loss(trainer.model, **part) for part in parts) / counted
    plain.backward()
    assert loss == pytest.approx(plain.item(), rel=1e-5)
    want = trainer.model.model.embed_tokens.weight.grad
    assert float((got - want).norm() / want.norm()) < 0.01
