"""How many tokens ProntoQA's questions and the requests to revise an answer take, against a zoo member's context.

    python benchmarks/prontoqa_lengths.py --data PATH [--member small]

PATH holds `train.json` and `dev.json` in the form of Logic-LLM. The student's try, the other's solution and the reply
that must still fit are each as long as the gold response; the other gave both answers. Prints a line for every number
of deductions: the rows, the sentences beside the proof (distractors), tokens, each as smallest / middle / largest, and
how many rows fit with all their parts (question, try, solution, counts, doubt, reply), by form of the request.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from w2sg import tasks
from w2sg.models import zoo
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.hf import LanguageModel, load
from w2sg.records import TaskRow, ask
from w2sg.tasks.revision import Demonstration

COLUMNS = ("beside the proof", "question", "gold reply", "plain request", "thread")
FORMS = {"plain request": False, "thread": True}


def prontoqa(folder: Path, threads: bool) -> tasks.Task:
    """Return the task without an instruction, asking for revisions in threads or in plain English."""
    source = {"train": str(folder / "train.json"), "test": str(folder / "dev.json")}
    return tasks.build(tasks.task_config({"kind": "prontoqa", "instruction": "", "threads": threads, **source}))


def request(task: tasks.Task, row: TaskRow, response: str) -> str:
    """Return the request to revise `response` in the light of an equal one with its counts and doubt."""
    assert row.gold is not None
    answers = ((row.gold.answer, 20), ("false" if row.gold.answer == "true" else "true", 12))
    other = Demonstration(response, answers, task.doubt_in_words(row.example, answers, 0))
    return task.revise_prompt(row.example, attempt=response, others=(other,))


def lengths(model: LanguageModel, by_form: dict[str, tasks.Task], row: TaskRow) -> list[int]:
    """Return the figures of one row, in the order of COLUMNS."""
    task = by_form["thread"]
    assert row.gold is not None
    response = task.gold_response(row.example, row.gold)
    sentences = row.example.question.partition("\n")[0].count(".")
    asked = [task.prompt(row.example), *(request(by_form[form], row, response) for form in FORMS)]
    question, *requests = (len(model.prompt_ids(ask(text))) for text in asked)
    # A proof rests on one fact and a rule for each deduction.
    beside = sentences - int(row.example.difficulty or 0) - 1
    return [beside, question, len(model.response_ids(response)), *requests]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--member", default="small", choices=list(zoo.manifest()))
    chosen = parser.parse_args()
    model = load(ModelConfig(path=f"zoo/{chosen.member}"), RuntimeConfig(device="cpu"))
    by_form = {form: prontoqa(chosen.data, threads) for form, threads in FORMS.items()}
    found: dict[float, list[list[int]]] = defaultdict(list)
    for row in by_form["thread"].load():
        found[row.example.difficulty or 0].append(lengths(model, by_form, row))
    titles = [*COLUMNS, *(f"fit: {form}" for form in FORMS)]
    print("| deductions | rows |", " | ".join(titles), "|")
    print("|---" * (len(titles) + 2) + "|")
    for deductions, rows in sorted(found.items()):
        table = np.array(rows)
        cells = [" / ".join(f"{value:.0f}" for value in spread) for spread in np.quantile(table, (0, 0.5, 1), axis=0).T]
        cells += [str((table[:, 3 + n] + table[:, 2] <= model.max_length).sum()) for n in range(len(FORMS))]
        print(f"| {deductions:.0f} | {len(table)} |", " | ".join(cells), "|")


if __name__ == "__main__":
    main()
