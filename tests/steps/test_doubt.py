"""How sure a supervisor is of its own labels: an ensemble's distributions along them, as confidence, and the student of
the surest."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import fmean

import pytest

from tiny_boosting import CPU, boosted
from w2sg.decode.score import score
from w2sg.errors import ConfigError
from w2sg.metrics.certainty import Measure
from w2sg.models.hf import LanguageModel
from w2sg.models.loading import load
from w2sg.records import ROLES, ask
from w2sg.runs.runner import run_steps
from w2sg.runs.store import Store
from w2sg.schedules.methods import method
from w2sg.steps.base import Step, with_ancestors
from w2sg.steps.cast import Cast
from w2sg.steps.doubt import doubt_step, read_doubts
from w2sg.steps.inputs import MODEL, Examples, read_labels, read_targets
from w2sg.steps.model import Node
from w2sg.steps.task import task_of


def targets_of(cast: Cast, measure: Measure) -> Step:
    """The training texts of a student of half of what two boosted experts say."""
    elicit, recipe = (
        {"kind": "greedy", "confidence": measure},
        {"kind": "imitation", "keep": 0.5, "keep_unparsed": True},
    )
    made = method("mine", {"like": "ensemw2s-sure", "supervisor": boosted(2), "elicit": elicit, "recipe": recipe})
    node = made.product("mine", cast).node
    assert node.tuned is not None
    return node.tuned.parents["targets"]


@pytest.mark.parametrize("measure", ["likelihood", "agreement"])
def test_confidence_is_what_the_mixture_holds_along_its_answers(cast: Cast, store: Store, measure: Measure) -> None:
    """Read one text at a time, by the ensemble as it is loaded; and the texts of those it is surest of are learnt."""
    targets = targets_of(cast, measure)
    step = targets.parents["labels"]
    assert step.kind == "doubt"
    run_steps(with_ancestors([targets]), store, CPU, workers=1)
    model = load(cast.teacher.config, CPU, store.folder(step.parents["model"]) / MODEL)
    assert isinstance(model, LanguageModel)
    task, examples = task_of(step), Examples(store.folder(cast.task), ROLES)
    before = list(read_labels(store.folder(step.parents["labels"])))
    after, doubts = list(read_labels(store.folder(step))), {one.id: one for one in read_doubts(store.folder(step))}
    assert [replace(label, confidence=None) for label in after] == before
    assert len(doubts) == sum(bool(label.text.strip()) for label in before) > 0
    for label in after:
        if label.id not in doubts:
            assert label.confidence == 0
            continue
        (one,) = score(model, [(ask(task.prompt(examples[label.id])), label.text)], CPU)
        told = doubts[label.id]
        assert told.log_probabilities == pytest.approx(one.log_probabilities, abs=1e-4)
        assert told.dissents == pytest.approx(one.dissents, abs=1e-5)
        assert told.divergences == pytest.approx(one.divergences, abs=1e-4)
        assert len(told.entropies) == len(model.response_ids(label.text))
        sure = math.exp(fmean(one.log_probabilities)) if measure == "likelihood" else 1 - fmean(one.dissents)
        assert label.confidence == pytest.approx(sure if label.answer is not None else 0.0, abs=1e-4)
    learnt = {target.id for target in read_targets(store.folder(targets))}
    assert len(learnt) == math.ceil(len(after) / 2)
    least = min(label.confidence or 0.0 for label in after if label.id in learnt)
    assert all((label.confidence or 0.0) <= least for label in after if label.id not in learnt)


def test_who_cannot_say_so(cast: Cast) -> None:
    greedy = targets_of(cast, "likelihood").parents["labels"].parents["labels"]
    alone = Node(cast.teacher)
    with pytest.raises(ConfigError, match="one model, so no experts could agree"):
        doubt_step(alone, greedy, cast.task, "agreement", "asked")
    assert doubt_step(alone, greedy, cast.task, "likelihood", "asked").kind == "doubt"
    with pytest.raises(ConfigError, match="chooses among a question's options"):
        doubt_step(replace(alone, classifies="likeliest"), greedy, cast.task, "likelihood", "asked")
