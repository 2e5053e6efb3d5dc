"""The step in which a model answers choice questions by choosing among the options, the one with the largest s(c | x).

An ensemble of classifiers has s(c | x) = sum_t alpha_t p_t(c | x) (EnsemW2S, Agrawal et al. 2024, section 2), or a
weighted vote. An expert is a language model, and p_t(c | x) the probability of the response that gives option c, over
the sum of all options'; the whole responses are compared, and then mixed. A model that writes text has as s(c | x) that
probability itself, under the distributions that it samples from: of an ensemble, those mixed token by token
(`models.mixture`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from w2sg.config import Config, added
from w2sg.decode.choices import Normalisation, Question, option_probabilities
from w2sg.decode.config import SamplingConfig
from w2sg.ensemble.combine import mix
from w2sg.models.base import Progress
from w2sg.models.ensemble import read_ensemble
from w2sg.records import Prompt, Response, Role, Row, ask
from w2sg.seeding import stream
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.inputs import MODEL, RESPONSES, read_examples
from w2sg.steps.model import Combine, Likeliest, ModelRef, Node, load
from w2sg.steps.replies import beginning_at, counted
from w2sg.steps.slices import Slice, in_slice
from w2sg.steps.task import task_of
from w2sg.storage import read_json, read_rows, remove_folder, write_json, write_rows
from w2sg.tasks.options import option_responses

SHARES = "shares.jsonl"
_SCORED = "scored"
_CHUNK = 512
"""Questions that a killed run of a model that writes text may have to ask again."""
_NORMALISE: dict[Likeliest, Normalisation] = {
    "likeliest": "none",
    "likeliest-per-token": "tokens",
    "likeliest-over-prior": "prior",
}

Floats = NDArray[np.float64]


class ClassifySettings(Config):
    """Who answers which questions, how."""

    model: ModelRef
    """The base of the experts."""
    roles: tuple[Role, ...]
    """The roles whose questions are answered."""
    sampling: SamplingConfig
    """How many responses, and how they are drawn from the options' shares."""
    combine: Combine | Likeliest
    """How the experts are combined, or by what a model that writes text chooses."""
    seed: int
    """The root of the random streams; 0 where nothing is drawn."""
    slice: Slice | None = added(None)
    """The part of these questions that is answered; all of them when not given."""


@dataclass(frozen=True, slots=True)
class Shares(Row):
    """What the model gives each option of a question: s(c | x), normalised to sum 1."""

    id: str
    shares: tuple[float, ...]


def classify_step(
    node: Node,
    task: Step,
    roles: tuple[Role, ...],
    sampling: SamplingConfig,
    seed: int,
    label: str,
    slice: Slice | None = None,
) -> Step:
    """Return the step in which `node`, which classifies, answers the task's questions of `roles`, or one slice."""
    assert node.classifies is not None
    settings = ClassifySettings(
        model=node.ref,
        roles=roles,
        sampling=sampling,
        combine=node.classifies,
        seed=seed if sampling.temperature > 0 else 0,
        slice=slice,
    )
    return Step("classify", settings, {"task": task, **node.parents()}, label)


def run(step: Step, work: Workspace) -> Outcome:
    """Answer every question: the best option, or as many drawn ones as are asked for. Killed, it repeats one expert's
    scores at most.

    Raises:
        DataError: a question has no options.
    """
    settings, task = step.settings, task_of(step)
    assert isinstance(settings, ClassifySettings)
    examples = in_slice(read_examples(work.parents["task"], settings.roles), settings.slice)
    options = [option_responses(task, example) for example in examples]
    prompts = [ask(task.prompt(example)) for example in examples]
    shares, experts = _shares(settings, work, list(zip(prompts, options, strict=True)), ask(task.mark))
    found = [
        Shares(example.id, tuple(map(float, row[: len(own)])))
        for example, own, row in zip(examples, options, shares, strict=True)
    ]
    write_rows(work.folder / SHARES, found)

    def responses() -> Iterator[Response]:
        for one, own in zip(found, options, strict=True):
            for sample, place in enumerate(chosen(one, settings.sampling, settings.seed)):
                yield Response(one.id, sample, own[place], 0, True)

    write_rows(work.folder / RESPONSES, responses())
    remove_folder(work.folder / _SCORED)
    outcome = counted(work.folder)
    confidence = float(np.mean([max(one.shares) for one in found])) if found else None
    return Outcome({**outcome.summary, "experts": experts, "mean_share": confidence}, outcome.cost)


