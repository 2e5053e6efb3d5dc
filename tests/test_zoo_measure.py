"""The zoo's measurements: sheets continue and begin anew, replies are counted rightly, ProntoQA is told honestly."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from w2sg import tasks
from w2sg.decode.config import SamplingConfig
from w2sg.models import zoo
from w2sg.models.base import RuntimeConfig
from w2sg.models.scripted import ScriptedModel
from w2sg.records import Example, Gold, Target, TaskRow, ask

ROOT = Path(__file__).parents[1]
MEMBER = next(iter(zoo.manifest()))


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that imports a module of benchmarks/."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return import_module


def test_a_sheet_continues_while_its_head_holds_and_begins_anew_otherwise(load: Any, tmp_path: Path) -> None:
    sheet, path = load("zoo_measure").Sheet, tmp_path / "m" / "world.json"
    first = sheet(path, {"files": {"a": "1"}, "seeds": (0, 1)})
    first.add("maths", {"right": 3})
    again = sheet(path, {"files": {"a": "1"}, "seeds": (0, 1)})
    assert again.found == {"maths": {"right": 3}}
    assert "maths" in again
    other = sheet(path, {"files": {"a": "2"}, "seeds": (0, 1)})
    assert "maths" not in other
    other.add("logic", {"right": 1})
    assert json.loads(path.read_text())["found"] == {"logic": {"right": 1}}


def test_replies_are_graded_and_counted(load: Any) -> None:
    """Right after reasoning, wrong at once, and unreadable, which is wrong and stays among those asked."""
    said = {"Q1?": "So it is.\nAnswer: 4", "Q2?": "Answer: 7", "Q3?": "I would rather not say."}
    task = tasks.build(tasks.task_config("world-maths"))
    rows = [TaskRow(Example(name, f"{name}?", difficulty=1.0), Gold(name, "4")) for name in ("Q1", "Q2", "Q3")]
    measure, runtime = load("zoo_measure"), RuntimeConfig()
    found = measure.replies(ScriptedModel(said.get), task, rows, SamplingConfig(), seed=0, runtime=runtime)
    assert [(reply.correct, reply.parsed, reply.reasoned) for reply in found] == [
        (True, True, True),
        (False, True, False),
        (False, False, False),
    ]
    assert measure.counts(found) == {"asked": 3, "right": 1, "unread": 1, "reasoned": 1, "unfinished": 0}
    assert measure.counts([]) == dict.fromkeys(measure.counts(found), 0)


def test_the_members_files_are_those_of_the_manifest_without_the_training_record(load: Any) -> None:
    found = load("zoo_measure").files(MEMBER)
    assert {**found, "training.json": zoo.manifest()[MEMBER]["training.json"]} == zoo.manifest()[MEMBER]


def test_every_difficulty_gets_its_questions(load: Any) -> None:
    accuracy = load("zoo_accuracy")
    for kind, levels in (("world-knowledge", 3), ("world-maths", 6), ("world-logic", 6)):
        _, rows = accuracy.questions(kind, 3)
        by_level = accuracy.by_difficulty(rows)
        assert {level: len(some) for level, some in by_level.items()} == {str(n): 3 for n in range(1, levels + 1)}


@pytest.mark.slow
def test_a_measurement_is_whole_resumable_and_fit_for_the_card(
    load: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [sys.executable, str(ROOT / "benchmarks" / "zoo_accuracy.py"), "--members", MEMBER, "--per-difficulty", "2"]
    words += ["--out", str(tmp_path)]
    first = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert len(first.splitlines()) == 18
    path = tmp_path / MEMBER / "world.json"
    sheet = json.loads(path.read_text())
    name = "world-maths/reasoning/sampled"
    level = sheet["found"][name]["levels"]["1"]
    assert level["asked"] == 8
    del sheet["found"][name]
    path.write_text(json.dumps(sheet))
    second = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert re.match(rf"{MEMBER} +world-maths +reasoning +sampled", second)
    assert len(second.splitlines()) == 1
    again = json.loads(path.read_text())["found"][name]["levels"]["1"]
    assert again == level, "the same question and sample give the same reply"
    monkeypatch.syspath_prepend(ROOT / "scripts")
    assert import_module("zoo_facts").Known(MEMBER, tmp_path).world.usable


def prontoqa_rows(names: str, steps: int) -> list[dict[str, Any]]:
    return [
        {
            "id": f"P_{name}",
            "context": f"Every {name} is red. {name.title()} is a {name}.",
            "question": f"Is it true or false? {name.title()} is red.",
            "answer": "A" if place % 2 else "B",
            "explanation": [f"{name.title()} is a {name}."] + [f"Every {name} is red.", f"{name} is red."] * steps,
        }
        for place, name in enumerate(names.split())
    ]


def test_prontoqa_trains_on_one_file_and_asks_the_other(load: Any, tmp_path: Path) -> None:
    """A training row that asks what a dev row asks is left out and counted."""
    train, dev = prontoqa_rows("wug zug pug", 2), prontoqa_rows("tum yum", 5)
    (tmp_path / "train.json").write_text(json.dumps([*train, {**dev[0], "id": "P_copy"}]))
    (tmp_path / "dev.json").write_text(json.dumps(dev))
    script = load("zoo_prontoqa")
    data = script.Data.read(tmp_path)
    assert sorted(row.example.id.split("_")[-1] for row in data.train) == ["pug", "wug", "zug"]
    assert [row.example.id.split("_")[-1] for row in data.dev] == ["tum", "yum"]
    assert data.like_dev == 1
    assert script.difficulties(data.train) == [2]
    assert script.difficulties(data.dev) == [5]
    with_reasons, at_once = (data.targets(data.dev[:1], reasoning)[0] for reasoning in (True, False))
    assert with_reasons.response.startswith("Tum is a tum.")
    assert with_reasons.response.endswith("\nAnswer: false")
    assert at_once.response == "Answer: false"
    assert "step by step" not in at_once.prompt[0].content


def test_a_text_fits_up_to_the_last_place_of_the_context(load: Any) -> None:
    fits = load("zoo_prontoqa").fits
    target = Target("t", ask("abc"), "de")
    for room, expected in ((5, True), (4, False)):
        model = SimpleNamespace(prompt_ids=lambda prompt: list(prompt[0].content), response_ids=list, max_length=room)
        assert fits(model, target) is expected


def test_prontoqa_is_summed_up_over_seeds(load: Any) -> None:
    """Reasoning right on 3 and 4 of 4, answers on 2 and 2: .875 against .5, by .375."""
    outcomes = {"reasoning/0": "1110", "reasoning/1": "1111", "direct/0": "1100", "direct/1": "1010"}
    found = {name: {"outcomes": marks} for name, marks in {**outcomes, "untuned/0": "0000"}.items()}
    summary = load("zoo_prontoqa").summary(found, [0, 1])
    assert summary["arms"]["reasoning"]["accuracy"] == 0.875
    assert summary["arms"]["direct"]["accuracy"] == 0.5
    assert summary["arms"]["untuned"]["accuracy"] == 0.0
    assert [summary["arms"][arm]["seeds"] for arm in ("untuned", "reasoning", "direct")] == [1, 2, 2]
    assert summary["reasoning_against_direct"]["difference"] == 0.375
    assert all(arm["low"] <= arm["accuracy"] <= arm["high"] for arm in summary["arms"].values())


def test_outcomes_stand_in_the_order_of_the_ids(load: Any) -> None:
    script, measure = load("zoo_prontoqa"), load("zoo_measure")

    def reply(name: str, correct: bool) -> Any:
        return measure.Reply(TaskRow(Example(name, "?"), None), correct, True, False, True, 3)

    assert script.judged([reply("b", True), reply("a", False)])["outcomes"] == "01"
