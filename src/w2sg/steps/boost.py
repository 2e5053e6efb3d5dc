"""The step that is one round of boosting: an expert is trained under the round's weights on answer tokens, its errors
are measured, and its own weight and the next round's token weights follow (EnsemW2S, Agrawal et al. 2024, section 3).

Killed in its training it continues from the last checkpoint. Rounds do not know how many there will be, so the first
few of a longer run are a shorter run. The arithmetic is `ensemble.rounds`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from w2sg.config import added
from w2sg.decode.config import SamplingConfig
from w2sg.ensemble.config import BoostingConfig
from w2sg.ensemble.distribution import Bits, Floats, Integers, equal_weights
from w2sg.ensemble.draws import draw
from w2sg.ensemble.rounds import Verdict, judge
from w2sg.errors import DataError
from w2sg.models.base import silent
from w2sg.records import Target, ask
from w2sg.seeding import derive, stream
from w2sg.steps.answer_tokens import encoded, greedy_right
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.boost_files import (
    Answer,
    final_answers,
    read_answer_rows,
    read_arrays,
    read_round,
    write_arrays,
    write_round,
)
from w2sg.steps.fit import FitSettings, outcome_of
from w2sg.steps.inputs import MODEL, TARGETS, read_examples, read_targets
from w2sg.steps.model import Node, load
from w2sg.steps.replies import keep_replies, local
from w2sg.steps.slices import Slice, in_slice
from w2sg.steps.task import task_of
from w2sg.storage import write_rows


class BoostSettings(FitSettings):
    """What is tuned, how, and how its errors are weighed."""

    boosting: BoostingConfig
    """The settings of boosting."""
    number: int
    """Which round, counted from 1."""
    drawing: int
    """The root of the random streams that draw tokens."""
    sampling: SamplingConfig | None = None
    """How the expert answers freely, where errors count on that."""
    warm: bool = added(False)
    """Whether training starts from the round's predecessor."""
    retries: int = added(0)
    """How many rounds may fail before boosting ends: after a failed one, the next tries again under the same weights,
    from its own seed and on its own draw."""
    spare: int = added(0)
    """How many rounds must have failed before for this one to be needed; 0 in all but those beyond the experts that
    were asked for."""


def boost_step(base: Node, parents: dict[str, Step], settings: BoostSettings, label: str) -> Step:
    """Return a round; `parents` are `task`, `targets`, `answers` and, from the second round on, `previous`."""
    return Step("boost", settings, {**parents, **base.parents()}, label)


@dataclass(frozen=True)
class _Tokens:
    """The answer tokens of all texts, as arrays over them: where the final answer is, and the base's errors."""

    rows: list[Answer]
    lengths: Integers
    critical: Bits
    base_wrong: Bits
    vocabulary: int

    def spread(self, flags: Sequence[bool]) -> Bits:
        """Return one flag per text as one per token."""
        return np.repeat(np.asarray(flags, dtype=np.bool_), self.lengths)


def run(step: Step, work: Workspace) -> Outcome:
    """Train the round's expert and judge it; where boosting has ended before, or all experts are there, do nothing.

    Raises:
        DataError: nothing could be measured, or there are fewer questions than folds.
    """
    from w2sg.models.loading import train

    settings = step.settings
    assert isinstance(settings, BoostSettings)
    tokens = _tokens(work, settings.boosting)
    before = work.parents.get("previous")
    weights = equal_weights(len(tokens.critical)) if before is None else read_arrays(before)["next_weights"]
    history = None if before is None else read_round(before)
    failures, own = _failures(history), {"number": settings.number, "spare": settings.spare > 0}
    if history is not None and (ended := idle_because(settings, history)) is not None:
        write_arrays(work.folder, {"weights": weights, "next_weights": weights})
        told = {**own, "kept": False, "idle": True, "failures": failures, "ends": ended, "alpha": 0.0}
        write_round(work.folder, told)
        return Outcome({"kept": False, "ends": ended})
    held = _held_out(work, settings, tokens)
    random = stream(settings.drawing, "boost-draw", settings.number)
    config = settings.boosting
    drawn = draw(np.where(held, 0.0, weights), tokens.lengths, config.draw, config.unit, random)
    write_rows(work.folder / TARGETS, weighted(read_targets(work.parents["targets"]), tokens.rows, drawn.weights))
    base = work.parents["model"] / MODEL if "model" in work.parents else None
    warm = before / MODEL if settings.warm and before is not None else base
    result = train(
        settings.model.config,
        read_targets(work.folder),
        settings.fit,
        seed=settings.seed,
        folder=work.folder,
        runtime=work.runtime,
        progress=work.progress,
        tuned=warm,
    )
    assert result is not None, "only language models have answer tokens"
    ranks, log_probs = _read(settings, work)
    wrong, sampled = ranks > 0, 0
    if config.errors == "generations":
        sampled = _answer(step, work, tokens)
        right = greedy_right(task_of(step), work)
        wrong = tokens.spread([not right[row.id] for row in tokens.rows])
    measured = {"in-sample": np.ones_like(held), "out-of-bag": drawn.spared, "held-out": held}[config.measured]
    measured = measured & tokens.critical if config.errors == "critical" else measured
    verdict = judge(
        config,
        weights,
        tokens.lengths,
        wrong=wrong,
        base_wrong=tokens.base_wrong,
        measured=measured,
        chances=drawn.chances,
        vocabulary=tokens.vocabulary,
    )
    arrays = {"weights": weights, "drawn": drawn.weights, "ranks": ranks, "log_probs": log_probs, "wrong": wrong}
    write_arrays(work.folder, {**arrays, "measured": measured, "next_weights": verdict.weights})
    told = {**own, **_told(verdict), "idle": False, "failures": failures + (not verdict.kept)}
    write_round(work.folder, told)
    trained = outcome_of(result)
    cost = replace(trained.cost, tokens_sampled=sampled)
    return Outcome({**told, "token_error": float((ranks > 0).mean()), **trained.summary}, cost)


