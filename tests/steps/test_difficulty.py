"""Difficulty by a third model: no question is rated by a model that saw it; by options, by samples, by the command."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from w2sg.cli.difficulty import advice
from w2sg.cli.main import app
from w2sg.decode.choices import normalised, option_probabilities
from w2sg.errors import DataError
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.hf import LanguageModel
from w2sg.models.loading import load
from w2sg.models.scripted import ScriptedModel
from w2sg.records import ask
from w2sg.runs.plan import task_step
from w2sg.runs.runner import run_steps
from w2sg.runs.store import Store
from w2sg.steps.base import Step, with_ancestors
from w2sg.steps.difficulty import RATINGS, RatingConfig, difficulty_step, measure_of
from w2sg.steps.inputs import read_items, read_targets
from w2sg.steps.model import ModelRef
from w2sg.tasks import task_config
from w2sg.tasks.ratings import Ratings, read_ratings

CPU = RuntimeConfig(device="cpu")


SILENT = "scripted:scripted_world:mute"
"""Knows nothing but what it learnt by heart."""
WEAK = "scripted:scripted_world:weak"
"""Right seven times in ten on three questions in five, and never on the others."""
STRONG = "scripted:scripted_world:strong"


def write(folder: Path, choices: bool, count: int = 12) -> dict[str, Any]:
    rows = [
        {"id": f"q{n}", "question": f"What is {n} plus {n + 1}?", "answer": str(2 * n + 1)}
        if not choices
        else {"id": f"q{n}", "question": f"Colour {n}?", "choices": ["red", "blue", "green"], "answer": "B"}
        for n in range(count)
    ]
    path = folder / "gold.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {"kind": "file", "labelled": str(path), "split": {"near_duplicates": "exact"}}


def rated(task: dict[str, Any], store: Store, rater: str, **settings: Any) -> tuple[Step, Ratings]:
    model = ModelRef.of(ModelConfig(path=rater))
    step = difficulty_step(task_config(task), model, RatingConfig(**{"folds": 3, **settings}))
    run_steps(with_ancestors([step]), store, CPU, workers=1)
    return step, read_ratings(store.folder(step) / RATINGS)


@pytest.mark.parametrize("choices", [True, False])
def test_a_rater_that_learns_by_heart_never_rates_what_it_learnt(choices: bool, tmp_path: Path) -> None:
    """It gets everything right that it was trained on, so one leak would be a question of difficulty 0."""
    task, store = write(tmp_path, choices), Store(tmp_path / "store")
    step, found = rated(task, store, SILENT, samples=2)
    unseen = 2 / 3 if choices else 1.0  # of three options, none of which it would name, all are alike
    assert [one.difficulty for one in found.ratings] == pytest.approx([unseen] * 12)
    built = task_config(task).build()
    prompts = {row.example.id: ask(built.prompt(row.example)) for row in built.load()}
    for number, part in enumerate(sorted(step.parents)):
        folder = store.folder(step.parents[part])
        learnt = {target.id for target in read_targets(folder)}
        held = {one.id for one in found.ratings if one.fold == number}
        assert learnt | held == prompts.keys()
        assert not learnt & held
        model = load(ModelConfig(path=SILENT), CPU, folder / "model")
        assert isinstance(model, ScriptedModel)
        for target in read_targets(folder):  # what it learnt, it would have found easy
            assert model.distribution(prompts[target.id]) == {target.response: 1.0}


def test_free_answers_are_rated_by_their_share_of_wrong_samples(tmp_path: Path) -> None:
    task, store = write(tmp_path, choices=False), Store(tmp_path / "store")
    _, found = rated(task, store, WEAK, samples=200)
    model = load(ModelConfig(path=WEAK), CPU)
    assert isinstance(model, ScriptedModel)
    built = task_config(task).build()
    rows = sorted(built.load(), key=lambda row: row.example.id)
    chances = [
        math.fsum(
            chance
            for text, chance in model.distribution(ask(built.prompt(row.example))).items()
            if row.gold is not None and built.correct(built.parse(text, row.example), row.example, row.gold)
        )
        for row in rows
    ]
    assert found.measure == "samples"
    assert {0.0, 0.7} <= {round(chance, 6) for chance in chances}
    assert [1 - one.difficulty for one in found.ratings] == pytest.approx(chances, abs=0.12)


def test_probabilities_over_options_by_hand() -> None:
    assert normalised([math.log(0.1), math.log(0.3)]).tolist() == pytest.approx([0.25, 0.75])
    assert normalised([-2000.0, -2000.0]).tolist() == [0.5, 0.5]
    assert normalised([-math.inf, -5.0]).tolist() == [0.0, 1.0]
    assert normalised([-math.inf, -math.inf]).tolist() == [0.5, 0.5]


def test_options_of_a_language_model_are_scored_as_one_by_one() -> None:
    from w2sg.decode.score import score

    model = load(ModelConfig(path="zoo/nano"), CPU)
    assert isinstance(model, LanguageModel)
    questions = [(ask("Which is it?"), ["Answer: yes", "Answer: no idea"]), (ask("And now?"), ["a", "b c", "d"])]
    told: list[int] = []
    found = option_probabilities(model, questions, CPU, lambda done, *_: told.append(done))
    assert told == [2]
    for chances, (prompt, options) in zip(found, questions, strict=True):
        naive = np.exp([score(model, [(prompt, option)], CPU)[0].total for option in options])
        assert chances == pytest.approx(naive / naive.sum(), rel=1e-4)


def test_ratings_become_the_difficulty_of_a_task(tmp_path: Path) -> None:
    task, store = write(tmp_path, choices=False), Store(tmp_path / "store")
    step, found = rated(task, store, STRONG, samples=8)
    sizes = {"supervise": "rest", "validate": 0, "transfer": "rest", "transfer_from": "hard", "test_id": 1}
    split = {**sizes, "test_ood": 1, "easy_share": 0.5, "near_duplicates": "exact"}
    laid_out = task_step(task_config({**task, "difficulty_from": store.folder(step) / RATINGS, "split": split}))
    run_steps((laid_out,), store, CPU, workers=1)
    items = read_items(store.folder(laid_out), ("supervise", "transfer", "test"))
    known = {one.id: one.difficulty for one in found.ratings}
    assert all(item.example.difficulty == known[item.example.id] for item in items)
    easy = [known[item.example.id] for item in items if item.role == "supervise" or item.stratum == "id"]
    hard = [known[item.example.id] for item in items if item.role == "transfer" or item.stratum == "ood"]
    assert max(easy) < min(hard)
    notes = store.record(laid_out)["summary"]["notes"]
    assert "of scripted:scripted_world:strong, tuned on the other parts of 3 of the data" in notes[0]


def test_rows_with_and_without_options_are_not_rated_together(tmp_path: Path) -> None:
    choices, free = (
        task_config(write(tmp_path, kind)).build().load()[:3] for kind in (True, False)
    )  # each is read before the next is written
    assert (measure_of(choices), measure_of(free)) == ("options", "samples")
    with pytest.raises(DataError, match="Of 6 questions with gold 3 have options"):
        measure_of([*choices, *free])


def test_the_command(tmp_path: Path) -> None:
    """Rates, says what to do with the file, does nothing twice, and refuses what is not its own."""
    task, out = write(tmp_path, choices=False), tmp_path / "ratings.json"

    def run(*more: str) -> Any:
        rater = ["--rater", WEAK, "--store", str(tmp_path / "store")]
        return CliRunner().invoke(app, ["difficulty", task["labelled"], *rater, "--out", *more])

    first = run(str(out), "--folds", "3", "--set", "samples=4")
    assert first.exit_code == 0, first.output
    assert "12 ratings in" in first.output
    assert len({one.fold for one in read_ratings(out).ratings}) == 3
    before = out.read_bytes()
    assert run(str(out), "--folds", "3", "--set", "samples=4").exit_code == 0
    assert out.read_bytes() == before
    other = tmp_path / "notes.txt"
    other.write_text("mine")
    refused = run(str(other))
    assert (refused.exit_code, other.read_text()) == (2, "mine")
    assert "holds no ratings" in refused.output
    few = run(str(tmp_path / "few.json"), "--folds", "13", "--set", "samples=4")
    assert few.exit_code == 2
    assert "and 13 folds" in " ".join(few.output.split())


def test_what_is_advised_works_for_the_ratings() -> None:
    out = Path("r.json")
    assert advice([0.1, 0.2, 0.3, 0.4], out).endswith("split: {easy_share: 0.5} in the task.")
    tied = advice([0.5, 0.875, 0.875, 1, 1, 1, 1, 1, 1, 1], out)
    assert "{easy_share: 0.3} in the task. 7 of 10 questions are as hard as the hardest (1)" in tied
    for hopeless in ([1.0] * 4, [0.5, *[1.0] * 19]):
        told = advice(hopeless, out)
        assert "hardly tell questions apart. Take more samples (--set samples=64) or another rater" in told
        assert "Use them" not in told
    assert "no split.easy_share above 0.05 works" in told


def test_the_command_names_what_it_does_not_know() -> None:
    found = CliRunner().invoke(app, ["difficulty", "sciqq", "--rater", "zoo/neox", "--out", "x.json"])
    assert found.exit_code == 2
    assert "nor a task" in " ".join(found.output.split())
