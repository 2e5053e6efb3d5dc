"""The steps that rate how hard a task's questions are: each fold by a model tuned on the other folds alone, then all
together as one file (EnsemW2S, Agrawal et al. 2024: difficulty is 1 less the chance of the right answer).

The rater should be neither teacher nor student. It reads the gold of every question, of later test questions too:
nothing but the ratings leaves these steps, and no model of a comparison learns from them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from pydantic import Field

from w2sg.config import Config
from w2sg.decode.config import SamplingConfig
from w2sg.errors import DataError
from w2sg.models.fit_config import FitConfig
from w2sg.records import Target, TaskRow, ask
from w2sg.seeding import derive
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.fit import outcome_of
from w2sg.steps.inputs import TARGETS, read_responses, read_targets
from w2sg.steps.model import ModelRef, load
from w2sg.steps.replies import keep_replies, local
from w2sg.steps.task import TaskSettings, check_unchanged
from w2sg.storage import read_json, write_json, write_rows
from w2sg.tasks import file_digests
from w2sg.tasks.base import SplitConfig, Task, TaskConfig
from w2sg.tasks.folds import Fold, fold_of
from w2sg.tasks.options import option_responses, right_option
from w2sg.tasks.ratings import Measure, Rating, Ratings, content_of, data_digest, write_ratings
from w2sg.tasks.world.config import WorldConfig

RATINGS = "ratings.json"
_FOLD = "fold.json"


class RatingConfig(Config):
    """How questions are rated."""

    folds: int = Field(5, ge=2)
    """Parts of the data; each is rated by a model that learnt from the others."""
    seed: int = 0
    """Decides the parts, the training and the sampling."""
    fit: FitConfig = FitConfig(epochs=2)
    """How the rater is tuned on gold."""
    reasoning: bool = True
    """Free answers: the rater learns the gold reasoning and gives its own; for choices it learns bare answers."""
    samples: int = Field(16, ge=1)
    """Free answers: so many are sampled per question, at temperature 1."""
    max_new_tokens: int = Field(256, ge=1)
    """Free answers: the longest response."""


class RatedBy(TaskSettings):
    """What is rated, by whom, how."""

    model: ModelRef
    """The rater before any tuning."""
    rating: RatingConfig
    """How questions are rated."""


class FoldSettings(RatedBy):
    """One part of it."""

    fold: int
    """Which part, counted from 0."""


def difficulty_step(config: TaskConfig, rater: ModelRef, rating: RatingConfig) -> Step:
    """Return the step that rates every question of a task that has gold; its file is `RATINGS`.

    Raises:
        DataError: a file of the task is missing, or leaves open how its answers are read.
    """
    config = config.resolved().model_copy(update={"difficulty_from": None})
    if not isinstance(config, WorldConfig):  # whose questions are made as the split asks for them
        split = SplitConfig(near_duplicates=config.split.near_duplicates)
        config = config.model_copy(update={"split": split})
    shared: dict[str, Any] = {
        "task": config,
        "files": file_digests(config),
        "version": config.build().version,
        "model": rater,
        "rating": rating,
    }
    words = f"{config.name} · difficulty by {rater.config.path}"
    parents = {
        f"fold-{number:03d}": Step(
            "difficulty-fold", FoldSettings(**shared, fold=number), {}, f"{words}, fold {number + 1} of {rating.folds}"
        )
        for number in range(rating.folds)
    }
    return Step("difficulty", RatedBy(**shared), parents, words)


def run_fold(step: Step, work: Workspace) -> Outcome:
    """Tune the rater on the other parts, and rate this one. Killed, it continues from the last checkpoint, or after
    the last whole block of samples.

    Raises:
        DataError: a file changed since the step was planned, there are too few questions for the folds, or some rows
            have options and some have none.
    """
    from w2sg.models.loading import train

    settings = step.settings
    assert isinstance(settings, FoldSettings)
    task, rating = settings.task.build(), settings.rating
    rows = [row for row in task.load() if row.gold is not None]
    check_unchanged(settings)
    how, near = measure_of(rows), settings.task.split.near_duplicates
    fold = fold_of(rows, settings.fold, rating.folds, rating.seed, drop_near=near == "drop")
    reasoning = rating.reasoning and how == "samples"
    write_rows(work.folder / TARGETS, (_target(task, row, reasoning) for row in fold.learnt))
    trained = train(
        settings.model.config,
        read_targets(work.folder),
        rating.fit,
        seed=derive(rating.seed, "rater", settings.fold),
        folder=work.folder,
        runtime=work.runtime,
        progress=work.progress,
    )
    cost = (outcome_of(trained) if trained is not None else Outcome()).cost
    tuned = replace(work, parents={"model": work.folder})
    if how == "options":
        right = _by_options(settings, task, fold, tuned)
    else:
        right, sampled = _by_samples(settings, task, fold, tuned)
        cost = replace(cost, tokens_sampled=sampled)
    found = [
        {"id": row.example.id, "difficulty": 1 - chance, "content": content_of(row), "fold": settings.fold}
        for row, chance in zip(fold.held, right, strict=True)
    ]
    write_json(work.folder / _FOLD, {"measure": how, "ratings": found})
    mean = float(np.mean([1 - chance for chance in right]))
    summary = {"rated": len(found), "learnt": len(fold.learnt), "near": fold.near, "mean": mean, "measure": how}
    return Outcome(summary, cost)


def run(step: Step, work: Workspace) -> Outcome:
    """Put the parts' ratings together in one file."""
    settings = step.settings
    assert isinstance(settings, RatedBy)
    parts = [read_json(work.parents[part] / _FOLD) for part in sorted(work.parents)]
    ratings = sorted((Rating(**one) for part in parts for one in part["ratings"]), key=lambda one: one.id)
    made = Ratings(
        task=settings.task.kind,
        measure=parts[0]["measure"],
        rater=settings.model.config.path,
        rater_content=settings.model.content,
        settings=settings.rating.identity(),
        data=data_digest((one.id, one.content) for one in ratings),
        ratings=tuple(ratings),
    )
    write_ratings(work.folder / RATINGS, made)
    values = [one.difficulty for one in ratings]
    quartiles = [round(float(value), 4) for value in np.quantile(values, (0.25, 0.5, 0.75))]
    return Outcome({"rated": len(ratings), "mean": float(np.mean(values)), "quartiles": quartiles})


