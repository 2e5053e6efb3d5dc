"""The step that grades one response per test question against sealed gold; the opening is written down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from w2sg.config import Config
from w2sg.errors import DataError
from w2sg.records import Gold, Item, ItemScore, join
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.inputs import SCORES, SEALED_ACCESS, read_items, read_responses
from w2sg.steps.task import task_of
from w2sg.storage import write_rows
from w2sg.tasks.base import Task


class ScoreSettings(Config):
    """Grading has no settings of its own: the task's version names its meaning."""


def score_step(samples: Step, task: Step, label: str) -> Step:
    """Return the step that grades the responses of `samples` to the task's test questions."""
    return Step("score", ScoreSettings(), {"samples": samples, "task": task}, label)


def run(step: Step, work: Workspace) -> Outcome:
    """Grade every test item; a response that does not parse is wrong and stays in the denominator."""
    from w2sg.tasks.sealed import open_sealed

    task = task_of(step)
    items = read_items(work.parents["task"], ("test",))
    gold = open_sealed(work.parents["task"], by=step.label, reason="score", log=work.folder / SEALED_ACCESS)
    responses = dict(read_responses(work.parents["samples"]))
    ids = [item.example.id for item in items]
    truths = join(ids, gold, "gold")
    scores = []
    for item, answers, truth in zip(items, join(ids, responses, "response"), truths, strict=True):
        if len(answers) != 1:
            raise DataError(f"Scoring needs one response per question; {item.example.id!r} has {len(answers)}.")
        answer = task.parse(answers[0].text, item.example)
        correct = task.correct(answer, item.example, truth)
        scores.append(
            ItemScore(item.example.id, item.stratum, correct, answer is not None, answer, item.example.difficulty)
        )
    write_rows(work.folder / SCORES, scores)
    right = sum(score.correct for score in scores)
    unparsed = sum(not score.parsed for score in scores)
    accuracy = right / len(scores) if scores else None
    majority = _majority(task, items, truths)
    return Outcome({"n": len(scores), "accuracy": accuracy, "unparsed": unparsed, "majority": majority})


def _majority(task: Task, items: Sequence[Item], truths: Sequence[Gold]) -> dict[str, float]:
    """Return, for `all` and each stratum, the accuracy of giving gold's most frequent answer to everything."""
    counts: dict[str, Counter[str | None]] = {}
    for item, truth in zip(items, truths, strict=True):
        answer = task.parse(task.gold_response(item.example, truth, reasoning=False), item.example)
        for stratum in ("all", item.stratum):
            if stratum:
                counts.setdefault(stratum, Counter())[answer] += 1
    return {stratum: count.most_common(1)[0][1] / count.total() for stratum, count in counts.items()}
