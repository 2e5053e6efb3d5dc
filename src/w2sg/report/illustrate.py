"""The texts behind the report's example items: questions, gold, and what every arm said, read from the store.

Which items are shown is `examples`' choice. Test gold is opened for them after everything is graded; the opening is
logged in the run's own folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from w2sg.records import Gold, Item
from w2sg.report.arms import ArmResult
from w2sg.report.examples import ItemExample, MethodAnswer, choose_items
from w2sg.runs.plan import Arm, Plan
from w2sg.runs.store import Store
from w2sg.steps.base import Step
from w2sg.steps.inputs import SEALED_ACCESS, read_items, read_responses, read_scores
from w2sg.steps.task import task_of
from w2sg.tasks.sealed import open_sealed


def illustrate(plan: Plan, store: Store, arms: Sequence[ArmResult], out: Path) -> list[ItemExample]:
    """Return the example items of every task, with the answers of each arm's first seed.

    Raises:
        StoreError: a step's files are missing or damaged.
    """
    shown: list[ItemExample] = []
    for task, laid_out in {arm.task: arm.task_step for arm in plan.arms}.items():
        wanted = choose_items(arms, task)
        gold = open_sealed(store.folder(laid_out), by="report", reason="score", log=out / SEALED_ACCESS)
        items = {item.example.id: item for item in read_items(store.folder(laid_out), ("test",))}
        first: dict[str, Arm] = {}
        for arm in plan.arms:
            if arm.task == task:
                first.setdefault(arm.method, arm)
        said = {name: _answers(arm, store, set(wanted)) for name, arm in first.items()}
        for id, why in wanted.items():
            answers = tuple(answers[id] for answers in said.values() if id in answers)
            shown.append(_example(task, laid_out, items[id], gold[id], answers, why))
    return shown


def _answers(arm: Arm, store: Store, wanted: set[str]) -> dict[str, MethodAnswer]:
    grades = {score.id: score for score in read_scores(store.folder(arm.scores)) if score.id in wanted}
    return {
        id: MethodAnswer(arm.method, arm.seed, responses[0].text, grades[id].answer, grades[id].correct)
        for id, responses in read_responses(store.folder(arm.answers))
        if id in grades
    }


def _example(
    task: str, laid_out: Step, item: Item, gold: Gold, answers: tuple[MethodAnswer, ...], why: str
) -> ItemExample:
    example = item.example
    asked = task_of(Step("score", laid_out.settings, {"task": laid_out}))
    shown = asked.gold_response(example, gold)
    return ItemExample(
        task=task,
        id=example.id,
        stratum=item.stratum,
        question=example.question,
        gold=shown,
        answers=answers,
        choices=example.choices,
        difficulty=example.difficulty,
        why=why,
    )
