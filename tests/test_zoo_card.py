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
READER = next(name for name, member in zoo.MEMBERS.items() if member.reading)


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


def counts_sheet(files: dict[str, str], first: float = 0.8, beside: float = 0.05) -> dict[str, Any]:
    """The wrong answer given often is followed by `first` or 0.9 of the replies, given rarely by 0.1 of them."""
    values = {"often/first": first, "often/last": 0.9, "rarely/first": 0.1, "rarely/last": 0.1}
    values |= {"demonstration/16": 0.2 + beside, "demonstration/2": 0.2}
    cells: dict[str, Any] = {name: {"value": value, "low": 0.0, "high": 1.0} for name, value in values.items()}
    for more, fewer in (("often/first", "rarely/first"), ("often/last", "rarely/last")):
        gain = values[more] - values[fewer]
        cells[f"{more} - {fewer}"] = {"difference": gain, "low": gain - 0.1, "high": gain + 0.1}
    cells["demonstration/16 - demonstration/2"] = {"difference": beside, "low": -0.01, "high": 0.5}
    kinds = ("world-knowledge", "world-maths", "world-logic")
    return {
        "command": "python benchmarks/zoo_counts.py --questions 200",
        "files": files,
        "votes": {"of": 16, "often": 14, "rarely": 2},
        "computed": {"torch": "2", "transformers": "5", "device": "cpu", "number": "float32"},
        "found": {kind: {"questions": 200, **cells} for kind in kinds},
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
    for genre in corpus.MIXTURE:
        assert f"| {genre} |" in text
        assert ", ".join(corpus.AUTHORS[genre]) in text
    assert f"| {known.parameters:,} |" in text


def test_only_readers_have_a_second_reading(card: ModuleType, load: Any) -> None:
    plain, reader = (load("zoo_facts").Known(name) for name in (MEMBER, READER))
    number = zoo.MEMBERS[READER].reading
    for text in (card.member_card(reader), card.family_card([plain, reader])):
        for genre in corpus.READING_MIXTURE:
            assert f"| {genre} |" in text
        assert f"(documents: {READER} {number:,}), from document {corpus.READING:,}" in " ".join(text.split())
        assert "at 0.5 of the member's learning rate" in " ".join(text.split())
        assert "| one whole solution and how often each answer was given | 50 | 35 |" in text
    text = card.member_card(plain)
    assert "tally" not in text.lower()
    assert "second reading" not in text.lower()
    assert f"{MEMBER} {number:,}" not in card.family_card([plain, reader])


def test_losses_are_told_by_reading(card: ModuleType, load: Any) -> None:
    known = load("zoo_facts").Known(READER)
    known.record |= {"steps": 100, "second_reading": {"steps": 40, "tokens": 1, "seconds": 1.0}}
    known.losses = [(25, 5.0), (60, 1.0), (85, 2.0), (100, 0.5)]
    assert known.readings == [[(25, 5.0), (60, 1.0)], [(85, 2.0), (100, 0.5)]]
    assert "| 5.00 to 1.00; 2.00 to 0.50 |" in card.shapes([known])
    del known.record["second_reading"]
    assert "| 5.00 to 0.50 |" in card.shapes([known])


def test_direct_answers_among_unnamed_questions(load: Any) -> None:
    """Of 0.09 direct, 0.04 worked and 0.07 careless documents without a name the first are direct: 45 %."""
    share = load("zoo_corpus").answered_directly
    assert share({"direct": 0.1, "worked": 0.1, "careless": 0.1}) == pytest.approx(0.09 / 0.2)
    assert share({"direct": 0.1, "worked": 0.0, "careless": 0.0}) == 1


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
    known.record["corpus"] = corpus.ORDINARY_VERSION
    assert "another version of the corpus" not in card.member_card(known)
    known.record["corpus"] = corpus.ORDINARY_VERSION - 1
    assert f"{MEMBER} version {corpus.ORDINARY_VERSION - 1}" in card.member_card(known)
    reader = load("zoo_facts").Known(READER)
    assert "another version of the corpus" not in card.member_card(reader)
    reader.record["corpus"] = corpus.ORDINARY_VERSION
    assert f"{READER} version {corpus.ORDINARY_VERSION}" in card.member_card(reader)


def test_how_counts_are_heard_follows_from_the_figures(card: ModuleType, load: Any, tmp_path: Path) -> None:
    """Often instead of rarely: .8 - .1 and .9 - .1; the place: .8 - .9."""
    known = load("zoo_facts").Known
    write(tmp_path, "counts", counts_sheet(decisive(READER)), READER)
    text = " ".join(card.member_card(known(READER, tmp_path)).split())
    assert "| world-maths, " + READER + " | 80 | 90 | 10 | 10 | 25 | 20 | +5.0 [−1.0 to +50.0] |" in text
    assert "counts are read wherever they stand" in text
    assert "+70.0 to +80.0 points" in text
    assert f"{READER} −10.0" in text
    assert text.count("Beside a demonstration counts and doubt hardly change anything") == 2
    write(tmp_path, "counts", counts_sheet(decisive(READER), first=0.2, beside=0.4), READER)
    text = card.member_card(known(READER, tmp_path))
    assert "counts are not shown to be read" in text
    assert "are heard in part" in text


@pytest.mark.parametrize("spoilt", ["other", "part", "none"])
def test_counts_that_do_not_belong_are_not_shown(card: ModuleType, load: Any, tmp_path: Path, spoilt: str) -> None:
    sheet = counts_sheet({**decisive(READER), **({"model.safetensors": "0" * 64} if spoilt == "other" else {})})
    if spoilt == "part":
        del sheet["found"]["world-logic"]
    if spoilt != "none":
        write(tmp_path, "counts", sheet, READER)
    text = card.member_card(load("zoo_facts").Known(READER, tmp_path))
    assert "python benchmarks/zoo_counts.py" in text
    assert "Beside a demonstration" not in text


def test_what_the_criteria_do_not_say(load: Any) -> None:
    def figure(name: str, value: float, wanted: str = "", status: str | None = None) -> dict[str, Any]:
        ends = {"value": value, "low": value - 0.1, "high": value + 0.1}
        return {"name": name, "unit": "points", **ends, "basis": "", "wanted": wanted, "status": status}

    def kind(task: str, ood: float, other: float, teacher: float) -> dict[str, Any]:
        found = [figure("imitation − teacher", 0.02, "> 0", "met, interval not" if ood < 0 else "met, interval clear")]
        found += [figure("imitation − teacher on ood", ood), figure("right with another question's", other)]
        found += [figure("untuned right on transfer", 0.5)]
        arms = {
            ("teacher", "all"): teacher,
            ("untuned", "all"): 0.4,
            ("imitation", "ood"): 0.3,
            ("untuned", "ood"): 0.2,
        }
        accuracy = [{"arm": arm, "stratum": stratum, "value": value} for (arm, stratum), value in arms.items()]
        return {"task": task, "criteria": [{"figures": found}], "accuracy": accuracy}

    found = load("zoo_criteria").behind([kind("a", 0.1, 0.6, 0.3), kind("b", -0.05, 0.5, 0.4)])
    assert [line.rpartition(": ")[2] for line in found if "in: " in line] == [
        "b −5.0 [−15.0 to +5.0].",
        "a (30.0 % against 40.0 %).",
        "a (60.0 % against 50.0 %).",
    ]
    assert found[0] == "Met by the value alone, not by the whole interval: b: imitation − teacher +2.0 [−8.0 to +12.0]."
    assert len(found) == 4


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
