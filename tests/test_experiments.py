"""The files under experiments/: their heads are complete, every command in them can be planned without a network, those
of the paper hold the published settings, and two of these run from end to end on tiny random models."""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fault_server import running
from w2sg.cli.main import app
from w2sg.config import read_yaml
from w2sg.elicit.alice import Alice
from w2sg.elicit.clusters import Answers
from w2sg.elicit.clusters_embedding import Embeddings
from w2sg.elicit.embedding import SentenceModel
from w2sg.elicit.statements_endpoint import ByEndpoint
from w2sg.elicit.vote import Vote
from w2sg.models.base import RuntimeConfig
from w2sg.recipes.alice import Alice as Rewrites
from w2sg.runs.experiment import Experiment, read_experiment
from w2sg.runs.plan import make_plan
from w2sg.runs.runner import run_steps
from w2sg.runs.store import Store
from w2sg.schedules.cascade import Cascade
from w2sg.steps.inputs import read_labels, read_scores, read_targets

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "experiments").rglob("*.yaml"))
PAPER = sorted((ROOT / "experiments" / "paper").glob("alice-*.yaml"))
DATA = Path(os.environ.get("W2SG_DATA") or ROOT.parent / "shared" / "data")


def head(path: Path) -> str:
    """Return what a file says before its first setting."""
    return path.read_text(encoding="utf-8").partition("\nname:")[0]


