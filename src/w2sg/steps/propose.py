"""The step that says where a student stands after it revised: one response per question, in the order of the labels.

It is the chosen rewrite; where none may be chosen, or the student was not asked, what it said before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from w2sg.config import Config
from w2sg.errors import DataError
from w2sg.records import Example, Response
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.inputs import RESPONSES, Examples, read_responses
from w2sg.steps.rewrite import Shown, Told, told
from w2sg.steps.task import task_of
from w2sg.storage import write_rows
from w2sg.tasks.base import Task


class Choice(Config):
    """Which of several rewrites is taken."""

    check: bool
    """Only rewrites that are finished and give a readable final answer."""
    reasoned: bool
    """With `check`: only rewrites that hold their reasoning, where the demonstration they were shown does."""
    choose: Literal["first", "majority"]
    """The first, or the first with their most frequent answer."""

    def passes(self, task: Task, response: Response, answer: str | None, shown: str) -> bool:
        """Whether a response with this parsed answer, to a request that held the demonstration `shown`, may be taken
        at all."""
        if not self.check:
            return True
        bare = self.reasoned and task.reasons(shown) and not task.reasons(response.text)
        return response.finished and answer is not None and not bare

    def of(self, task: Task, example: Example, written: Sequence[Response], shown: str) -> Response | None:
        """Return the one that is taken; None where none passes the check."""
        answers = [task.parse(response.text, example) for response in written]
        fit = [place for place, response in enumerate(written) if self.passes(task, response, answers[place], shown)]
        if not fit:
            return None
        if self.choose == "majority":
            given = [answers[place] for place in fit]
            votes = [0 if answer is None else given.count(answer) for answer in given]
            return written[fit[votes.index(max(votes))]]
        return written[fit[0]]


class ProposeSettings(Config):
    """How the student's answer is chosen among its rewrites."""

    choice: Choice
    """Which rewrite is taken."""
    bypass: bool
    """Whether it was not asked, and stands by the demonstration, where all samples of every supervisor agree."""


def propose_step(parents: Mapping[str, Step], settings: ProposeSettings, label: str) -> Step:
    """Return the step. `parents`: `task`, `labels` (`labels-2`, ...), `rewrites`, and `attempts` or none."""
    return Step("propose", settings, parents, label)


def run(step: Step, work: Workspace) -> Outcome:
    """Write the student's answer to every question to `responses.jsonl`; an empty one, unfinished, where it has none.

    Raises:
        DataError: a rewrite answers a question that the labels do not speak of, or out of order.
    """
    settings, task = step.settings, task_of(step)
    assert isinstance(settings, ProposeSettings)
    examples = Examples(work.parents["task"], ("transfer",))
    shown = Shown(uncertainty=False, order="own-first", bypass=settings.bypass, shuffle="none", seed=0)
    taken = kept = 0

    def proposals() -> Iterator[Response]:
        nonlocal taken, kept
        rewrites = read_responses(work.parents["rewrites"])
        head = next(rewrites, None)
        for seen in told(work.parents, shown):
            chosen = None
            if head is not None and head[0] == seen.id:
                chosen = settings.choice.of(task, examples[seen.id], head[1], seen.text)
                head = next(rewrites, None)
            taken, kept = taken + (chosen is not None), kept + (chosen is None)
            yield chosen or _standing(seen, shown)
        if head is not None:
            raise DataError(f"The rewrites answer {head[0]!r}, which the labels do not speak of at that place.")

    write_rows(work.folder / RESPONSES, proposals())
    return Outcome({"rewritten": taken, "kept": kept})


def _standing(seen: Told, shown: Shown) -> Response:
    """Return what a student stands by that wrote nothing new."""
    if seen.is_bypassed(shown):
        return Response(seen.id, 0, seen.demonstration().text, 0, True)
    return seen.own or Response(seen.id, 0, "", 0, False)
