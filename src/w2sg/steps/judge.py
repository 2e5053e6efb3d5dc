"""The step in which a supervisor judges a student's answers by how its own vote moves: it is shown its demonstration as
its own try and the student's answer as another's, and sampled again.

Weak labels go in, those it now gives come out; a question on which the two agree already is carried over as it is.
Afterwards nobody's confidence is calibrated: it is the share of the new samples.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from w2sg.config import Config, added
from w2sg.decode.config import SamplingConfig
from w2sg.elicit.statements import Doubt, Template
from w2sg.elicit.vote import Vote
from w2sg.records import Example, Response, Row, WeakLabel, ask
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.inputs import LABELS, Examples, read_responses
from w2sg.steps.model import ModelRef, Node
from w2sg.steps.replies import keep_replies, local
from w2sg.steps.rewrite import Shown, Told, told
from w2sg.steps.task import task_of
from w2sg.storage import read_lines, write_rows
from w2sg.tasks.base import Task
from w2sg.tasks.revision import Demonstration, Listing

if TYPE_CHECKING:
    from w2sg.decode.sampling import Request

JUDGEMENTS = "judgements.jsonl"

_OWN = Shown(uncertainty=False, order="own-first", bypass=False, shuffle="none", seed=0)


class JudgeSettings(Config):
    """Who judges, and how it is sampled."""

    model: ModelRef
    """The supervisor."""
    sampling: SamplingConfig
    """How many samples, and how they are drawn."""
    seed: int
    """The root of the random streams; 0 for greedy decoding, which draws nothing."""
    listing: Listing = added("frequency")
    """In which order its answers stand where it puts its doubt into words."""


@dataclass(frozen=True, slots=True)
class Judgement(Row):
    """How a supervisor's vote on one question moved when it was shown the student's answer.

    `proposed` is the student's answer, `before` and `after` the supervisor's (None: none that can be read).
    `support_before` and `support_after` are the shares of its samples, unreadable ones included, that gave the
    student's. Where it was not `asked`, as the two agreed or one had nothing to say, nothing moved.
    """

    id: str
    proposed: str | None
    before: str | None
    after: str | None
    support_before: float
    support_after: float
    agreed: bool
    asked: bool


def judge_step(node: Node, parents: Mapping[str, Step], settings: JudgeSettings, label: str) -> Step:
    """Return the step in which `node` judges. `parents`: `task`, its `labels`, and the student's answers as
    `attempts`."""
    return Step("judge", settings, {**parents, **node.parents()}, label)


def run(step: Step, work: Workspace) -> Outcome:
    """Ask about every question on which supervisor and student differ; write all labels anew, and the judgements."""
    from w2sg.decode.sampling import Request

    settings, task = step.settings, task_of(step)
    assert isinstance(settings, JudgeSettings)
    examples = Examples(work.parents["task"], ("transfer",))

    def requests() -> Iterator[Request]:
        for seen in told(work.parents, _OWN):
            if _is_asked(task, examples[seen.id], seen):
                others = (Demonstration(seen.attempt),)
                text = task.revise_prompt(examples[seen.id], attempt=seen.work[0].text, others=others)
                yield Request(seen.id, ask(text))

    total = sum(_is_asked(task, examples[seen.id], seen) for seen in told(work.parents, _OWN))
    outcome = keep_replies(work, requests(), total, settings.sampling, settings.seed, local(settings.model, work))
    judgements: list[Judgement] = []

    def labels() -> Iterator[WeakLabel]:
        replies = read_responses(work.folder)
        for seen in told(work.parents, _OWN):
            example, before = examples[seen.id], seen.work[0]
            after = before
            asked = _is_asked(task, example, seen)
            if asked:
                id, responses = next(replies)
                assert id == seen.id
                after = moved(task, example, before, responses, settings.listing)
            judgements.append(judgement(task, task.parse(seen.attempt, example), before, after, asked))
            yield after

    write_rows(work.folder / LABELS, labels())
    write_rows(work.folder / JUDGEMENTS, judgements)
    return replace(outcome, summary={**outcome.summary, **_movement(judgements)})


def moved(
    task: Task, example: Example, before: WeakLabel, responses: list[Response], listing: Listing = "frequency"
) -> WeakLabel:
    """Return the label that a supervisor's new samples amount to, with its doubt in words where it had been put into
    words; the label it gave before where none of them can be read."""
    after = Vote().label(task, example, responses)
    if not after.histogram:
        return before
    said = Template(listing=listing).statement(task, Doubt.of(example, after)) if before.statement else ""
    return replace(after, statement=said)


def judgement(task: Task, proposed: str | None, before: WeakLabel, after: WeakLabel, asked: bool) -> Judgement:
    """Return how the vote for the answer `proposed` moved between two labels of one question."""
    return Judgement(
        before.id,
        proposed=proposed,
        before=before.answer,
        after=after.answer,
        support_before=support(task, proposed, before),
        support_after=support(task, proposed, after),
        agreed=proposed is not None and after.answer is not None and task.same(after.answer, proposed),
        asked=asked,
    )


def support(task: Task, answer: str | None, label: WeakLabel) -> float:
    """Return the share of a label's samples, unreadable ones included, that gave `answer`; 0 for None."""
    total = sum(count for _, count in label.histogram) + label.unparsed
    if answer is None or not total:
        return 0.0
    return sum(count for given, count in label.histogram if task.same(given, answer)) / total


def read_judgements(folder: Path) -> Iterator[Judgement]:
    """Yield the judgements of a judge step, in the order of the labels."""
    return (Judgement.from_dict(row) for row in read_lines(folder / JUDGEMENTS))


def _is_asked(task: Task, example: Example, seen: Told) -> bool:
    """Whether there is an answer on either side, and not the same."""
    return seen.heard and task.parse(seen.attempt, example) is not None and not seen.is_settled(task, example)


def _movement(judgements: list[Judgement]) -> dict[str, float | None]:
    asked = [one for one in judgements if one.asked]
    return {
        "asked": len(asked),
        "agreed_before": sum(one.agreed and not one.asked for one in judgements),
        "agreed_after": sum(one.agreed for one in judgements),
        "support_before": fmean(one.support_before for one in asked) if asked else None,
        "support_after": fmean(one.support_after for one in asked) if asked else None,
    }
