"""The step that grades weak labels against the sealed gold of `transfer`, for the report alone: nothing that trains
rests on it."""

from __future__ import annotations

from w2sg.config import Config
from w2sg.records import LabelScore, Role, by_id
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.calibrate import before_calibration
from w2sg.steps.inputs import LABEL_SCORES, SEALED_ACCESS, read_examples, read_labels
from w2sg.steps.task import task_of
from w2sg.storage import write_rows


class LabelScoreSettings(Config):
    """Grading has no settings of its own: the task's version names its meaning."""


def label_score_step(labels: Step, task: Step, label: str) -> Step:
    """Return the step that grades the weak labels of `labels`, and keeps what their confidence was before it was
    calibrated."""
    stated = before_calibration(labels)
    parents = {"labels": labels, "task": task, **({} if stated is None else {"stated": stated})}
    return Step("label-score", LabelScoreSettings(), parents, label)


def run(step: Step, work: Workspace) -> Outcome:
    """Grade every label whose question has gold; an unlabelled pool has none."""
    from w2sg.tasks.sealed import open_sealed

    task = task_of(step)
    folder = work.parents["task"]
    roles: tuple[Role, ...] = ("transfer",)
    gold = open_sealed(folder, by=step.label, reason="score", log=work.folder / SEALED_ACCESS, roles=roles)
    examples = by_id(read_examples(folder, roles), "transfer questions")
    stated = read_labels(work.parents["stated"]) if "stated" in step.parents else ()
    before = {label.id: label.confidence for label in stated}
    scores = [
        LabelScore(
            label.id,
            label.answer,
            task.correct(label.answer, examples[label.id], gold[label.id]),
            label.confidence,
            before.get(label.id),
        )
        for label in read_labels(work.parents["labels"])
        if label.id in gold
    ]
    write_rows(work.folder / LABEL_SCORES, scores)
    right = sum(score.correct for score in scores)
    return Outcome({"n": len(scores), "accuracy": right / len(scores) if scores else None})
