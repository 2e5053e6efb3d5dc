"""The step that settles how many experts an ensemble has: its first one, first two, ... first T answer the questions of
`validate`, whose gold is open, and as many as answer best are kept (EnsemW2S, Agrawal et al. 2024, has no rule for T;
its best round was picked on the test set).

Every first few of an ensemble are an ensemble too, so that each is asked as the whole one is.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

from w2sg.config import Config
from w2sg.decode.config import SamplingConfig
from w2sg.ensemble.prefix import fewest_best
from w2sg.errors import DataError
from w2sg.models.base import EnsembleConfig
from w2sg.models.ensemble import read_ensemble, save_first
from w2sg.records import Example, Row, ask, join
from w2sg.steps.base import Cost, Outcome, Step, Workspace
from w2sg.steps.inputs import MODEL, read_examples, read_responses
from w2sg.steps.model import ModelRef, Node
from w2sg.steps.replies import beginning_at, keep_replies, local
from w2sg.steps.task import task_of
from w2sg.storage import read_rows, remove_folder, write_rows
from w2sg.tasks.base import Task
from w2sg.tasks.sealed import open_gold

PREFIXES = "prefixes.jsonl"


@dataclass(frozen=True, slots=True)
class PrefixScore(Row):
    """What the first `experts` of an ensemble made of `n` questions: how many they got `right`, the share of these
    (`accuracy`), and how many answers could not be read (`unparsed`; wrong, too)."""

    experts: int
    n: int
    right: int
    unparsed: int
    accuracy: float


class ChooseSettings(Config):
    """Whose experts, and how they answer."""

    model: ModelRef
    """The base of the experts."""
    sampling: SamplingConfig
    """How answers are drawn: one greedy one per question, as at the test."""


def choose_step(ensemble: Node, task: Step, sampling: SamplingConfig, label: str) -> Node:
    """Return `ensemble` with as many of its first experts as answer the questions of `validate` best."""
    settings = ChooseSettings(model=ensemble.ref, sampling=sampling)
    return Node(ensemble.ref, Step("choose", settings, {"task": task, **ensemble.parents()}, label))


def run(step: Step, work: Workspace) -> Outcome:
    """Let every first few experts answer, grade them, and keep the best.

    Raises:
        DataError: there are no questions of `validate`, or one has no gold.
    """
    settings = step.settings
    assert isinstance(settings, ChooseSettings)
    task, examples = task_of(step), read_examples(work.parents["task"], ("validate",))
    if not examples:
        raise DataError(
            "How many experts to keep is to be chosen on the questions of validate, and there are none. Raise "
            "split.validate, or keep all experts (choose: all)."
        )
    source = work.parents["model"] / MODEL
    experts = len(read_ensemble(source).experts)
    scores, tokens, total = [], 0, experts * len(examples)
    for count in range(1, experts + 1):
        part = replace(
            work,
            folder=work.folder / f"prefix-{count:03d}",
            progress=beginning_at(work.progress, (count - 1) * len(examples), total),
        )
        tokens += _answer(part, settings, task, examples, count)
        scores.append(_score(part.folder, task, work.parents["task"], examples, count))
    write_rows(work.folder / PREFIXES, scores)
    best = fewest_best([score.right for score in scores])
    remove_folder(work.folder / MODEL)
    save_first(work.folder / MODEL, source, best)
    return Outcome({"experts": best, "of": len(scores), "prefixes": list(map(asdict, scores))}, Cost(tokens))


def _answer(work: Workspace, settings: ChooseSettings, task: Task, examples: list[Example], count: int) -> int:
    """Let the first `count` experts answer; return how many tokens that took."""
    from w2sg.decode.sampling import Request

    config = settings.model.config.model_copy(update={"ensemble": EnsembleConfig(experts=count)})
    speaker = local(settings.model.model_copy(update={"config": config}), work)
    requests = (Request(example.id, ask(task.prompt(example))) for example in examples)
    return keep_replies(work, requests, len(examples), settings.sampling, 0, speaker).cost.tokens_sampled


def _score(folder: Path, task: Task, laid_out: Path, examples: list[Example], count: int) -> PrefixScore:
    ids = [example.id for example in examples]
    truths = join(ids, open_gold(laid_out), "gold answer")
    replies = join(ids, dict(read_responses(folder)), "response")
    answers = [task.parse(one.text, example) for example, (one,) in zip(examples, replies, strict=True)]
    right = sum(
        task.correct(answer, example, truth) for answer, example, truth in zip(answers, examples, truths, strict=True)
    )
    return PrefixScore(count, len(ids), right, answers.count(None), right / len(ids))


def read_prefix_scores(folder: Path) -> list[PrefixScore]:
    """Return how every first few experts did, the fewest first."""
    return read_rows(folder / PREFIXES, PrefixScore)
