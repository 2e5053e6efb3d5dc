"""`w2sg eval`: how right a student is on a file of questions with gold answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from w2sg.cli.options import AskingStore


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A folder of w2sg fit, or any model.")],
    gold: Annotated[Path, typer.Argument(metavar="FILE", help="Questions with answers: JSONL, JSON or parquet.")],
    store: AskingStore = None,
) -> None:
    """Say how right a model is on questions with gold answers: accuracy, its 95 % interval, unreadable answers.

    Give gold that the model was not trained on; w2sg does not know what else it has seen.

    \b
    w2sg eval runs/student gold.jsonl
    w2sg eval zoo/mini gold.jsonl
    """
    from rich.console import Console
    from rich.text import Text

    from w2sg.cli.asking import ask_file, do, store_for
    from w2sg.cli.student import read_student
    from w2sg.metrics.quality import quality
    from w2sg.steps.inputs import read_scores
    from w2sg.steps.score import score_step

    student, kept = read_student(model), store_for(model, store)
    asked = ask_file(student, gold, "test")
    grades = score_step(asked.answers, asked.task, f"grades of {model}")
    do([grades], kept, student)
    found = quality(read_scores(kept.folder(grades)))
    Console().print(
        Text(
            f"accuracy {found.accuracy:.1%}, 95 % interval {found.low:.1%} to {found.high:.1%}, on {found.n:,} "
            f"questions; {found.unparsed:,} answers could not be read and count as wrong"
        )
    )
