"""The step in which a model puts a supervisor's doubt into words: weak labels go in, the same with statements come
out. Questions on which the samples agree are not asked about; the writer's rule speaks for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from pydantic import SerializeAsAny

from w2sg.config import Config, added
from w2sg.elicit.statements import Asked, Doubt, Template
from w2sg.records import ROLES, WeakLabel
from w2sg.seeding import derive
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.inputs import LABELS, Examples, read_labels, read_responses
from w2sg.steps.model import ModelRef, Node
from w2sg.steps.replies import keep_replies, local
from w2sg.steps.task import task_of
from w2sg.storage import write_rows

if TYPE_CHECKING:
    from w2sg.decode.sampling import Request


class StateSettings(Config):
    """Who writes the statements, and how they are sampled."""

    writer: SerializeAsAny[Asked]
    """The writer."""
    model: ModelRef | None
    """The model of the run that it asks; none where it reaches a server of its own."""
    seed: int
    """The root of the random streams; 0 for greedy decoding, which draws nothing."""
    chunk: int = added(2048, ge=1)
    """Statements between two saves."""


def state_step(
    labels: Step, task: Step, writer: Asked, node: Node | None, seed: int, label: str, chunk: int = 2048
) -> Step:
    """Return the step in which `writer`, asking `node` or a server of its own, adds statements to `labels`."""
    drawn = derive(seed, "state") if writer.temperature > 0 else 0
    settings = StateSettings(writer=writer, model=None if node is None else node.ref, seed=drawn, chunk=chunk)
    return Step("state", settings, {"labels": labels, "task": task, **({} if node is None else node.parents())}, label)


def run(step: Step, work: Workspace) -> Outcome:
    """Ask about every question in doubt, then write all labels anew."""
    from w2sg.decode.sampling import Request

    settings = step.settings
    assert isinstance(settings, StateSettings)
    task, writer = task_of(step), settings.writer
    examples = Examples(work.parents["task"], ROLES)

    def doubts() -> Iterator[Doubt]:
        for label in read_labels(work.parents["labels"]):
            yield Doubt.of(examples[label.id], label)

    def requests() -> Iterator[Request]:
        for doubt in doubts():
            if _is_asked(doubt):
                yield Request(doubt.example.id, writer.prompt(task, doubt))

    total = sum(map(_is_asked, doubts()))
    speaker = writer.speaker()
    if settings.model is not None:
        speaker = local(settings.model, work)
    assert speaker is not None
    sampling = writer.sampling().model_copy(update={"chunk": settings.chunk})
    outcome = keep_replies(work, requests(), total, sampling, settings.seed, speaker, piecewise=settings.model is None)

    empty = 0

    def stated() -> Iterator[WeakLabel]:
        nonlocal empty
        replies = read_responses(work.folder)
        for label in read_labels(work.parents["labels"]):
            doubt = Doubt.of(examples[label.id], label)
            if _is_asked(doubt):
                id, (reply,) = next(replies)
                assert id == label.id
                statement = writer.read(reply.text)
                empty += not statement
                yield replace(label, statement=statement)
            else:
                yield replace(label, statement=Template().statement(task, doubt))

    write_rows(work.folder / LABELS, stated())
    return replace(outcome, summary={**outcome.summary, "empty": empty})


def _is_asked(doubt: Doubt) -> bool:
    return bool(doubt.answers) and not doubt.agreed
