"""The files of EnsemW2S under experiments/paper/: what they hold, and each from end to end on tiny random models."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from test_experiments import ROOT, commands, run
from w2sg.config import read_yaml
from w2sg.runs.experiment import Experiment, read_experiment
from w2sg.supervisors.boosted import Boosted
from w2sg.supervisors.boosted_classifier import BoostedClassifier

PAPER = ROOT / "experiments" / "paper"
FILES = sorted(PAPER.glob("ensemw2s-*.yaml"))


def test_every_family_is_there_in_several_sizes() -> None:
    families: dict[str, set[str]] = {}
    for path in FILES:
        for settings in commands(path):
            one = read_experiment(path, settings)
            for model in (one.teacher.path, one.student.path):
                family = "Qwen" if "Qwen" in model else "GPT-2" if "gpt2" in model else "Pythia"
                families.setdefault(family, set()).add(model)
    assert families.keys() == {"Pythia", "GPT-2", "Qwen"}
    assert min(map(len, families.values())) >= 2


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_settings_that_the_code_of_the_authors_has(path: Path) -> None:
    """`methods/ensemw2s`, section 5.3: batches of 32, three epochs, cosine without a warm-up, every weight tuned."""
    one = read_experiment(path)
    for fit in (one.teacher_fit, one.student_fit):
        assert (fit.batch_size, fit.epochs, fit.schedule, fit.warmup_fraction) == (32, 3, "cosine", 0)
        assert (fit.max_length, fit.lora, fit.learning_rate) == (1024, None, 5e-5)
    assert not one.reasoning
    published = one.methods["ensemw2s-as-published"].supervisor
    assert isinstance(published, Boosted)
    found = published.boosting
    assert (found.draw, found.measured, found.prior, found.largest_step) == ("mask", "in-sample", "pretrained", None)
    classifier = one.methods["ensemw2s-classes-as-published"].supervisor
    assert isinstance(classifier, BoostedClassifier)
    assert (classifier.boosting.draw, classifier.boosting.measured) == ("count", "in-sample")
    assert (classifier.boosting.largest_step, classifier.combine) == (None, "probability")


def test_both_divisions_are_there() -> None:
    """Section 5.1: a random split, and one from easy to hard, for every task."""
    for path in FILES:
        splits = [read_experiment(path, settings).tasks[0].split for settings in commands(path)]
        assert any(split.transfer_from == "hard" and split.tells_easy_from_hard for split in splits)
        assert any(split.transfer_from == "all" and not split.tells_easy_from_hard for split in splits)


def rows(kind: str, count: int, part: str = "") -> list[dict[str, Any]]:
    """Return rows in the public file's form."""
    words = ("wet palms", "dry palms", "old leaves", "a cold river")
    if kind == "sciq":
        return [
            {"question": f"What warms the {n}th hand?", "correct_answer": f"{words[0]} {n}"}
            | {f"distractor{place}": f"{words[place]} {n}" for place in (1, 2, 3)}
            for n in range(count)
        ]
    size = 2 if kind == "quartz" else 4
    return [
        {
            "id": f"{part}{n}",
            "question": f"Which of these warms the {part} hand number {n}?",
            "para": f"The sentence {n}.",
            "choices": {"text": list(words[:size]), "label": list("ABCD"[:size])},
            "answerKey": "AB"[n % 2],
        }
        for n in range(count)
    ]


def small(path: Path, folder: Path, weak: Path, strong: Path) -> Experiment:
    """Return the file's experiment with everything that makes it large made small."""
    task = read_yaml(path)["tasks"]
    kind, train = task["kind"], folder / "train.json"
    train.write_text(json.dumps(rows(kind, 20)))
    files: dict[str, Any] = {"train": str(train)}
    sizes: dict[str, Any] = {"supervise": 6, "validate": 0, "transfer": 4, "test_id": 3}
    if kind == "arc":
        hard = folder / "hard.json"
        hard.write_text(json.dumps(rows(kind, 10, "hard")))
        files = {"train": {"easy": str(train), "challenge": str(hard)}}
        sizes |= {"test_id": 2, "test_ood": 1}
    settings: dict[str, Any] = {"teacher": str(weak), "student": str(strong), "runtime.device": "cpu", "seeds": [0]}
    settings |= {"controls": ["teacher"], "max_new_tokens": 8, "student_fit.epochs": 1, "teacher_fit.epochs": 2}
    settings |= {"teacher_fit.learning_rate": 1e-2, "teacher_fit.batch_size": 3}
    settings |= {f"tasks.{key}": value for key, value in files.items()}
    settings |= {f"tasks.split.{key}": value for key, value in {**sizes, "near_duplicates": "exact"}.items()}
    for name, method in read_yaml(path)["methods"].items():
        if method:
            settings[f"methods.{name}.supervisor.experts"] = 2
    whole = read_experiment(path, [f"{key}={json.dumps(value)}" for key, value in settings.items()])
    boosted = whole.methods["ensemw2s"].supervisor
    assert isinstance(boosted, Boosted)
    # Random models err on nearly every token: against a guess among them their experts are still kept.
    boosting = boosted.boosting.model_copy(update={"prior": "vocabulary", "measured": "in-sample"})
    keep = {"keep_unparsed": True}
    methods = {
        name: whole.methods[name].model_copy(update={"recipe": whole.methods[name].recipe.model_copy(update=keep)})
        for name in ("imitation", "ensemw2s", "ensemw2s-classes-as-published")
    }
    kept = boosted.model_copy(update={"boosting": boosting})
    methods["ensemw2s"] = methods["ensemw2s"].model_copy(update={"supervisor": kept})
    return whole.model_copy(update={"methods": methods})


@pytest.mark.slow
@pytest.mark.parametrize(("task", "family"), [("arc", "gpt_neox"), ("quartz", "gpt2"), ("sciq", "qwen2")])
def test_each_file_runs_on_tiny_models(task: str, family: str, tmp_path: Path, tiny_model: Callable[..., Path]) -> None:
    path = PAPER / f"ensemw2s-{task}.yaml"
    weak, strong = (tiny_model(family, seed=seed, chat=family == "qwen2") for seed in (0, 1))
    store = run(small(path, tmp_path, weak, strong), tmp_path)
    assert len(list((store.root / "boost").iterdir())) == 2
    assert len(list((store.root / "boost-classes").iterdir())) == 2
