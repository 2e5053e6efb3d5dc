"""The step in which the student revises its own answers in the light of what its supervisors said.

What of the supervisors' work is shown, and how, is in the settings; which rewrite is learnt, the recipe's to say.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from w2sg.config import Config, added
from w2sg.decode.config import SamplingConfig
from w2sg.errors import DataError
from w2sg.records import Example, Response, WeakLabel, ask
from w2sg.seeding import stream
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.inputs import LABELS, Examples, read_labels, read_responses
from w2sg.steps.model import ModelRef, Node
from w2sg.steps.replies import keep_replies, local
from w2sg.steps.task import task_of
from w2sg.storage import Lines
from w2sg.tasks.base import Task
from w2sg.tasks.revision import Demonstration, Listing, Order, listed

if TYPE_CHECKING:
    from w2sg.decode.sampling import Request

LABELS_OF = "labels"
"""The part that a supervisor's labels play among a step's parents: `labels`, `labels-2`, ..."""

Shuffle = Literal["none", "statement", "all"]


class Shown(Config):
    """What of the supervisors' work the student is shown, and how."""

    uncertainty: bool
    """Show how often each answer was given, and the statement."""
    order: Order
    """Which of the two answers stands first."""
    bypass: bool
    """Do not ask where all samples of every supervisor agree."""
    shuffle: Shuffle
    """Show another question's statement (with its counts), or another question's whole work."""
    seed: int
    """Decides who is shown whose work, and the coins of `blind`; 0 where neither is done."""
    settled: Literal["ask", "skip"] = added("ask")
    """Whether to ask where one's own answer is that of every supervisor already."""
    listing: Listing = added("frequency")
    """In which order a supervisor's answers stand."""


class RewriteSettings(Config):
    """Who rewrites, from what, how often."""

    model: ModelRef
    """The checkpoint that rewrites."""
    shown: Shown
    """What it is shown."""
    sampling: SamplingConfig
    """How many rewrites, and how they are drawn."""
    seed: int
    """The root of the random streams; 0 for greedy decoding, which draws nothing."""


def rewrite_step(node: Node, parents: Mapping[str, Step], settings: RewriteSettings, label: str) -> Step:
    """Return the step in which `node` revises. `parents`: `task`, `labels` (`labels-2`, ...), `attempts` or none."""
    return Step("rewrite", settings, {**parents, **node.parents()}, label)


def run(step: Step, work: Workspace) -> Outcome:
    """Ask for the rewrites of every question that the supervisors answered, in the order of the labels."""
    from w2sg.decode.sampling import Request

    settings = step.settings
    assert isinstance(settings, RewriteSettings)
    task, shown = task_of(step), settings.shown
    examples = Examples(work.parents["task"], ("transfer",))

    def requests() -> Iterator[Request]:
        for seen in told(work.parents, shown):
            if not seen.heard or seen.is_bypassed(shown):
                continue
            if shown.settled == "skip" and seen.is_settled(task, examples[seen.id]):
                continue
            coin = bool(stream(shown.seed, "blind", seen.id).integers(2)) if shown.order == "blind" else True
            text = task.revise_prompt(
                examples[seen.id],
                attempt=seen.attempt,
                others=seen.demonstrations(shown),
                order=shown.order,
                heads=coin,
            )
            yield Request(seen.id, ask(text))

    return keep_replies(work, requests(), len(examples), settings.sampling, settings.seed, local(settings.model, work))


