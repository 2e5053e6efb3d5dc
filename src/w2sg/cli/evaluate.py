"""`w2sg eval`: how right a student is on a file of questions with gold answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from w2sg.cli.options import AskingStore, Instruction, TrustRemoteCode

if TYPE_CHECKING:
    from w2sg.records import ItemScore

ROLES = {"supervise": "by the teacher", "validate": "to choose settings", "transfer": "in the pool"}


def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A folder of w2sg fit, or any model.")],
    gold: Annotated[Path, typer.Argument(metavar="FILE", help="Questions with answers: JSONL, JSON or parquet.")],
    instruction: Instruction = None,
    store: AskingStore = None,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Say how right a model is on questions with gold answers: accuracy, its 95 % interval, unreadable answers.

    Give gold that the model was not trained on. Questions that a folder of w2sg fit was made with are told and
    counted apart; w2sg does not know what else a model has seen.

    \b
    w2sg eval runs/student gold.jsonl
    w2sg eval zoo/mini gold.jsonl
    """
    from rich.console import Console
    from rich.text import Text

    from w2sg.cli.asking import ask_file, do, store_for
    from w2sg.cli.student import how_asked, key_of, read_student, taught
    from w2sg.steps.inputs import read_items, read_scores
    from w2sg.steps.score import score_step

    student, kept = read_student(model, trust_remote_code, instruction, gold), store_for(store)
    if note := how_asked(model, instruction):
        Console(stderr=True).print(Text(note))
    asked = ask_file(student, gold, "test")
    grades = score_step(asked.answers, asked.task, f"grades of {model}")
    do([grades], kept, student)
    scores = read_scores(kept.folder(grades))
    keys = {item.example.id: key_of(item.example) for item in read_items(kept.folder(asked.task), ("test",))}
    used = {role: {id for id, key in keys.items() if key in known} for role, known in taught(model).items()}
    seen = set[str]().union(*used.values())
    told = [in_words(scores)]
    if seen:
        roles = ", ".join(f"{len(ids):,} {ROLES[role]}" for role, ids in used.items() if ids and role in ROLES)
        told = [f"{len(seen):,} of {len(scores):,} questions were used in training ({roles})"]
        told.append(f"on all: {in_words(scores)}")
        fresh = [score for score in scores if score.id not in seen]
        told.append(f"on the others: {in_words(fresh)}" if fresh else "none is left to judge the student by")
    Console().print(Text("\n".join(told)))


def in_words(scores: Sequence[ItemScore]) -> str:
    """Return the accuracy of the scores, its interval and the unreadable answers, in one sentence."""
    from w2sg.metrics.quality import quality

    found = quality(scores)
    return (
        f"accuracy {found.accuracy:.1%}, 95 % interval {found.low:.1%} to {found.high:.1%}, on {found.n:,} "
        f"questions; {found.unparsed:,} answers could not be read and count as wrong"
    )
