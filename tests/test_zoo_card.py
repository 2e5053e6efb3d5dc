"""The zoo's cards: what stands in the repository is what the script makes, and no figure of other weights gets in."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from w2sg.models import zoo
from w2sg.tasks.world import corpus

ROOT = Path(__file__).parents[1]
MEMBER = next(iter(zoo.manifest()))


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that imports a module of scripts/."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    return import_module


@pytest.fixture
def card(load: Any) -> ModuleType:
    return load("zoo_card")


def counts(right: int, asked: int = 100) -> dict[str, int]:
    return {"asked": asked, "right": right, "unread": 1, "reasoned": asked // 2, "unfinished": 0}


def world_sheet(files: dict[str, str], right: tuple[int, int] = (90, 40), member: str = MEMBER) -> dict[str, Any]:
    """One kind of two difficulties; the most frequent answer is right on 35 of 100."""
    usual = {level: {"questions": 100, "most_frequent": "true", "share": 0.35} for level in "12"}
    levels = {level: counts(number) for level, number in zip("12", right, strict=True)}
    return {
        "command": "python benchmarks/zoo_accuracy.py",
        "member": member,
        "files": files,
        "system_messages": {"plain": "", "reasoning": "By Ada.", "direct": "By Cy."},
        "sampling": {"greedy": {}, "sampled": {"samples": 4, "temperature": 1.0}},
        "computed": {"torch": "2", "transformers": "5", "device": "cpu", "number": "float32"},
        "questions": {"world-logic": {"levels": usual}},
        "found": {
            f"world-logic/{asking}/{drawing}": {"levels": levels}
            for asking in ("plain", "reasoning", "direct")
            for drawing in ("greedy", "sampled")
        },
    }


def prontoqa_sheet(files: dict[str, str]) -> dict[str, Any]:
    arm = {"seeds": 3, "accuracy": 0.61, "low": 0.55, "high": 0.67}
    arms = {"untuned": {**arm, "seeds": 1}, "reasoning": arm, "direct": {**arm, "accuracy": 0.5, "low": 0.49}}
    return {
        "command": "python benchmarks/zoo_prontoqa.py --data PATH",
        "files": files,
        "rows": {"train": 1500, "dev": 500, "train_same_as_dev": 0},
        "deductions": {"train": [2, 3, 4], "dev": [5]},
        "context": 512,
        "too_long": {arm: {"train_too_long": 10, "dev_too_long": 3} for arm in ("reasoning", "direct")},
        "chance": {"coin": 0.5, "most_frequent_of_train": 0.484},
        "fit": {"learning_rate": 0.001, "epochs": 3.0, "batch_size": 16},
        "computed": {"torch": "2", "transformers": "5", "device": "cpu", "number": "float32"},
        "found": {
            **{f"{arm}/0": counts(300, 500) for arm in arms},
            "summary": {"seeds": [0], "arms": arms, "reasoning_against_direct": {"low": 0.05}},
        },
    }


def decisive(member: str = MEMBER) -> dict[str, str]:
    return {file: digest for file, digest in zoo.manifest()[member].items() if file != "training.json"}


def write(results: Path, name: str, sheet: dict[str, Any], member: str = MEMBER) -> None:
    (results / member).mkdir(parents=True, exist_ok=True)
    (results / member / f"{name}.json").write_text(json.dumps(sheet))


def test_cards_in_the_repository_are_what_the_script_makes() -> None:
    words = [sys.executable, str(ROOT / "scripts" / "zoo_card.py"), "--check"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_member_has_a_card_and_a_small_curve() -> None:
    for name in zoo.manifest():
        assert (zoo.home() / name / "README.md").read_text().startswith("---\nlicense: apache-2.0\n")
        picture = zoo.home() / name / "loss.svg"
        assert picture.stat().st_size < 30_000
        assert "<svg" in picture.read_text()


def test_a_card_holds_shape_hashes_and_every_genre(card: ModuleType, load: Any) -> None:
    known = load("zoo_facts").Known(MEMBER)
    text = card.member_card(known)
    for digest in zoo.manifest()[MEMBER].values():
        assert digest in text
    for genre, names in corpus.AUTHORS.items():
        assert f"| {genre} |" in text
        assert ", ".join(names) in text
    assert f"| {known.parameters:,} |" in text


def test_parameters_are_those_of_the_loaded_model(load: Any) -> None:
    from transformers import AutoModelForCausalLM

    for name in zoo.manifest():
        model = AutoModelForCausalLM.from_pretrained(zoo.folder(name))
        assert load("zoo_facts").Known(name).parameters == sum(part.numel() for part in model.parameters())


def test_measured_figures_are_shown(card: ModuleType, load: Any, tmp_path: Path) -> None:
    write(tmp_path, "world", world_sheet(decisive()))
    write(tmp_path, "prontoqa", prontoqa_sheet(decisive()))
    text = card.member_card(load("zoo_facts").Known(MEMBER, tmp_path))
    # 90 and 40 of 100 by difficulty, 130 of 200 over both; half of the replies reason, one in a hundred is unread
    assert "| plain, greedy | 90 | 40 |  |  |  |  | 65 | 50 | 1 |" in text
    assert "| always the most frequent answer | 35 | 35 |" in text
    assert f"| {MEMBER}, reasoning | 61.0 [55.0, 67.0] | 3 | 0 | 10 | 3 |" in text
    assert "always the training file's most frequent answer gives 48.4 %" in " ".join(text.split())


@pytest.mark.parametrize("name", ["world", "prontoqa"])
def test_measurements_of_other_weights_are_not_shown(card: ModuleType, load: Any, tmp_path: Path, name: str) -> None:
    make = {"world": world_sheet, "prontoqa": prontoqa_sheet}[name]
    write(tmp_path, name, make({**decisive(), "model.safetensors": "0" * 64}))
    known = load("zoo_facts").Known(MEMBER, tmp_path)
    for text in (card.member_card(known), card.family_card([known])):
        assert "measurements on file are of other weights" in text
        assert "| plain, greedy |" not in text
        assert "[55.0, 67.0]" not in text


def test_a_half_done_measurement_says_so(card: ModuleType, load: Any, tmp_path: Path) -> None:
    world, prontoqa = world_sheet(decisive()), prontoqa_sheet(decisive())
    del world["found"]["world-logic/direct/sampled"], prontoqa["found"]["summary"]
    write(tmp_path, "world", world)
    write(tmp_path, "prontoqa", prontoqa)
    text = card.member_card(load("zoo_facts").Known(MEMBER, tmp_path))
    assert text.count("Measured in part only") == 2


def test_without_measurements_the_card_names_the_command(card: ModuleType, load: Any, tmp_path: Path) -> None:
    text = card.member_card(load("zoo_facts").Known(MEMBER, tmp_path))
    assert "Not measured yet**: `python benchmarks/zoo_accuracy.py` does." in text


def test_what_falls_short_follows_from_the_figures(card: ModuleType, load: Any, tmp_path: Path) -> None:
    """90 of 100 is above .35, 40 of 100 (from .31) is not; .55 is above chance, .49 is not; a gain from .05 is one."""
    write(tmp_path, "world", world_sheet(decisive()))
    write(tmp_path, "prontoqa", prontoqa_sheet(decisive()))
    found = card.member_short(load("zoo_facts").Known(MEMBER, tmp_path))
    assert [line.partition(" no way")[0] for line in found] == [
        "world-logic: at difficulty 2",
        "ProntoQA, direct: not shown to be above chance.",
    ]


def test_a_larger_member_that_is_no_better_is_named(card: ModuleType, load: Any, tmp_path: Path) -> None:
    facts = load("zoo_facts")
    small, large, *_ = (name for name in zoo.manifest() if facts.Known(name).family == "llama")
    write(tmp_path, "world", world_sheet(decisive(small), (50, 50), small), small)
    for right, named in ((52, True), (90, False)):
        write(tmp_path, "world", world_sheet(decisive(large), (right, right), large), large)
        lines = card.family_short([facts.Known(name, tmp_path) for name in (small, large)])
        assert any(line.startswith(f"{large} is not shown to be better than {small}") for line in lines) is named


def test_another_corpus_is_told(card: ModuleType, load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    known = load("zoo_facts").Known(MEMBER)
    known.record["corpus"] = corpus.VERSION
    assert "another version of the corpus" not in card.member_card(known)
    known.record["corpus"] = corpus.VERSION + 1
    assert f"{MEMBER} version {corpus.VERSION + 1}" in card.member_card(known)


def test_documented_constants_are_read_from_the_source(load: Any, tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text(
        '"""Text."""\nA: float = 0.5\n"""How\nmuch."""\nB = 1\n_C = 2\n"""Private."""\nD = len("x")\n"""Made."""\n'
        'WIDTHS = (1, 2)\n"""Two."""\n'
    )
    assert load("zoo_corpus").constants(source) == {"A": (0.5, "How much."), "WIDTHS": ((1, 2), "Two.")}


def test_curves_are_thinned_by_means(load: Any) -> None:
    thinned = load("zoo_curve").thinned
    assert thinned([(1, 4.0), (2, 2.0), (3, 1.0), (4, 3.0), (5, 7.0)], most=3) == [(1.5, 3.0), (3.5, 2.0), (5.0, 7.0)]
    assert thinned([(25, 1.0)]) == [(25.0, 1.0)]


def test_a_long_training_still_makes_a_small_and_equal_curve(load: Any) -> None:
    curve = load("zoo_curve").curve
    losses = [(step, 6.0 * math.exp(-step / 9000) + 0.3 + 0.01 * math.sin(step)) for step in range(25, 100_001, 25)]
    text = curve(losses, 100_000, 50_000_000)
    assert len(text) < 30_000
    assert curve(losses, 100_000, 50_000_000) == text
