"""`w2sg predict`: a student's answers to a file of questions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from w2sg.cli.options import AskingStore, Instruction, TrustRemoteCode
from w2sg.errors import ConfigError, StoreError


def predict(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A folder of w2sg fit, or any model.")],
    questions: Annotated[Path, typer.Argument(metavar="FILE", help="Questions: JSONL, JSON or parquet.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the answers go (JSONL).")],
    instruction: Instruction = None,
    store: AskingStore = None,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Answer a file of questions. Stopped and started again, it continues where it stopped.

    Each line of the output holds id, question, answer (null where none could be read) and the whole text.

    \b
    w2sg predict runs/student questions.jsonl --out answers.jsonl
    """
    import json

    from rich.console import Console
    from rich.text import Text

    from w2sg.cli.asking import ask_file, do, store_for
    from w2sg.cli.student import how_asked, read_student
    from w2sg.steps.inputs import read_responses
    from w2sg.steps.task import task_of
    from w2sg.storage import write_atomic

    check_out(out, questions)
    student, kept = read_student(model, trust_remote_code, instruction, questions), store_for(store)
    if note := how_asked(model, instruction):
        Console(stderr=True).print(Text(note))
    asked = ask_file(student, questions, "transfer")
    do([asked.answers], kept, student)
    task = task_of(asked.answers)
    texts = dict(read_responses(kept.folder(asked.answers)))
    rows = []
    for example in (row.example for row in task.load()):  # in the file's order
        text = texts[example.id][0].text
        answer = task.parse(text, example)
        rows.append({"id": example.id, "question": example.question, "answer": answer, "text": text})
    write_atomic(out, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    unread = sum(row["answer"] is None for row in rows)
    words = f"{len(rows):,} answers in {out}; {unread:,} of them hold no answer that can be read."
    Console().print(Text(words))


def check_out(out: Path, questions: Path) -> None:
    """Refuse an output that would replace the questions or cannot be written, before hours of sampling.

    Raises:
        ConfigError, StoreError: it is the questions' own file, a folder, or in a folder that cannot be written.
    """
    from w2sg.storage import make_folder

    if out.resolve() == questions.resolve():
        raise ConfigError(f"--out {str(out)!r} is the file of the questions, which it would replace. Give another.")
    if out.is_dir():
        raise ConfigError(f"--out {str(out)!r} is a folder. Give the file that the answers go to.")
    if not os.access(make_folder(out.parent), os.W_OK | os.X_OK):
        raise StoreError(f"The folder {str(out.parent)!r} cannot be written. Give --out a file in another folder.")
