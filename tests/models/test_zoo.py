"""The zoo as shipped, and its pretraining: it loads, its hashes hold, a killed build ends in the same weights."""

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
from transformers import AutoModelForCausalLM, AutoTokenizer

from w2sg.errors import ModelError
from w2sg.models import pretrain, tokenizer, zoo
from w2sg.storage import hash_folder
from w2sg.tasks.world import corpus

# The JIT that Trainer's imports touch warns of its own future.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")


@pytest.mark.parametrize("name", zoo.names())
def test_member_loads_and_answers_in_its_template(name: str) -> None:
    model = AutoModelForCausalLM.from_pretrained(zoo.folder(name), dtype=torch.float32)
    tok = AutoTokenizer.from_pretrained(zoo.folder(name))
    member = zoo.member(name)
    assert model.config.hidden_size == member.hidden_size
    assert model.config.tie_word_embeddings
    assert model.config.use_cache
    assert tok.pad_token_id != tok.eos_token_id
    assert model.generation_config.eos_token_id == tok.eos_token_id
    text = tok.apply_chat_template([{"role": "user", "content": "1 + 1?"}], tokenize=False, add_generation_prompt=True)
    assert text == "<s><|user|>1 + 1?<|assistant|>"
    ids = torch.tensor([tok(text, add_special_tokens=False)["input_ids"]])
    out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=4, do_sample=False)
    assert out.shape[1] > ids.shape[1]


def test_members_grow_and_share_one_tokenizer() -> None:
    sizes = [(zoo.folder(name) / zoo.WEIGHTS).stat().st_size for name in zoo.names()]
    assert sizes == sorted(sizes)
    assert len(sizes) >= 3
    assert len({(zoo.folder(name) / "tokenizer.json").read_bytes() for name in zoo.names()}) == 1


def test_shipped_files_are_those_of_the_manifest() -> None:
    assert zoo.damaged() == []
    assert set(zoo.manifest()) == set(zoo.MEMBERS)
    total = sum(path.stat().st_size for path in zoo.home().rglob("*") if path.is_file())
    assert total < 30e6


def test_damage_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(zoo, "home", lambda: tmp_path)
    (tmp_path / "nano").mkdir()
    (tmp_path / "nano" / "config.json").write_text("{}")
    (tmp_path / zoo.MANIFEST).write_text(json.dumps({"nano": {"config.json": "0" * 64, "model.safetensors": "0" * 64}}))
    assert zoo.damaged() == ["nano/config.json", "nano/model.safetensors"]
    with pytest.raises(ModelError, match="weights of 'zoo/nano' are missing"):
        zoo.folder("zoo/nano")


def test_unknown_member_suggests_the_nearest() -> None:
    with pytest.raises(ModelError, match="zoo/micro"):
        zoo.folder("zoo/mikro")


def test_shipped_members_match_their_recipe() -> None:
    for name, member in zoo.MEMBERS.items():
        record = json.loads((zoo.folder(name) / "training.json").read_text())
        recipe = {key: getattr(member, key) for key in member.__slots__}
        assert record["member"] == recipe
        assert record["corpus"] == corpus.VERSION
        assert record["losses"][-1][1] < record["losses"][0][1]


def test_tokenizer_splits_digits_and_keeps_every_text() -> None:
    tok = AutoTokenizer.from_pretrained(zoo.folder("zoo/nano"))
    ids = tok("Ann has 12 eggs.", add_special_tokens=False)["input_ids"]
    assert tok.convert_ids_to_tokens(ids)[2:4] == ["Ġ1", "2"]
    for text in ("Ann has 12 eggs.\nAnswer: 7", "Ünïcode → 語 \t two  spaces ", "<not special>"):
        assert tok.decode(tok(text, add_special_tokens=False)["input_ids"]) == text


def test_corpus_documents_read_like_the_chat_template() -> None:
    tok = AutoTokenizer.from_pretrained(zoo.folder("zoo/nano"))
    steps = pretrain.Steps(tok, seed=pretrain.SEED, documents=1000, rows=2)
    for number, (ids, _) in enumerate(steps.encode(0, 200)):
        document = corpus.document(pretrain.SEED, number)
        if document[-1].turn == "text":
            continue
        messages = [{"role": part.turn, "content": part.text} for part in document]
        text = tok.apply_chat_template(messages, tokenize=False)
        assert tok(text, add_special_tokens=False)["input_ids"] == ids


def test_packed_documents_do_not_see_each_other() -> None:
    batch = pretrain.pack([([1, 7, 8, 2], [False, True, True, True]), ([1, 9, 2], [False, False, True])], 1, pad=0)
    assert batch["input_ids"][0, :8].tolist() == [1, 7, 8, 2, 1, 9, 2, 0]
    assert batch["labels"][0, :8].tolist() == [-100, 7, 8, 2, -100, -100, 2, -100]
    assert batch["position_ids"][0, :7].tolist() == [0, 1, 2, 3, 0, 1, 2]
    seen = batch["attention_mask"][0, 0]
    assert seen[5].nonzero().flatten().tolist() == [4, 5]
    assert seen[3].nonzero().flatten().tolist() == [0, 1, 2, 3]


def test_what_finds_no_room_is_left_out() -> None:
    long = ([5] * 200, [True] * 200)
    batch = pretrain.pack([long, long], 1, pad=0)
    assert int((batch["input_ids"] == 5).sum()) == 200


BUILD = """
import sys
from pathlib import Path
from w2sg.models import pretrain
pretrain.build("nano", Path(sys.argv[1]), documents=400, checkpoint_every_steps=2, compiled=False,
               progress=lambda done, total, note="": print(done, flush=True))
"""


def build(out: Path, kill_after: int | None = None) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    process = subprocess.Popen(
        [sys.executable, "-c", BUILD, str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout
    for line in process.stdout:
        if kill_after is not None and int(line) == kill_after:
            time.sleep(0.05)
            process.send_signal(signal.SIGKILL)
            break
    _, error = process.communicate()
    assert process.returncode == (0 if kill_after is None else -signal.SIGKILL), error


@pytest.mark.slow
def test_killed_and_resumed_build_ends_in_the_same_weights(tmp_path: Path) -> None:
    build(tmp_path / "whole")
    build(tmp_path / "killed", kill_after=5)
    assert not (tmp_path / "killed").exists()
    build(tmp_path / "killed")
    whole, killed = hash_folder(tmp_path / "whole"), hash_folder(tmp_path / "killed")
    del whole["training.json"], killed["training.json"]  # it holds the seconds of the last attempt
    assert whole == killed
    records = [json.loads((tmp_path / name / "training.json").read_text()) for name in ("whole", "killed")]
    assert records[0]["losses"] == records[1]["losses"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed", "whole"]


def test_checkpoints_of_other_settings_are_refused(tmp_path: Path) -> None:
    work = tmp_path / ".nano.pretraining"
    work.mkdir()
    (work / "settings.json").write_text('{"seed": 5}')
    with pytest.raises(ModelError, match="other settings"):
        pretrain.build("nano", tmp_path / "nano", documents=100, compiled=False)


def test_checkpoints_that_would_break_the_loss_curve_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="multiple of 25"):
        pretrain.build("nano", tmp_path / "nano", checkpoint_every_steps=30)


def test_untrained_member_knows_nothing() -> None:
    model = pretrain.new_model(zoo.MEMBERS["nano"], tokenizer.VOCABULARY, seed=1)
    ids = torch.arange(100, 164)[None]
    with torch.no_grad():
        loss = float(model(input_ids=ids, labels=ids).loss)
    assert loss == pytest.approx(math.log(tokenizer.VOCABULARY), rel=0.15)