def commands(path: Path) -> list[list[str]]:
    """Return the settings of every `w2sg run` in a file's head, seeds and folders left out."""
    lines = "\n".join(line.removeprefix("#").strip() for line in head(path).splitlines()).replace("\\\n", " ")
    found = []
    for line in lines.splitlines():
        if (start := line.find("w2sg run experiments/")) >= 0:
            words = shlex.split(line[start:].rstrip(")"))
            assert words[2] == path.relative_to(ROOT).as_posix()
            found.append(words[words.index("--set") + 1 :] if "--set" in words else [])
    return found


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection, and tell whoever wants one."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("planning reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_head_says_how_to_run_where_how_long_and_what_to_expect(path: Path) -> None:
    opening = head(path)
    for word in ("command", "hardware", "minutes|time", "expected"):
        assert re.search(rf"^# ({word}): +\S", opening, re.M), word
    assert commands(path) or "make run" in opening


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_a_head_says_was_measured_is_in_the_log(path: Path) -> None:
    if "LOG.md" in head(path):
        assert path.relative_to(ROOT).as_posix() in (ROOT / "LOG.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [path for path in FILES if commands(path)], ids=lambda path: path.stem)
def test_every_command_of_a_head_can_be_planned_without_a_network(path: Path, offline: None) -> None:
    names = []
    for settings in commands(path):
        local = [] if "train" not in head(path) else files_of(path)
        local += [f"tasks.difficulty_from={path}" for one in settings if one.startswith("tasks.difficulty_from=")]
        experiment = read_experiment(path, [*settings, *local], seeds=[0])
        plan = make_plan(experiment)
        assert {arm.method for arm in plan.arms} == set(experiment.arms())
        names.append(experiment.name)
    assert len(set(names)) == len(names)


def files_of(path: Path) -> list[str]:
    """Return settings that lead the tasks of a file with paths to any file at all: plans read none of their rows."""
    task = read_yaml(path)["tasks"]
    return [f"tasks.{key}={path}" for key in ("train", "test") if key in task]


def test_the_command_plan_says_what_a_paper_run_would_do(tmp_path: Path, offline: None) -> None:
    path = PAPER[0]
    shown = CliRunner().invoke(app, ["plan", str(path), "--out", str(tmp_path / "out"), "--steps"])
    assert shown.exit_code == 0, shown.output
    assert "revises its answers" in shown.output
    assert not (tmp_path / "out").exists()


def test_the_papers_pairs_and_chains_are_all_there() -> None:
    """Tables 1 to 3 of Wu et al. (2025): who teaches whom."""
    chains = set()
    for path in PAPER:
        for settings in commands(path):
            one = read_experiment(path, settings)
            models = (one.teacher, *one.intermediates, one.student)
            chains.add(tuple(re.sub(r".*?(Qwen|Llama).*-([\d.]+B)-Instruct", r"\1 \2", model.path) for model in models))
    assert chains == {
        ("Qwen 1.5B", "Qwen 3B"),
        ("Qwen 1.5B", "Qwen 7B"),
        ("Qwen 3B", "Qwen 7B"),
        ("Llama 1B", "Llama 3B"),
        ("Llama 1B", "Llama 8B"),
        ("Llama 1B", "Qwen 7B"),
        ("Qwen 1.5B", "Qwen 3B", "Qwen 7B"),
        ("Llama 1B", "Llama 3B", "Llama 8B"),
        ("Qwen 1.5B", "Llama 3B", "Qwen 7B"),
    }


@pytest.mark.parametrize("path", PAPER, ids=lambda path: path.stem)
def test_the_published_settings(path: Path) -> None:
    """`methods/alice`, sections 1 to 4: what the authors' code does, by part."""
    one = read_experiment(path)
    for fit in (one.teacher_fit, one.student_fit):
        assert (fit.learning_rate, fit.epochs, fit.batch_size, fit.weight_decay) == (1e-5, 3, 64, 0.01)
        assert (fit.schedule, fit.max_grad_norm, fit.max_length, fit.lora) == ("cosine", 1.0, 4096, None)
    assert (one.tries, one.max_new_tokens, one.reasoning) == (1, 4096, True)
    by_text = "short-answers" in path.name
    for task in one.tasks:
        share = 0.1 if task.kind in ("hotpotqa", "triviaqa") else "rest"
        assert (task.split.supervise, task.split.transfer, task.split.validate) == (0.5, share, 0)
        assert getattr(task, "match", "contains") == "contains"
        assert getattr(task, "sets", ("challenge",)) == ("challenge",)
    for name, method in one.methods.items():
        if name.endswith(("imitation", "imitation-matched")):
            assert isinstance(method.elicit, Vote)
            assert (method.elicit.samples, method.elicit.temperature, method.elicit.top_p) == (1, 0.6, 0.95)
            continue
        alice = method.elicit
        assert isinstance(alice, Alice)
        assert (alice.samples, alice.temperature, alice.top_p, alice.calibration) == (100, 0.9, 0.95, "none")
        assert isinstance(alice.clustering, Embeddings | Answers)
        assert (alice.clustering.leader, alice.clustering.singletons) == ("first", "drop")
        if isinstance(alice.clustering, Embeddings):
            assert isinstance(alice.clustering.embedder, SentenceModel)
            assert (alice.clustering.threshold, alice.clustering.answers_first) == (0.9, not by_text)
        assert isinstance(alice.statement, ByEndpoint)
        assert (alice.statement.temperature, alice.statement.stronger) == (0.9, True)
        assert alice.statement.endpoint.extra == {"top_p": 0.95}
        if isinstance(method.recipe, Rewrites):
            recipe = method.recipe
            assert (recipe.attempt, recipe.rewrites, recipe.check, recipe.choose) == ("sampled", 1, False, "first")
            assert (recipe.bypass, recipe.temperature, recipe.top_p) == (True, 0.9, 0.95)
        if isinstance(method.schedule, Cascade):
            assert method.schedule.questions == "disjoint"


def rows(kind: str) -> list[dict[str, Any]]:
    """Return forty rows in the public file's form: its own where it lies at hand, else some with the same columns."""
    if kind == "gsm8k":
        place = DATA / "gsm8k" / "train.jsonl"
        if place.is_file():
            return [json.loads(line) for line in place.read_text(encoding="utf-8").splitlines()[:40]]
        return [
            {
                "question": f"Ann has {n} apples and buys {n + 3} more. How many has she now?",
                "answer": f"She has {n} + {n + 3} = <<{n}+{n + 3}={2 * n + 3}>>{2 * n + 3}.\n#### {2 * n + 3}",
            }
            for n in range(40)
        ]
    place = DATA / "hotpotqa" / "dev_simplified.json"
    if place.is_file():
        return list(json.loads(place.read_text(encoding="utf-8"))[:40])
    return [
        {"question": f"Who wrote the {n}th song of the river?", "answer": f"writer {n}", "type": "bridge"}
        for n in range(40)
    ]


def small(path: Path, folder: Path, kind: str, models: list[Path], methods: list[str], **elicit: Any) -> Experiment:
    """Return `methods` of the file's experiment, with everything that makes it large made small."""
    source = folder / f"{kind}.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows(kind)))
    split = {"supervise": 4, "validate": 0, "transfer": 8, "test_id": 3, "near_duplicates": "exact"}
    task: dict[str, Any] = {"kind": kind, "train": str(source), "split": split}
    if kind == "gsm8k":
        task["last_number"] = True  # random texts hold numbers and no marks
    settings: dict[str, Any] = {
        "tasks": [task],
        "controls": ["teacher", "ceiling"],
        "tries": 0,
        "max_new_tokens": 16,
        "runtime.device": "cpu",
    }
    settings |= {"teacher": str(models[0]), "intermediates": [str(models[1])], "student": str(models[2])}
    settings |= {f"{who}_fit.{key}": value for who in ("teacher", "student") for key, value in (("epochs", 1),)}
    for name, method in read_yaml(path)["methods"].items():
        if method and "elicit" in method:
            settings |= {f"methods.{name}.elicit.{key}": value for key, value in {"samples": 5, **elicit}.items()}
    whole = read_experiment(path, [f"{key}={json.dumps(value)}" for key, value in settings.items()])
    return whole.model_copy(update={"methods": {name: whole.methods[name] for name in methods}})


def run(experiment: Experiment, folder: Path) -> Store:
    """Run everything, and check of every row that its student learnt something and answered the whole test."""
    plan, store = make_plan(experiment), Store(folder / "store")
    run_steps(plan.steps, store, RuntimeConfig(device="cpu"), workers=1)
    for arm in plan.arms:
        assert len(read_scores(store.folder(arm.scores))) == 3
        if arm.node.tuned is not None:
            assert read_targets(store.folder(arm.node.tuned.parents["targets"]))
    return store


@pytest.mark.slow
def test_cascade_alice_runs_on_tiny_qwen_models(tmp_path: Path, tiny_model: Callable[..., Path]) -> None:
    path = ROOT / "experiments" / "paper" / "alice-cascade-gsm8k-arc.yaml"
    models = [tiny_model("qwen2", seed=seed, max_position_embeddings=2048) for seed in range(3)]
    with running(tmp_path) as server:
        address = {"statement.endpoint.base_url": server.url("good"), "statement.max_new_tokens": 20}
        alone = {"clustering": {"kind": "answers", "singletons": "keep"}}
        experiment = small(path, tmp_path, "gsm8k", models, ["cascade-alice"], **alone, **address)
        store = run(experiment, tmp_path)
        asked = len(server.requests("good"))
    states = [step for step in make_plan(experiment).steps if step.kind == "state"]
    labels = [label for step in states for label in read_labels(store.folder(step))]
    assert asked == sum(len(label.histogram) > 1 for label in labels) > 0


@pytest.mark.slow
def test_cascade_alice_runs_on_tiny_llama_models_by_what_texts_mean(
    tmp_path: Path, tiny_model: Callable[..., Path]
) -> None:
    path = ROOT / "experiments" / "paper" / "alice-cascade-short-answers.yaml"
    models = [tiny_model("llama", bos=True, seed=seed, max_position_embeddings=2048) for seed in range(3)]
    by_text = {"clustering.embedder": "tfidf", "clustering.singletons": "keep", "statement": "template"}
    methods = ["alice-matched", "cascade-imitation"]
    experiment = small(path, tmp_path, "hotpotqa", models, methods, **by_text)
    store = run(experiment, tmp_path)
    (alice, _) = [arm for arm in make_plan(experiment).arms if arm.method in methods]
    assert alice.labels is not None
    assert all(label.histogram for label in read_labels(store.folder(alice.labels)))
