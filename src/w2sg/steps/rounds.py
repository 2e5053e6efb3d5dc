"""Samples drawn in rounds: each question gets a few more until its vote is settled, or it has all it may have.

Round after round goes through the one sampling engine with all questions still open. Sample number k of a question is
the one that drawing all at once would give, so that what is drawn is the beginning of that. When a vote is settled is
`elicit.stopping`'s to say. Only the answers to questions still open are held, equal ones once; questions are read anew
for every round.
"""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2sg.decode.config import SamplingConfig
from w2sg.elicit.statements import Speaker
from w2sg.elicit.stopping import Stopping
from w2sg.errors import DataError
from w2sg.records import Example, Response, ask
from w2sg.steps.base import Outcome, Workspace
from w2sg.steps.inputs import RESPONSES, read_responses
from w2sg.steps.replies import beginning_at, counted, keep_replies
from w2sg.storage import remove_folder, write_rows
from w2sg.tasks.base import Task

if TYPE_CHECKING:
    from w2sg.decode.sampling import Request

ROUNDS = "rounds"


def keep_rounds(
    work: Workspace,
    task: Task,
    examples: Iterable[Example],
    sampling: SamplingConfig,
    stopping: Stopping,
    seed: int,
    speaker: Speaker,
) -> Outcome:
    """Sample every question until `stopping` finds it settled, and write all responses to `responses.jsonl`, in the
    order of the questions. A killed round repeats one block at most, as `keep_replies` has it.

    Args:
        examples: the questions, gone through several times in every round.

    Returns:
        What `keep_replies` counts, and: `rounds`, how many there were; `settled`, the questions that were settled with
        fewer than all samples; `samples_per_question`, the mean; `share_of_samples`, of those that drawing all would
        have taken. The last two are None where there is no question.

    Raises:
        DataError: two questions share an id.
    """
    whole, rounds = work.folder / RESPONSES, work.folder / ROUNDS
    if not whole.exists():
        folders = list(_rounds(work, task, examples, sampling, stopping, seed, speaker))
        write_rows(whole, _joined(examples, folders))
    remove_folder(rounds)
    outcome = counted(work.folder)
    return replace(outcome, summary={**outcome.summary, **_saving(work.folder, sampling.samples, stopping)})


def _rounds(
    work: Workspace,
    task: Task,
    examples: Iterable[Example],
    sampling: SamplingConfig,
    stopping: Stopping,
    seed: int,
    speaker: Speaker,
) -> Iterator[Path]:
    """Yield the folder of every round."""
    answers: dict[str, list[str | None]] = {}
    for example in examples:
        if example.id in answers:
            raise DataError(f"The questions hold the id {example.id!r} twice; ids must be unique.")
        answers[example.id] = []
    everything, drawn = len(answers) * sampling.samples, 0
    for look in stopping.looks(sampling.samples):
        if not answers:
            break
        folder = work.folder / ROUNDS / f"{drawn:06d}"
        done = everything - len(answers) * (sampling.samples - drawn)
        keep_replies(
            replace(work, folder=folder, progress=beginning_at(work.progress, done, everything)),
            _requests(task, examples, answers, drawn),
            len(answers),
            sampling.model_copy(update={"samples": look - drawn}),
            seed,
            speaker,
        )
        yield folder
        drawn = look
        for example, rows in _answered(examples, folder):
            given = answers[example.id]
            parsed = (task.parse(row.text, example) for row in rows)
            given += [None if answer is None else sys.intern(answer) for answer in parsed]
            if stopping.settled(task, given, sampling.samples):
                del answers[example.id]
    work.progress(everything, everything, "")


def _requests(task: Task, examples: Iterable[Example], wanted: Container[str], first: int) -> Iterator[Request]:
    from w2sg.decode.sampling import Request

    return (Request(example.id, ask(task.prompt(example)), first) for example in examples if example.id in wanted)


def _answered(examples: Iterable[Example], folder: Path) -> Iterator[tuple[Example, list[Response]]]:
    """Yield the questions that the responses in a folder answer, in their order, each with its responses."""
    questions = iter(examples)
    for id, rows in read_responses(folder):
        yield next(example for example in questions if example.id == id), rows


def _joined(examples: Iterable[Example], folders: Sequence[Path]) -> Iterator[Response]:
    """Yield the responses of all rounds, question by question; each round holds a part of the questions, in order."""
    sources = [read_responses(folder) for folder in folders]
    heads = [next(source, None) for source in sources]
    for example in examples:
        for place, source in enumerate(sources):
            head = heads[place]
            if head is not None and head[0] == example.id:
                yield from head[1]
                heads[place] = next(source, None)


def _saving(folder: Path, samples: int, stopping: Stopping) -> dict[str, Any]:
    """Return what stopping saved, as `keep_rounds` tells it."""
    counts = [len(rows) for _, rows in read_responses(folder)]
    mean = sum(counts) / len(counts) if counts else None
    return {
        "rounds": sum(look <= max(counts, default=0) for look in stopping.looks(samples)),
        "settled": sum(count < samples for count in counts),
        "samples_per_question": mean,
        "share_of_samples": None if mean is None else mean / samples,
    }
