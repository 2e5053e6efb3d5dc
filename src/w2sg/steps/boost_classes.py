"""The step that is one round of boosting classifiers: an expert is trained under the round's weights on questions, the
options of every question are scored, and from where it errs follow its own weight and the questions' next ones
(EnsemW2S, Agrawal et al. 2024, section 2; SAMME).

A classifier is a language model that is tuned on bare gold answers and compares the likelihoods of the options. So it
needs no head of its own: an expert is a checkpoint like any other, trained by the one training path, and can be an
adapter. The arithmetic is `ensemble.classes`; rounds on answer tokens are `steps.boost`.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np

from w2sg.ensemble.class_config import ClassBoostingConfig
from w2sg.ensemble.classes import drawn_items, effective_classes, judge_items
from w2sg.ensemble.distribution import Floats, equal_weights
from w2sg.errors import ModelError
from w2sg.records import by_id, join
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.boost_files import read_arrays, read_round, write_arrays, write_round
from w2sg.steps.fit import FitSettings, outcome_of
from w2sg.steps.inputs import TARGETS, read_examples, read_targets
from w2sg.steps.model import Node, load
from w2sg.steps.task import task_of
from w2sg.storage import write_rows
from w2sg.tasks.options import option_responses, right_option
from w2sg.tasks.sealed import open_gold


class ClassBoostSettings(FitSettings):
    """What is tuned, how, and how its errors are weighed."""

    boosting: ClassBoostingConfig
    """The settings of boosting."""
    number: int
    """Which round, counted from 1."""
    drawing: int
    """The root of the random streams that draw questions."""


def class_boost_step(base: Node, parents: dict[str, Step], settings: ClassBoostSettings, label: str) -> Step:
    """Return a round; `parents` are `task`, `targets` and, from the second round on, `previous`."""
    return Step("boost-classes", settings, {**parents, **base.parents()}, label)


def run(step: Step, work: Workspace) -> Outcome:
    """Train the round's expert and judge it; where boosting has ended before, do nothing.

    Leaves, over the questions in the order of the training texts: `weights`, `drawn`, `probabilities` (N, C; options
    that a question does not have are 0), `answers`, `gold`, `wrong`, `measured`, `next_weights`; and the verdict.

    Raises:
        DataError: a question has no options, gold names none of them, or nothing could be measured.
        ModelError: the model plays a script.
    """
    from w2sg.decode.choices import option_probabilities
    from w2sg.models.hf import LanguageModel
    from w2sg.models.loading import train

    settings, task = step.settings, task_of(step)
    assert isinstance(settings, ClassBoostSettings)
    targets = read_targets(work.parents["targets"])
    ids = [target.id for target in targets]
    known = by_id(read_examples(work.parents["task"], ("supervise",)), "supervise questions")
    examples = join(ids, known, "supervise question")
    before = work.parents.get("previous")
    weights: Floats = equal_weights(len(ids)) if before is None else read_arrays(before)["next_weights"]
    if before is not None and (ended := read_round(before)["ends"]):
        write_arrays(work.folder, {"weights": weights, "next_weights": weights})
        write_round(work.folder, {"number": settings.number, "kept": False, "ends": ended, "alpha": 0.0})
        return Outcome({"kept": False, "ends": ended})
    truths = join(ids, open_gold(work.parents["task"]), "gold answer")
    options = [option_responses(task, example) for example in examples]
    gold = np.array([right_option(task, *pair) for pair in zip(examples, truths, strict=True)])
    counts = np.array([len(own) for own in options])
    config = settings.boosting.arithmetic(int(counts.max()))
    drawn = drawn_items(config, weights, number=settings.number, seed=settings.drawing)
    learnt = [
        replace(target, weight=float(weight))
        for target, weight in zip(targets, drawn.weights, strict=True)
        if weight > 0
    ]
    write_rows(work.folder / TARGETS, learnt)
    trained = train(
        settings.model.config,
        learnt,
        settings.fit,
        seed=settings.seed,
        folder=work.folder,
        runtime=work.runtime,
        progress=work.progress,
    )
    expert = load(settings.model, replace(work, parents={"model": work.folder}))
    if trained is None or not isinstance(expert, LanguageModel):
        raise ModelError(
            f"The model {settings.model.config.path!r} cannot be boosted: it plays a script, and a classifier compares "
            "the likelihoods of a language model. Name a language model as the teacher."
        )
    questions = [(target.prompt, own) for target, own in zip(targets, options, strict=True)]
    chances = option_probabilities(expert, questions, work.runtime, work.progress)
    answers = np.array([int(row.argmax()) for row in chances])
    wrong = answers != gold
    verdict = judge_items(config, weights, drawn, wrong, classes=effective_classes(counts))
    widest = int(counts.max())
    arrays: dict[str, Any] = {
        "weights": weights,
        "drawn": drawn.weights,
        "probabilities": np.array([np.pad(row, (0, widest - len(row))) for row in chances]),
        "answers": answers,
        "gold": gold,
        "wrong": wrong,
        "measured": drawn.spared if config.measured == "out-of-bag" else np.ones_like(wrong),
        "next_weights": verdict.weights,
    }
    write_arrays(work.folder, arrays)
    told = {name: value for name, value in asdict(verdict).items() if name != "weights"}
    write_round(work.folder, {"number": settings.number, **told})
    outcome = outcome_of(trained)
    return Outcome(
        {"number": settings.number, **told, "plain_error": float(wrong.mean()), **outcome.summary}, outcome.cost
    )
