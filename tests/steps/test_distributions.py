"""What a supervisor holds likely along its labels: told by an ensemble, and learnt by a student of the same tokens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tiny_boosting import CPU, boosted
from tiny_models import build_model
from w2sg.decode.score import likeliest
from w2sg.errors import ConfigError, ModelError
from w2sg.models.base import ModelConfig
from w2sg.models.hf import LanguageModel
from w2sg.models.loading import load
from w2sg.recipes.imitation import Imitation
from w2sg.records import ROLES, ask
from w2sg.runs.runner import run_steps
from w2sg.runs.store import Store
from w2sg.schedules.methods import method
from w2sg.steps.base import Step, with_ancestors
from w2sg.steps.cast import Cast
from w2sg.steps.distributions import distributions_step
from w2sg.steps.inputs import MODEL, Examples, read_labels, read_targets
from w2sg.steps.model import ModelRef, Node
from w2sg.steps.task import task_of


def targets_of(cast: Cast) -> Step:
    """The training texts of a student of two boosted experts, with eight tokens of each distribution."""
    recipe = {"kind": "imitation", "keep_unparsed": True, "distributions": 8}
    made = method("mine", {"like": "ensemw2s-soft", "supervisor": boosted(2), "recipe": recipe})
    node = made.product("mine", cast).node
    assert node.tuned is not None
    return node.tuned.parents["targets"]


def test_the_student_learns_the_mixture_along_the_ensembles_own_answers(cast: Cast, store: Store) -> None:
    targets = targets_of(cast)
    step = targets.parents["distributions"]
    run_steps(with_ancestors([targets]), store, CPU, workers=1)
    model = load(cast.teacher.config, CPU, store.folder(step.parents["model"]) / MODEL)
    assert isinstance(model, LanguageModel)
    task, examples = task_of(step), Examples(store.folder(cast.task), ROLES)
    labels = {label.id: label for label in read_labels(store.folder(step.parents["labels"])) if label.text}
    learnt = read_targets(store.folder(targets))
    assert {target.id for target in learnt} == set(labels) != set()
    for target in learnt:
        assert target.response == labels[target.id].text
        (expected,) = likeliest(model, [(ask(task.prompt(examples[target.id])), target.response)], 8, CPU)
        assert target.soft is not None
        assert target.soft.token_ids == expected.token_ids
        for own, other in zip(target.soft.probabilities, expected.probabilities, strict=True):
            assert own == pytest.approx(other, rel=1e-4)
            assert sum(own) == pytest.approx(1)
    assert store.record(step)["summary"] == {"texts": len(labels), "left_out": 0}


def test_a_student_of_other_tokens_is_refused(cast: Cast, store: Store, tmp_path: Path) -> None:
    other = ModelRef.of(ModelConfig(path=str(build_model(tmp_path / "other", "gpt_neox", chat=False))))
    with pytest.raises(ModelError, match="other tokens, or another form of conversation, than its supervisor"):
        run_steps(with_ancestors([targets_of(replace(cast, student=other))]), store, CPU, workers=1)


def test_who_has_no_distributions_is_named(cast: Cast, tmp_path: Path) -> None:
    ref = ModelRef.of(ModelConfig(path="scripted:scripted_world:weak"))
    scripted = replace(cast, teacher=ref, student=ref)
    made = method("imitation-soft").product("imitation-soft", scripted).node
    assert made.tuned is not None
    with pytest.raises(ModelError, match="plays a script and has no distributions"):
        run_steps(with_ancestors([made.tuned]), Store(tmp_path), CPU, workers=1)
    chooser = Node(cast.teacher, classifies="vote")
    with pytest.raises(ConfigError, match="writes no text"):
        distributions_step(chooser, Node(cast.student), cast.task, cast.task, 8, "it")


def test_without_them_nothing_is_named_otherwise() -> None:
    assert "distributions" not in Imitation().identity()
    assert Imitation(distributions=8).identity()["distributions"] == 8
