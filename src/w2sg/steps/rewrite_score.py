"""The step that grades, against the sealed gold of `transfer`, what a rewriting student was shown, what it first said
and what it learnt, for the report alone: nothing that trains rests on it."""

from __future__ import annotations

from collections.abc import Iterator

from w2sg.config import Config
from w2sg.records import RewriteScore, Role, by_id
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.inputs import REWRITE_SCORES, SEALED_ACCESS, read_examples, read_targets
from w2sg.steps.rewrite import RewriteSettings, Shown, told
from w2sg.steps.task import task_of
from w2sg.storage import write_rows


class RewriteScoreSettings(Config):
    """What the student was shown; the task's version names the meaning of grading."""

    shown: Shown
    """What of the supervisors' work was shown."""


def rewrite_score_step(targets: Step, label: str) -> Step:
    """Return the step that grades what the training texts of `targets`, which rest on rewrites, were made of."""
    rewrites = targets.parents["rewrites"].settings
    assert isinstance(rewrites, RewriteSettings)
    parents = {part: parent for part, parent in targets.parents.items() if part != "rewrites"}
    return Step("rewrite-score", RewriteScoreSettings(shown=rewrites.shown), {**parents, "targets": targets}, label)


def run(step: Step, work: Workspace) -> Outcome:
    """Grade every question that has gold; an unlabelled pool has none."""
    from w2sg.tasks.sealed import open_sealed

    settings = step.settings
    assert isinstance(settings, RewriteScoreSettings)
    task, folder = task_of(step), work.parents["task"]
    roles: tuple[Role, ...] = ("transfer",)
    gold = open_sealed(folder, by=step.label, reason="score", log=work.folder / SEALED_ACCESS, roles=roles)
    examples = by_id(read_examples(folder, roles), "transfer questions")
    learnt = {target.id: target.response for target in read_targets(work.parents["targets"])}

    def scores() -> Iterator[RewriteScore]:
        for seen in told(work.parents, settings.shown):
            if seen.id not in gold:
                continue
            example, truth = examples[seen.id], gold[seen.id]
            shown = seen.demonstration() if seen.heard else seen.work[0]
            text = learnt.get(seen.id)
            own = task.parse(seen.attempt, example) if seen.attempt else None
            taught = None if text is None else task.parse(text, example)
            yield RewriteScore(
                seen.id,
                shown=shown.answer,
                own=own,
                learnt=taught,
                shown_right=task.correct(shown.answer, example, truth),
                own_right=task.correct(own, example, truth),
                learnt_right=task.correct(taught, example, truth),
                taught=text is not None,
                bypassed=seen.heard and seen.is_bypassed(settings.shown),
                confidence=shown.confidence,
            )

    graded = list(scores())
    write_rows(work.folder / REWRITE_SCORES, graded)
    taught = [score for score in graded if score.taught]
    return Outcome(
        {
            "n": len(graded),
            "taught": len(taught),
            "shown_right": sum(score.shown_right for score in graded),
            "own_right": sum(score.own_right for score in graded),
            "learnt_right": sum(score.learnt_right for score in taught),
        }
    )