def idle_because(settings: BoostSettings, history: dict[str, Any]) -> str | None:
    """Return why the round has nothing to do: boosting has ended, or (an empty text) all experts are there; None where
    it has. `history` is what the round before told."""
    failures = _failures(history)
    if history["ends"] and (history["kept"] or history.get("idle", False) or failures > settings.retries):
        return str(history["ends"])
    return "" if failures < settings.spare else None


def _failures(history: dict[str, Any] | None) -> int:
    """Return how many experts failed up to the round that told `history`; a first round need not have said it."""
    return 0 if history is None else int(history.get("failures", not history["kept"]))


def _tokens(work: Workspace, config: BoostingConfig) -> _Tokens:
    folder = work.parents["answers"]
    rows = [row for row in read_answer_rows(folder) if row.counted]
    stored = read_arrays(folder)
    lengths = np.array([row.counted for row in rows], dtype=np.int64)
    base_wrong = stored["ranks"] > 0
    if config.errors == "generations":
        base_wrong = np.repeat([not row.right for row in rows], lengths)
    return _Tokens(rows, lengths, final_answers(rows), base_wrong, int(stored["vocabulary"]))


def _held_out(work: Workspace, settings: BoostSettings, tokens: _Tokens) -> Bits:
    """Return the tokens of the texts that this round does not learn."""
    config = settings.boosting
    if config.measured != "held-out":
        return np.zeros(len(tokens.critical), dtype=np.bool_)
    known = {row.id for row in tokens.rows}
    examples = [one for one in read_examples(work.parents["task"], ("supervise",)) if one.id in known]
    try:
        part = in_slice(examples, Slice(part=(settings.number - 1) % config.folds, of=config.folds))
    except DataError:
        raise DataError(
            f"Errors are to be measured on one of {config.folds} folds, and there are {len(examples)} questions with "
            "gold, some of which belong together. Lower boosting.folds, or raise split.supervise."
        ) from None
    held = {example.id for example in part}
    return tokens.spread([row.id in held for row in tokens.rows])


def weighted(targets: Sequence[Target], rows: Sequence[Answer], weights: Floats) -> list[Target]:
    """Return the texts with their tokens' weights; those of weight 0 are left out, and tokens past the length limit
    have none."""
    known = {target.id: target for target in targets}
    ends = np.cumsum([row.counted for row in rows])
    found = []
    for row, end in zip(rows, ends, strict=True):
        own = weights[end - row.counted : end]
        if own.any():
            found.append(replace(known[row.id], token_weights=(*own.tolist(), *[0.0] * (row.tokens - row.counted))))
    return found


def _read(settings: BoostSettings, work: Workspace) -> tuple[Any, Any]:
    """Return the expert's ranks and log-probabilities of all answer tokens, learnt in this round or not."""
    from w2sg.models.hf import LanguageModel
    from w2sg.models.teacher_forced import read_answers

    model = load(settings.model, _with_expert(work))
    assert isinstance(model, LanguageModel)
    texts = encoded(model, read_targets(work.parents["targets"]), settings.fit.max_length)
    readings = read_answers(model, list(texts.values()), work.runtime, silent)
    return (
        np.concatenate([reading.ranks for reading in readings]),
        np.concatenate([reading.log_probs for reading in readings]),
    )


def _answer(step: Step, work: Workspace, tokens: _Tokens) -> int:
    """Let the expert answer the questions freely; return how many tokens that took."""
    from w2sg.decode.sampling import Request

    settings, task = step.settings, task_of(step)
    assert isinstance(settings, BoostSettings)
    assert settings.sampling is not None
    known = {row.id for row in tokens.rows}
    examples = [one for one in read_examples(work.parents["task"], ("supervise",)) if one.id in known]
    requests = (Request(example.id, ask(task.prompt(example))) for example in examples)
    speaker = local(settings.model, _with_expert(work))
    return keep_replies(work, requests, len(examples), settings.sampling, 0, speaker).cost.tokens_sampled


def _with_expert(work: Workspace) -> Workspace:
    """Return a workspace in which the model is the one that this step has just tuned."""
    return replace(work, parents={"model": work.folder})


def _told(verdict: Verdict) -> dict[str, Any]:
    found = asdict(verdict)
    del found["weights"]
    return found


def expert_seed(seed: int, number: int) -> int:
    """Return the seed of a round's training: the run's own in the first, so that without weights it is plain tuning."""
    return seed if number == 1 else derive(seed, "expert", number)