def _shares(
    settings: ClassifySettings, work: Workspace, questions: Sequence[Question], unasked: Prompt
) -> tuple[Sequence[Floats], int]:
    """Return s(c | x), question by question, and of how many experts.

    Args:
        unasked: the prompt that does not ask.
    """
    if not questions:
        return [], 0
    if settings.combine == "probability" or settings.combine == "vote":
        by_expert, weights = _scores(settings, work, questions)
        return list(combined(by_expert, weights, settings.combine)), len(weights)
    model = load(settings.model, work)
    found: list[Floats] = []
    for start in range(0, len(questions), _CHUNK):
        some, tell = questions[start : start + _CHUNK], beginning_at(work.progress, start, len(questions))
        how = _NORMALISE[settings.combine]
        score = partial(option_probabilities, model, some, work.runtime, tell, how, unasked)
        found += _kept(work.folder / _SCORED / f"{start:09d}.json", score)
    return found, int(getattr(getattr(model, "model", None), "count", 1))


def _kept(path: Path, score: Callable[[], list[Floats]]) -> list[Floats]:
    """Return scores from a file, which is written if it is not there."""
    if not path.exists():
        write_json(path, [list(map(float, row)) for row in score()])
    return [np.array(row) for row in read_json(path)]


def _scores(
    settings: ClassifySettings, work: Workspace, questions: Sequence[Question]
) -> tuple[list[list[Floats]], list[float]]:
    """Return each expert's probabilities of the options, question by question, and the experts' weights. One expert is
    in memory at a time, and its scores are kept until the step is done."""
    from w2sg.models.loading import load as load_expert

    folder = work.parents["model"] / MODEL
    ensemble = read_ensemble(folder)
    found: list[list[Floats]] = []
    total = len(ensemble.experts) * len(questions)
    for number, expert in enumerate(ensemble.experts):
        tell = beginning_at(work.progress, number * len(questions), total)

        def asked(name: str = expert.path, tell: Progress = tell) -> list[Floats]:
            model = load_expert(settings.model.config, work.runtime, folder / name)
            return option_probabilities(model, questions, work.runtime, tell)

        found.append(_kept(work.folder / _SCORED / f"{expert.path}.json", asked))
    return found, list(ensemble.weights)


def combined(by_expert: Sequence[Sequence[Floats]], weights: Sequence[float], combine: Combine) -> Floats:
    """Return s(c | x) of shape (N, C), normalised: C is the most options of any question, and those that a question
    does not have get nothing.

    Args:
        by_expert: expert by expert, question by question, the probabilities of its options.
    """
    widest = max(len(row) for row in by_expert[0])
    chances_TNC = np.array([[np.pad(row, (0, widest - len(row))) for row in rows] for rows in by_expert])
    if combine == "vote":
        chances_TNC = (chances_TNC.argmax(-1)[..., None] == np.arange(widest)).astype(np.float64)
    return mix(chances_TNC, weights)


def chosen(found: Shares, sampling: SamplingConfig, seed: int) -> list[int]:
    """Return the places of the options that are answered: the best one (of equals the first), or as many as are asked
    for, drawn from s^(1 / temperature) among the `top_k` best and within their nucleus."""
    shares = np.asarray(found.shares)
    if sampling.temperature == 0:
        return [int(shares.argmax())] * sampling.samples
    with np.errstate(divide="ignore"):
        logs = np.log(shares) / sampling.temperature
    chances = np.exp(logs - logs.max())
    order = np.argsort(-chances, kind="stable")
    chances[order[sampling.top_k or len(order) :]] = 0.0
    chances /= chances.sum()
    before = chances[order].cumsum() - chances[order]
    chances[order[before >= sampling.top_p]] = 0.0
    ends = chances.cumsum() / chances.sum()
    return [
        int(np.searchsorted(ends, stream(seed, "classify", found.id, sample).random(), side="right"))
        for sample in range(sampling.samples)
    ]


def read_shares(folder: Path) -> list[Shares]:
    """Return what a classify step gave each option of its questions."""
    return read_rows(folder / SHARES, Shares)
