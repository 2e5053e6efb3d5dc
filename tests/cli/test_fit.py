"""From a user's files to a student: trained, copied, described, loaded by others' code, asked again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import scripted_world
from w2sg.cli.fit import Wish, learning_rate, plain
from w2sg.cli.main import app
from w2sg.models.base import ModelConfig

pytestmark = [
    pytest.mark.slow,
    # peft asks transformers for a property under its old name.
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"),
]


def w2sg(*words: str) -> Result:
    result = CliRunner().invoke(app, list(words), prog_name="w2sg")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_model: Callable[..., Path]) -> list[str]:
    """The command's words for two random tiny models and forty gold rows, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("W2SG_STORE", raising=False)
    scripted_world.write_files(tmp_path, labelled=40, unlabelled=12)
    models = ["--teacher", str(tiny_model("llama")), "--student", str(tiny_model("qwen2"))]
    files = ["--labelled", "gold.jsonl", "--unlabelled", "pool.jsonl", "--out", "student"]
    small = ["max_new_tokens=8", "workers=1", "controls=[teacher]", "statistics.resamples=100"]
    short = [
        "teacher_fit.epochs=0.5",
        "student_fit.epochs=0.5",
        "method.elicit={kind: vote, samples: 2}",
        "method.recipe={kind: imitation, keep_unparsed: true}",
    ]
    return ["fit", *files, *models, "--set", *small, *short]


def test_a_student_is_made_described_and_asked(words: list[str]) -> None:
    """Random models never give a readable answer: the card must say so, and nothing may break."""
    made = w2sg(*words)
    assert made.exit_code == 0, made.output
    assert "student/model" in made.stdout

    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained("student/model")
    assert model.config.model_type == "qwen2"
    assert AutoTokenizer.from_pretrained("student/model").chat_template

    card = Path("student/README.md").read_text()
    assert card.startswith("---\nlibrary_name: transformers\n")
    for part in ("10 gold questions were kept for the estimate", "12 unanswered questions", "SHA-256", "0.0% to 27"):
        assert part in card
    assert "imitation-vote learnt from 12 of 12" in card
    fit = json.loads(Path("student/w2sg.json").read_text())
    assert fit["task"]["grader"] == "numeric"
    assert fit["fit"] in card
    rows = json.loads(Path("student/results.json").read_text())["rows"]
    assert {row["method"] for row in rows} == {"teacher", "imitation-vote"}

    before = {path: path.stat().st_mtime_ns for path in Path("student/model").iterdir()}
    assert w2sg(*words).exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in Path("student/model").iterdir()} == before

    Path("moved").mkdir()
    Path("student").rename("moved/student")
    told = w2sg("predict", "moved/student", "pool.jsonl", "--out", "answers.jsonl")
    assert told.exit_code == 0, told.output
    rows = [json.loads(line) for line in Path("answers.jsonl").read_text().splitlines()]
    pool = [json.loads(line) for line in Path("pool.jsonl").read_text().splitlines()]
    assert [(row["id"], row["question"]) for row in rows] == [(row["id"], row["question"]) for row in pool]
    told = w2sg("eval", "moved/student", "gold.jsonl")
    graded = " ".join(told.stdout.split())
    assert "30 of 40 questions were used in training" in graded  # the card's ten are left
    assert "on 40 questions" in graded
    assert "on the others: accuracy 0.0%" in graded
    assert "on 10 questions" in graded
    by_checkpoint = " ".join(w2sg("eval", "moved/student/model", "gold.jsonl").stdout.split())
    assert "30 of 40 questions were used in training" in by_checkpoint
    Path("new.jsonl").write_text('{"id": "new", "question": "What is 900 plus 1?", "answer": "901"}\n')
    assert "used in training" not in w2sg("eval", "moved/student", "new.jsonl").stdout
    pooled = [{**row, "answer": "1"} for row in pool]
    Path("pooled.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pooled))
    graded = " ".join(w2sg("eval", "moved/student", "pooled.jsonl").stdout.split())
    assert "12 of 12 questions were used in training (12 in the pool)" in graded
    assert "none is left" in graded
    assert not list(Path("moved/student/store").rglob("pooled.jsonl"))
    assert Path("runs/store").is_dir()


def test_an_adapter_is_made_and_asked(words: list[str]) -> None:
    made = w2sg(*words, "--lora")
    assert made.exit_code == 0, made.output
    assert Path("student/model/adapter_model.safetensors").is_file()
    assert not Path("student/model/model.safetensors").exists()
    assert Path("student/README.md").read_text().startswith("---\nlibrary_name: peft\n")

    from peft import AutoPeftModelForCausalLM

    assert AutoPeftModelForCausalLM.from_pretrained("student/model").peft_config["default"].r == 16
    told = w2sg("predict", "student", "pool.jsonl", "--out", "answers.jsonl")
    assert told.exit_code == 0, told.output
    assert len(Path("answers.jsonl").read_text().splitlines()) == 12


def test_the_gold_is_divided_and_the_pool_is_all_for_the_student() -> None:
    files = {"labelled": "gold.jsonl", "unlabelled": "pool.jsonl"}
    experiment = Wish("zoo/nano", "zoo/nano", "imitation", files, seed=3, lora=True).experiment("My student!")
    split = experiment.tasks[0].split
    assert (experiment.name, experiment.seeds, split.seed) == ("My-student", (3,), 3)
    assert (split.supervise, split.transfer) == ("rest", "rest")
    assert "ceiling" not in experiment.arms()  # a pool has no gold to train on
    assert experiment.student_fit.lora is not None
    assert experiment.teacher_fit.lora is None


def test_adapters_learn_ten_times_faster() -> None:
    def rate(student: str) -> float:
        files = {"labelled": "gold.jsonl", "unlabelled": "pool.jsonl"}
        return Wish(student, student, "imitation", files, lora=True).experiment("s").student_fit.learning_rate

    assert rate("some/model") == 1e-4
    assert rate("zoo/nano") == 1e-3


@pytest.mark.parametrize(("words", "name"), [("My student!", "My-student"), ("", "student"), ("...", "student")])
def test_names(words: str, name: str) -> None:
    assert plain(words) == name


def test_small_models_learn_faster() -> None:
    large, nano = learning_rate(ModelConfig(path="some/model")), learning_rate(ModelConfig(path="zoo/nano"))
    assert large == 1e-5
    assert nano == 1e-4