@dataclass(frozen=True)
class Told:
    """What a student is told of one question: one label of every supervisor for the solution that is shown (`work`)
    and one for the doubt (`said`), the same unless work is shuffled; and the student's own answer so far (`own`)."""

    id: str
    work: tuple[WeakLabel, ...]
    said: tuple[WeakLabel, ...]
    own: Response | None

    @property
    def attempt(self) -> str:
        """The text of the student's own answer, "" without any."""
        return "" if self.own is None else self.own.text

    @property
    def heard(self) -> bool:
        """Whether any supervisor gave an answer; a question without is not learnt from."""
        return any(label.histogram for label in self.work)

    def is_bypassed(self, shown: Shown) -> bool:
        """Whether the demonstration is learnt as it is, all samples of all supervisors being agreed."""
        return shown.bypass and len({answer for label in self.work for answer, _ in label.histogram}) == 1

    def is_settled(self, task: Task, example: Example) -> bool:
        """Whether the student's own answer is that of every supervisor that gave one."""
        mine = task.parse(self.attempt, example)
        theirs = [label.answer for label in self.work if label.histogram]
        return mine is not None and bool(theirs) and all(one is not None and task.same(one, mine) for one in theirs)

    def demonstration(self) -> WeakLabel:
        """Return the label of the first supervisor that gave an answer."""
        return next(label for label in self.work if label.histogram)

    @property
    def text(self) -> str:
        """The text of the demonstration; empty where nobody was heard."""
        return self.demonstration().text if self.heard else ""

    def demonstrations(self, shown: Shown) -> list[Demonstration]:
        """Return what is shown of every supervisor that gave an answer."""
        return [
            Demonstration(label.text, listed(said.told, shown.listing, said.id), said.statement)
            if shown.uncertainty
            else Demonstration(label.text)
            for label, said in zip(self.work, self.said, strict=True)
            if label.histogram
        ]


def told(parents: Mapping[str, Path], shown: Shown) -> Iterator[Told]:
    """Yield what is told of each question, in the order of the labels.

    Raises:
        DataError: the parents do not answer the same questions in the same order, or there is no other question to
            shuffle with.
    """
    donors = _Donors(parents, shown.seed) if shown.shuffle != "none" else None
    attempts = read_responses(parents["attempts"]) if "attempts" in parents else None
    for number, labels in enumerate(_labels(parents)):
        id, own = labels[0].id, None
        if attempts is not None:
            other, responses = next(attempts, ("nothing", []))
            if other != id:
                raise DataError(f"The attempts answer {other!r} where the labels speak of {id!r}.")
            own = responses[0]
        said = labels if donors is None else donors.instead(number, labels)
        yield Told(id, said if shown.shuffle == "all" else labels, said, own)


def _labels(parents: Mapping[str, Path]) -> Iterator[tuple[WeakLabel, ...]]:
    """Yield the labels of every supervisor, question by question."""
    for labels in zip(*(read_labels(parents[name]) for name in label_parts(parents)), strict=True):
        if len({label.id for label in labels}) != 1:
            raise DataError(f"Supervisors label different questions: {[label.id for label in labels]}.")
        yield labels


class _Donors:
    """The labels that are shown with another question than their own: in one cycle over all questions that any
    supervisor answered, which leaves none with its own. They are read when they are shown; only their places are held.

    Raises:
        DataError: there is no other question.
    """

    def __init__(self, parents: Mapping[str, Path], seed: int) -> None:
        self._files = [Lines(parents[name] / LABELS) for name in label_parts(parents)]
        heard = [number for number, labels in enumerate(_labels(parents)) if any(one.histogram for one in labels)]
        if len(heard) < 2:
            raise DataError(
                f"Showing another question's work needs two or more readable labels, and there are {len(heard)}. Give "
                "the supervisor more or easier questions."
            )
        order = stream(seed, "shuffled-work").permutation(len(heard)).tolist()
        self._source = array("q", [-1]) * len(self._files[0])
        for place, other in zip(order, order[1:] + order[:1], strict=True):
            self._source[heard[place]] = heard[other]

    def instead(self, number: int, labels: tuple[WeakLabel, ...]) -> tuple[WeakLabel, ...]:
        """Return what is shown instead of the labels of that number: themselves where nobody answered."""
        source = self._source[number]
        return labels if source < 0 else tuple(WeakLabel.from_dict(file[source]) for file in self._files)


def label_parts(parents: Iterable[str]) -> list[str]:
    """Return the parts that labels play among the parents, the first supervisor's first."""
    names = [name for name in parents if name == LABELS_OF or name.startswith(f"{LABELS_OF}-")]
    return sorted(names, key=lambda name: int(name.rpartition("-")[2]) if "-" in name else 1)
