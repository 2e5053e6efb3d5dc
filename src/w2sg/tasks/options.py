"""The options of a choice question as the responses that name them, so that a language model can be a classifier."""

from __future__ import annotations

from w2sg.errors import DataError
from w2sg.records import Example, Gold
from w2sg.tasks.base import Task
from w2sg.tasks.grading.choice import letter


def option_responses(task: Task, example: Example) -> list[str]:
    """Return for each option the bare response that gives it as the answer: what gold would say if it were right.

    Raises:
        DataError: the question has fewer than two options.
    """
    if len(example.choices) < 2:
        raise DataError(
            f"The question {example.id!r} of the task {task.name!r} has {len(example.choices)} options, and a "
            "classifier chooses among two or more. Use a task whose questions have `choices`."
        )
    return [
        task.gold_response(example, Gold(example.id, letter(place)), reasoning=False)
        for place in range(len(example.choices))
    ]


def right_option(task: Task, example: Example, gold: Gold) -> int:
    """Return the place of the option that gold names.

    Raises:
        DataError: gold names none.
    """
    right = [place for place in range(len(example.choices)) if task.correct(letter(place), example, gold)]
    if len(right) != 1:
        raise DataError(
            f"The gold answer {gold.answer!r} of the question {example.id!r} names {len(right)} of its "
            f"{len(example.choices)} options. Give the letter or the text of the right one."
        )
    return right[0]
