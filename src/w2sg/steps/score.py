"""The step that grades one response per test question against sealed gold; the opening is written down."""

from __future__ import annotations

from w2sg.config import Config
from w2sg.errors import DataError
from w2sg.records import ItemScore, join
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.inputs import SCORES, SEALED_ACCESS, read_items, read_responses, task_of
from w2sg.storage import write_rows


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
    scores = []
    for item, answers, truth in zip(items, join(ids, responses, "response"), join(ids, gold, "gold"), strict=True):
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
    return Outcome({"n": len(scores), "accuracy": right / len(scores) if scores else None, "unparsed": unparsed})
