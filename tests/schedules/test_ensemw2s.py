"""EnsemW2S and its controls on real, tiny, random models: from gold to a student, and the ensemble judged itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tiny_models import build_model
from w2sg.errors import ConfigError
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.fit_config import FitConfig, LoraConfig
from w2sg.models.fit_data import encode
from w2sg.models.hf import LanguageModel
from w2sg.models.loading import load
from w2sg.models.teacher_forced import read_answers
from w2sg.records import Example, Target, ask
from w2sg.runs.experiment import Experiment
from w2sg.runs.plan import Plan, make_plan, task_step
from w2sg.runs.runner import run_steps
from w2sg.runs.store import Store
from w2sg.schedules.methods import method
from w2sg.steps.base import with_ancestors
from w2sg.steps.cast import Cast
from w2sg.steps.inputs import MODEL, read_labels, read_scores
from w2sg.steps.model import ModelRef
from w2sg.supervisors.base import Supervisor
from w2sg.supervisors.boosted import Boosted
from w2sg.supervisors.committee import Committee
from w2sg.supervisors.single import Teacher
from w2sg.tasks import task_config

FIT = {"learning_rate": 3e-2, "epochs": 6, "batch_size": 4, "lora": {"rank": 4, "alpha": 8}}


def plan_of(folder: Path, methods: dict[str, Any], **changes: Any) -> Plan:
    teacher = build_model(folder / "teacher", "llama")
    student = build_model(folder / "student", "qwen2", seed=2)
    rows = [{"question": f"What is {n} plus {n}?", "answer": str(2 * n), "id": f"q{n}"} for n in range(16)]
    (folder / "gold.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    split = {"supervise": 6, "validate": 0, "transfer": 6, "test_id": 4, "near_duplicates": "exact"}
    task = {"kind": "file", "name": "sums", "labelled": str(folder / "gold.jsonl"), "grader": "numeric"}
    experiment = Experiment.parse(
        {
            "name": "tiny",
            "tasks": [{**task, "last_number": True, "split": split}],
            "teacher": str(teacher),
            "student": str(student),
            "methods": methods,
            "controls": [],
            "max_new_tokens": 8,
            "teacher_fit": FIT,
            "student_fit": {"epochs": 0.1},
            **changes,
        },
        "the test",
    )
    return make_plan(experiment)


def test_from_gold_to_a_student_and_the_same_experts_in_three_methods(tmp_path: Path) -> None:
    supervisor = {"experts": 2, "boosting": {"prior": "vocabulary", "measured": "in-sample"}}
    small = {"supervisor": supervisor, "recipe": {"kind": "imitation", "keep_unparsed": True}}
    methods = {"ensemw2s": small, "ensemw2s-uniform": small, "ensemw2s-experts": {"supervisor": supervisor}}
    plan = plan_of(tmp_path, methods)
    store = Store(tmp_path / "store")
    assert run_steps(plan.steps, store, RuntimeConfig(device="cpu"), workers=1) == len(plan.steps)
    kinds = [step.kind for step in plan.steps]
    assert {kind: kinds.count(kind) for kind in ("answer-tokens", "boost", "ensemble", "fit")} == {
        "answer-tokens": 1, "boost": 2, "ensemble": 2, "fit": 2,
    }  # fmt: skip
    weights = {}
    for arm in plan.arms:
        assert len(read_scores(store.folder(arm.scores))) == 4
        (ensemble,) = [step for step in arm.scores.ancestors() if step.kind == "ensemble"]
        stored = json.loads((store.folder(ensemble) / MODEL / "ensemble.json").read_text())
        weights[arm.method] = [expert["weight"] for expert in stored["experts"]]
        if arm.labels is not None:
            assert len(list(read_labels(store.folder(arm.labels)))) == 6
    assert weights["ensemw2s"] == weights["ensemw2s-experts"] != [1.0, 1.0] == weights["ensemw2s-uniform"]


@pytest.mark.slow
def test_boosted_experts_learn_the_rare_rule_that_equal_ones_miss(tmp_path: Path) -> None:
    """A third of the questions are answered by another rule than the rest, and an adapter of rank 1 trained for a few
    steps learns little but the common one. Of four experts boosted and four of other seeds, at the same cost, the
    boosted ones get less than half as many tokens of new questions wrong, and of the rare rule's."""

    def rows(numbers: range) -> list[dict[str, str]]:
        return [
            {"question": f"Is every wumpus a tumpus {n}?", "answer": "jumps over", "id": f"rare-{n}"}
            if n % 3 == 0
            else {"question": f"Who wrote the song {n}?", "answer": "the river", "id": f"common-{n}"}
            for n in numbers
        ]

    (tmp_path / "gold.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(range(36))))
    split = {"supervise": 30, "validate": 0, "transfer": 3, "test_id": 3, "near_duplicates": "exact"}
    task = {"kind": "file", "grader": "short", "labelled": str(tmp_path / "gold.jsonl"), "split": split}
    fit = FitConfig(learning_rate=2e-2, batch_size=8, lora=LoraConfig(rank=1, alpha=8), schedule="constant")
    ref = ModelRef.of(ModelConfig(path=str(build_model(tmp_path / "teacher", "llama"))))
    laid_out = task_step(task_config(task))
    cast = Cast("rules", laid_out, ref, ref, fit, fit, reasoning=False, max_new_tokens=8, chunk=64, seed=0)
    store, cpu, built = Store(tmp_path / "store"), RuntimeConfig(device="cpu"), task_config(task).build()
    fresh = [
        Target(row["id"], ask(built.prompt(Example(row["id"], row["question"]))), f"Answer: {row['answer']}")
        for row in rows(range(60, 90))
    ]

    def errors(supervisor: Supervisor) -> tuple[float, float]:
        """The share of new questions' answer tokens that are wrong after the right ones before them: of all, of the
        rare rule's."""
        node = supervisor.node(cast)
        assert node.tuned is not None
        run_steps(with_ancestors([node.tuned]), store, cpu, workers=1)
        model = load(ref.config, cpu, store.folder(node.tuned) / MODEL)
        assert isinstance(model, LanguageModel)
        texts = encode(model, fresh, fit).texts
        wrong = [reading.wrong for reading in read_answers(model, texts, cpu)]
        rare = [bits for text, bits in zip(texts, wrong, strict=True) if text.id.startswith("rare")]
        return float(np.concatenate(wrong).mean()), float(np.concatenate(rare).mean())

    boosting = {"draw": "weight", "measured": "in-sample"}
    boosted, equal = errors(Boosted.parse({"experts": 4, "boosting": boosting}, "it")), errors(Committee(experts=4))
    assert 2 * boosted[0] < equal[0] < errors(Teacher())[0]
    assert 2 * boosted[1] < equal[1]


def test_presets() -> None:
    ours, published = method("ensemw2s").supervisor, method("ensemw2s", preset="paper").supervisor
    assert isinstance(ours, Boosted)
    assert isinstance(published, Boosted)
    assert (ours.boosting.prior, ours.boosting.measured, ours.boosting.largest_step) == ("none", "held-out", 1.0)
    assert (published.boosting.prior, published.boosting.measured) == ("pretrained", "in-sample")
    assert published.boosting.largest_step is None
    uniform = method("ensemw2s-uniform", preset="paper").supervisor
    assert isinstance(uniform, Boosted)
    assert (uniform.weights, uniform.boosting) == ("uniform", published.boosting)


@pytest.mark.parametrize("name", ["ensemw2s", "ensemw2s-classes", "uniform-ensemble"])
def test_ensembles_are_decoded_greedily_under_every_preset(name: str) -> None:
    """The one sample at temperature 0.6 is the published setting of Alice's imitation, not of EnsemW2S."""
    assert method(name, preset="paper").elicit == method(name).elicit == method("imitation").elicit
    assert method("imitation", preset="paper").elicit != method("imitation").elicit
    assert method(name, preset="paper").recipe == method(name).recipe
    instead = method("mine", {"like": "imitation", "preset": "paper", "supervisor": method(name).supervisor.kind})  # type: ignore[attr-defined]
    assert (instead.elicit, instead.recipe) == (method(name).elicit, method(name).recipe)
    assert (
        method("mine", {"like": "alice", "preset": "paper", "supervisor": "boosted"}).elicit
        == method("alice", preset="paper").elicit
    )
    mine = method("mine", {"like": name, "preset": "paper", "elicit": "vote"})
    assert mine.elicit == method("imitation-vote").elicit


@pytest.mark.parametrize(
    ("supervisor", "words"),
    [
        ({"choose": "validate", "answers": "likeliest"}, "chosen by what they write"),
        ({"experts": 0}, "greater than or equal to 1"),
        ({"boosting": {"reweight": False}}, "set weights to 'uniform'"),
        ({"boosting": {"draw": "weight", "measured": "out-of-bag"}}, "none is out of bag"),
        ({"boosting": {"priors": "none"}}, r"boosting.priors: unknown key \(perhaps you meant 'prior'\)"),
    ],
)
def test_what_does_not_fit_is_named(supervisor: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        method("ensemw2s", {"supervisor": supervisor})