def measure_of(rows: Sequence[TaskRow]) -> Measure:
    """Return how the chance of the right answer is found: over all options where every question has some, else by
    samples.

    Raises:
        DataError: some questions have options and some have none, or there is none with gold.
    """
    choices = sum(bool(row.example.choices) for row in rows)
    if not rows or 0 < choices < len(rows):
        raise DataError(
            f"Of {len(rows):,} questions with gold {choices:,} have options. Difficulty is measured in one way for all "
            "of a task: divide it into questions with options and questions without."
        )
    return "options" if choices else "samples"


def _target(task: Task, row: TaskRow, reasoning: bool) -> Target:
    assert row.gold is not None
    response = task.gold_response(row.example, row.gold, reasoning)
    return Target(row.example.id, ask(task.prompt(row.example)), response)


def _by_options(settings: FoldSettings, task: Task, fold: Fold, work: Workspace) -> list[float]:
    """Return the probability of the right option among all, for each question of the fold."""
    from w2sg.decode.choices import option_probabilities

    model = load(settings.model, work)
    questions = [(ask(task.prompt(row.example)), option_responses(task, row.example)) for row in fold.held]
    found = option_probabilities(model, questions, work.runtime, work.progress)
    return [
        float(chances[right_option(task, row.example, row.gold)])
        for row, chances in zip(fold.held, found, strict=True)
        if row.gold is not None
    ]


def _by_samples(settings: FoldSettings, task: Task, fold: Fold, work: Workspace) -> tuple[list[float], int]:
    """Return the share of right answers among all samples, unreadable ones among them, for each question of the fold;
    and how many tokens were sampled."""
    from w2sg.decode.sampling import Request

    rating = settings.rating
    sampling = SamplingConfig(samples=rating.samples, temperature=1.0, max_new_tokens=rating.max_new_tokens)
    requests = [Request(row.example.id, ask(task.prompt(row.example))) for row in fold.held]
    seed, speaker = derive(rating.seed, "rating"), local(settings.model, work)
    outcome = keep_replies(work, requests, len(requests), sampling, seed, speaker)
    texts = dict(read_responses(work.folder))
    shares = []
    for row in fold.held:
        assert row.gold is not None
        replies = [task.parse(reply.text, row.example) for reply in texts[row.example.id]]
        shares.append(sum(task.correct(reply, row.example, row.gold) for reply in replies) / len(replies))
    return shares, outcome.cost.tokens_sampled
