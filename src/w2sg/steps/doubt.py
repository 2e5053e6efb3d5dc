"""The step in which a supervisor says how sure it is of each of its labels, by the distributions that the label's
tokens were taken from: weak labels go in, the same with that as their confidence come out.

It reads its own texts once and samples nothing; a label that was cut is read with the end that it would have had. What
is measured at every token is `models.mixture`'s (`Doubt`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from w2sg.config import Config
from w2sg.errors import ConfigError
from w2sg.metrics.certainty import Measure, certainty
from w2sg.records import ROLES, Row, WeakLabel, ask
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.inputs import LABELS, Examples, read_labels
from w2sg.steps.model import ModelRef, Node, load_writer
from w2sg.steps.task import task_of
from w2sg.storage import read_lines, read_rows, write_rows

if TYPE_CHECKING:
    from w2sg.decode.score import TextScore

DOUBTS = "doubts.jsonl"
_AT_ONCE = 64
_DIGITS = 6


class DoubtSettings(Config):
    """Who is asked, and by what."""

    model: ModelRef
    """The supervisor before any tuning."""
    measure: Measure
    """What becomes the confidence."""


@dataclass(frozen=True, slots=True)
class LabelDoubt(Row):
    """What a supervisor's distributions were along one of its labels, a number for each token of its text, the end
    token last: `log_probabilities` of the tokens and `entropies`, in nats; `divergences` of the experts' distributions
    from their mixture, in nats, and the share of the experts' weights (`dissents`) whose favourite was not the
    mixture's, both 0 for a single model. Where experts have different tokenizers, bytes stand for tokens."""

    id: str
    log_probabilities: tuple[float, ...]
    entropies: tuple[float, ...]
    divergences: tuple[float, ...]
    dissents: tuple[float, ...]

    @classmethod
    def of(cls, id: str, found: TextScore) -> LabelDoubt:
        """Return the scores of a label's text, rounded to millionths."""
        columns = (found.log_probabilities, found.entropies, found.divergences, found.dissents)
        return cls(id, *(tuple(round(value, _DIGITS) for value in column) for column in columns))


def doubt_step(teacher: Node, labels: Step, task: Step, measure: Measure, label: str) -> Step:
    """Return the step that states how sure `teacher` is of `labels`, which are its own.

    Raises:
        ConfigError: the teacher chooses among options and writes nothing, or its agreement is asked for and it is
            alone.
    """
    if teacher.classifies is not None:
        raise ConfigError(
            "The supervisor chooses among a question's options and writes no text whose tokens could say how sure it "
            "is. Let it draw several (elicit: vote), which costs nothing and gives the shares, or leave "
            "elicit.confidence out."
        )
    if measure == "agreement" and not teacher.is_ensemble:
        raise ConfigError(
            "A supervisor here is one model, so no experts could agree (elicit.confidence: agreement). Use one of "
            "several experts (boosted, committee, families) that teaches the student directly (on a cascade's upper "
            "rungs single models teach), or confidence: likelihood."
        )
    settings = DoubtSettings(model=teacher.ref, measure=measure)
    return Step("doubt", settings, {"task": task, "labels": labels, **teacher.parents()}, label)


def run(step: Step, work: Workspace) -> Outcome:
    """Read every label's text, and write all labels anew. One without a text or an answer, and one that fills the
    supervisor's context, so that its end is not to be read, has no confidence at all (0).

    Raises:
        ModelError: the supervisor plays a script.
    """
    from w2sg.decode.score import fits, score

    settings, task = step.settings, task_of(step)
    assert isinstance(settings, DoubtSettings)
    model = load_writer(settings.model, work, "do not ask how sure it is")
    examples = Examples(work.parents["task"], ROLES)
    total = sum(1 for _ in read_labels(work.parents["labels"]))
    read = 0

    def doubts() -> Iterator[LabelDoubt]:
        nonlocal read
        labels = read_labels(work.parents["labels"])
        while block := list(islice(labels, _AT_ONCE)):
            texts = {label.id: (ask(task.prompt(examples[label.id])), label.text) for label in block}
            fitting = {id: text for id, text in texts.items() if text[1].strip() and fits(model, *text)}
            for id, found in zip(fitting, score(model, list(fitting.values()), work.runtime), strict=True):
                yield LabelDoubt.of(id, found)
            read += len(block)
            work.progress(read, total, "reading its own labels")

    write_rows(work.folder / DOUBTS, doubts())
    sure = {
        one["id"]: certainty(one["log_probabilities"], one["dissents"], settings.measure)
        for one in read_lines(work.folder / DOUBTS)
    }

    def stated() -> Iterator[WeakLabel]:
        for label in read_labels(work.parents["labels"]):
            yield replace(label, confidence=sure.get(label.id, 0.0) if label.answer is not None else 0.0)

    write_rows(work.folder / LABELS, stated())
    mean = fmean(label.confidence or 0.0 for label in stated()) if total else None
    return Outcome({"texts": len(sure), "left_out": total - len(sure), "mean_confidence": mean})


def read_doubts(folder: Path) -> list[LabelDoubt]:
    """Return what a doubt step measured, in the order of the labels.

    Raises:
        DataError: the file is damaged.
    """
    return read_rows(folder / DOUBTS, LabelDoubt)
