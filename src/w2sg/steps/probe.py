"""The step that probes whether a model reads what it is shown: it is asked to revise the transfer questions, shown
right work, another question's, or a wrong answer as often or as rarely given, and its replies are graded.

It opens sealed gold, to show it and to grade with it, and the opening is written down; nothing is trained on a reply.
The world alone makes wrong answers on purpose, so only its tasks can be probed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from w2sg.decode.config import SamplingConfig
from w2sg.errors import DataError
from w2sg.records import Example, Gold, Row, ask, by_id, join
from w2sg.seeding import derive
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.inputs import SEALED_ACCESS, read_examples, read_responses
from w2sg.steps.model import Node
from w2sg.steps.replies import keep_replies, local
from w2sg.steps.sample import SampleSettings
from w2sg.steps.task import task_of
from w2sg.storage import read_rows, write_rows
from w2sg.tasks.base import Task
from w2sg.tasks.revision import Demonstration
from w2sg.tasks.world.config import WorldTask
from w2sg.tasks.world.problem import randomness
from w2sg.tasks.world.subjects import SUBJECTS

PROBES = "probe_scores.jsonl"

Shown = Literal["own", "other", "often", "rarely"]
"""`own`: the gold response to the question, as another's; `other`: that to another question; `often`, `rarely`: a
wrong answer and the right one, with how many of `VOTES` times each was given: the wrong one `COUNTS` of them. A
request shows them in an order that says nothing, so that only the counts can mislead."""
SHOWN: tuple[Shown, ...] = get_args(Shown)
VOTES = 16
COUNTS = {"often": 14, "rarely": 2}


class ProbeSettings(SampleSettings):
    """Which model is probed; how the probing is done is the version of the step."""


@dataclass(frozen=True, slots=True)
class ProbeScore(Row):
    """The grade of one reply. `follows`: its answer is the wrong one that was shown; never where none was."""

    id: str
    shown: Shown
    answer: str | None
    correct: bool
    follows: bool


def probe_step(node: Node, task: Step, sampling: SamplingConfig, label: str) -> Step:
    """Return the step that probes `node` greedily on the task's transfer questions."""
    settings = ProbeSettings(model=node.ref, roles=("transfer",), sampling=sampling, seed=0)
    return Step("probe", settings, {"task": task, **node.parents()}, label)


def run(step: Step, work: Workspace) -> Outcome:
    """Ask every question four times, and grade.

    Raises:
        DataError: the task is not of the world, or has fewer than two transfer questions.
    """
    from w2sg.decode.sampling import Request
    from w2sg.tasks.sealed import open_sealed

    settings, task = step.settings, task_of(step)
    assert isinstance(settings, ProbeSettings)
    if not isinstance(task, WorldTask):
        raise DataError(f"The task {task.name!r} cannot be probed: wrong answers are made for the world's tasks alone.")
    examples = by_id(read_examples(work.parents["task"], settings.roles), "transfer questions")
    if len(examples) < 2:
        raise DataError(
            f"Probing {task.name!r} shows every question the work on another one: it needs two transfer questions or "
            "more. Raise split.transfer."
        )
    log = work.folder / SEALED_ACCESS
    gold = open_sealed(work.parents["task"], by=step.label, reason="probe", log=log, roles=settings.roles)
    wrong = wrong_answers(task, examples)
    requests = (
        Request(f"{shown}/{id}", ask(task.revise_prompt(examples[id], others=(demonstration,))))
        for shown in SHOWN
        for id, demonstration in demonstrations(task, examples, gold, wrong, shown)
    )
    speaker = local(settings.model, work)
    outcome = keep_replies(work, requests, len(SHOWN) * len(examples), settings.sampling, settings.seed, speaker)
    scores = []
    for name, (response,) in read_responses(work.folder):
        shown, _, id = name.partition("/")
        answer = task.parse(response.text, examples[id])
        right = task.correct(answer, examples[id], gold[id])
        follows = shown in COUNTS and task.correct(answer, examples[id], Gold(id, wrong[id]))
        scores.append(ProbeScore(id, shown, answer, right, follows))  # type: ignore[arg-type]
    write_rows(work.folder / PROBES, scores)
    return outcome


def wrong_answers(task: WorldTask, ids: Collection[str]) -> dict[str, str]:
    """Return for every question the answer of a careless solution, the same whenever it is asked for."""
    kind = SUBJECTS[task.subject]
    problems = join(list(ids), task.problems(), "problem of the world")
    return {
        id: kind.slip(problem, randomness(task.config.seed, "probe", id)).answer
        for id, problem in zip(ids, problems, strict=True)
    }


def demonstrations(
    task: Task, examples: Mapping[str, Example], gold: Mapping[str, Gold], wrong: Mapping[str, str], shown: Shown
) -> Iterator[tuple[str, Demonstration]]:
    """Yield every question's id with what is shown beside it. The other question is always the same one, and its
    answer may happen to be right here too."""
    if shown in COUNTS:
        for id, example in examples.items():
            right = task.grader.shown(gold[id].answer, example.choices)
            counts = {wrong[id]: COUNTS[shown], right: VOTES - COUNTS[shown]}
            yield id, Demonstration(answers=tuple(sorted(counts.items(), key=lambda pair: -pair[1])))
        return
    worked = {id: task.gold_response(example, gold[id]) for id, example in examples.items()}
    ring = sorted(examples, key=lambda id: derive(0, "probe", id))
    following = dict(zip(ring, (*ring[1:], ring[0]), strict=True))
    for id in examples:
        yield id, Demonstration(text=worked[id if shown == "own" else following[id]])


def read_probe_scores(folder: Path) -> list[ProbeScore]:
    """Return the grades of a probe step."""
    return read_rows(folder / PROBES, ProbeScore)
