"""`w2sg predict`: a student's answers to a file of questions."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from w2sg.cli.options import AskingStore, Instruction, TrustRemoteCode
from w2sg.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from w2sg.steps.doubt import LabelDoubt


def predict(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A folder of w2sg fit, or any model.")],
    questions: Annotated[Path, typer.Argument(metavar="FILE", help="Questions: JSONL, JSON or parquet.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the answers go (JSONL).")],
    instruction: Instruction = None,
    doubt: Annotated[bool, typer.Option("--doubt", help="Say how sure the model is of each answer.")] = False,
    store: AskingStore = None,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Answer a file of questions. Stopped and started again, it continues where it stopped.

    Each line of the output holds id, question, answer (null where none could be read) and the whole text. With --doubt
    also confidence (the geometric mean of the probabilities of the text's tokens, its end included; 0 where nothing can
    be read), of an ensemble agreement (the mean share of its experts' weights that would have said the same token), and
    under tokens what these are made of: log_probabilities, entropies, divergences and dissents.

    \b
    w2sg predict runs/student questions.jsonl --out answers.jsonl
    w2sg predict runs/student questions.jsonl --out answers.jsonl --doubt
    """
    import json

    from rich.console import Console
    from rich.text import Text

    from w2sg.cli.asking import ask_file, do, store_for
    from w2sg.cli.student import how_asked, read_student
    from w2sg.steps.doubt import read_doubts
    from w2sg.steps.inputs import read_responses
    from w2sg.steps.task import task_of
    from w2sg.storage import write_atomic

    check_out(out, questions)
    student, kept = read_student(model, trust_remote_code, instruction, questions), store_for(store)
    if note := how_asked(model, instruction):
        Console(stderr=True).print(Text(note))
    asked = ask_file(student, questions, "transfer")
    sure = asked.doubt() if doubt else None
    do([asked.answers] if sure is None else [sure], kept, student)
    task = task_of(asked.answers)
    doubts = {} if sure is None else {one.id: one for one in read_doubts(kept.folder(sure))}
    texts = dict(read_responses(kept.folder(asked.answers)))
    rows = []
    for example in (row.example for row in task.load()):  # in the file's order
        text = texts[example.id][0].text
        answer = task.parse(text, example)
        row = {"id": example.id, "question": example.question, "answer": answer, "text": text}
        if doubt:
            row |= in_numbers(doubts.get(example.id), answer is not None, asked.node.is_ensemble)
        rows.append(row)
    write_atomic(out, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    unread = sum(row["answer"] is None for row in rows)
    words = f"{len(rows):,} answers in {out}; {unread:,} of them hold no answer that can be read."
    if rows and unread == len(rows) and instruction is None:
        words += " Were the model's questions asked otherwise when it was tuned? --instruction says how."
    Console().print(Text(words))


def in_numbers(found: LabelDoubt | None, readable: bool, several: bool) -> dict[str, Any]:
    """Return what is told of how sure a model, or several as one, is of one answer; `found` is None where that could
    not be read back."""
    from w2sg.metrics.certainty import certainty

    if found is None:
        return {"confidence": 0.0, "agreement": None, "tokens": None}
    sure = {
        measure: certainty(found.log_probabilities, found.dissents, measure) for measure in ("likelihood", "agreement")
    }
    tokens = {name: values for name, values in found.to_dict().items() if name != "id"}
    return {
        "confidence": sure["likelihood"] if readable else 0.0,
        "agreement": sure["agreement"] if several else None,
        "tokens": tokens,
    }


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
