"""The zoo as shipped: it loads, answers in its template, its hashes hold, it is what its recipe says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from w2sg.errors import ModelError
from w2sg.models import zoo
from w2sg.models.tokenizer import RECIPES
from w2sg.tasks.world import corpus

# The JIT that Trainer's imports touch warns of its own future.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")


CHAT = {
    "turns": "<s><|user|>1 + 1?<|assistant|>",
    "marks": "<|startoftext|>### Question:\n1 + 1?\n### Answer:\n",
}


@pytest.mark.parametrize("name", zoo.names())
def test_member_loads_and_answers_in_its_template(name: str) -> None:
    model = AutoModelForCausalLM.from_pretrained(zoo.folder(name), dtype=torch.float32)
    tok = AutoTokenizer.from_pretrained(zoo.folder(name))
    member = zoo.member(name)
    assert model.config.hidden_size == member.hidden_size
    assert model.config.model_type == member.architecture
    assert model.config.use_cache
    assert "attn" not in (zoo.folder(name) / "config.json").read_text()
    assert tok.pad_token_id != tok.eos_token_id
    assert model.generation_config.eos_token_id == tok.eos_token_id
    text = tok.apply_chat_template([{"role": "user", "content": "1 + 1?"}], tokenize=False, add_generation_prompt=True)
    assert text == CHAT[member.tokenizer]
    ids = torch.tensor([tok(text, add_special_tokens=False)["input_ids"]])
    out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=4, do_sample=False)
    assert out.shape[1] > ids.shape[1]


def test_llama_members_grow_and_share_one_tokenizer() -> None:
    names = [name for name, member in zoo.MEMBERS.items() if member.architecture == "llama"]
    sizes = [(zoo.folder(name) / zoo.WEIGHTS).stat().st_size for name in names]
    assert sizes == sorted(sizes)
    assert len(sizes) >= 4
    assert len({(zoo.folder(name) / "tokenizer.json").read_bytes() for name in names}) == 1


def test_one_member_is_of_another_architecture_and_tokenizer() -> None:
    (other,) = [member for member in zoo.MEMBERS.values() if member.architecture != "llama"]
    tok = AutoTokenizer.from_pretrained(zoo.folder(other.name))
    assert len(tok) == RECIPES[other.tokenizer].vocabulary != len(AutoTokenizer.from_pretrained(zoo.folder("nano")))


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
        assert {"reading": 0, **record["member"]} == recipe
        assert ("second_reading" in record) == (member.reading > 0)
        read = (corpus.VERSION,) if member.reading else range(corpus.ORDINARY_VERSION, corpus.VERSION + 1)
        assert record["corpus"] in read
        assert record["losses"][-1][1] < record["losses"][0][1]
