"""Whether a member weighs how often an answer was given, or takes the one that stands first.

    python benchmarks/zoo_counts.py [--members small] [--questions 600] [--device cuda] [--out DIR]

A wrong and a right answer are shown, the wrong one given often or rarely, and standing first or last. By counts
alone a member follows the wrong answer as often wherever it stands; by place alone, as often however often it
was given. (Requests to revise show answers in an order that says nothing; here the order is set.) Then a wrong
demonstration is shown whose answer was given by all, by most or by few, with a remark that says so: a member that
weighs what it is told follows it the less, the fewer gave it. Writes `results/zoo/MEMBER/counts.json`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from zoo_measure import Sheet, arguments, computed, ended, files

from w2sg import tasks
from w2sg.decode.config import SamplingConfig
from w2sg.metrics.bootstrap import Family
from w2sg.metrics.verdict import accuracy_in, compare_in
from w2sg.models import zoo
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.records import Gold, TaskRow, ask
from w2sg.runs.zoo_check import KINDS
from w2sg.steps.probe import COUNTS, VOTES, wrong_answers
from w2sg.storage import hash_folder
from w2sg.tasks.world import threads
from w2sg.tasks.world.config import WorldTask
from w2sg.tasks.world.problem import randomness
from w2sg.tasks.world.subjects import SUBJECTS

SAMPLING = SamplingConfig(max_new_tokens=96)
PLACES = ("first", "last")
GAVE = {16: (0, 0), 12: (3, 1), 6: (5, 5), 2: (10, 4)}
"""How many of `VOTES` gave the answer of a wrong demonstration, with how many gave the right and another wrong one."""
TRIES = 20
"""Slips among which another wrong answer is looked for; where there is none its votes go to the right one."""
DIGITS = 4


def transfer(kind: str, count: int) -> tuple[WorldTask, list[TaskRow]]:
    """Return the task and its first transfer questions with their gold."""
    task = tasks.build(tasks.task_config({"kind": kind, "split": {"transfer": count}}))
    assert isinstance(task, WorldTask)
    rows = [row for row in tasks.split(task.load(), task.config.split).rows if row.role == "transfer"]
    return task, rows


Cells = dict[str, dict[str, str]]
"""The requests of every case, by question id."""


def crossed(task: WorldTask, rows: list[TaskRow], wrong: Mapping[str, str]) -> Cells:
    """Return requests that show the wrong answer often or rarely, first or last."""
    cells: Cells = {}
    for often, place in product(COUNTS, PLACES):
        cells[f"{often}/{place}"] = found = {}
        for row in rows:
            assert row.gold is not None
            right = task.grader.shown(row.gold.answer, row.example.choices)
            pairs = [(wrong[row.example.id], COUNTS[often]), (right, VOTES - COUNTS[often])]
            found[row.example.id] = threads.revise(
                task.prompt(row.example), answers=pairs if place == "first" else pairs[::-1]
            )
    return cells


def doubted(task: WorldTask, rows: list[TaskRow]) -> Cells:
    """Return requests that show a wrong demonstration, whose answer so many of `VOTES` gave, among others."""
    kind, problems = SUBJECTS[task.subject], task.problems()
    cells: Cells = {}
    for votes, rest in GAVE.items():
        cells[f"demonstration/{votes}"] = found = {}
        for row in rows:
            rng = randomness(task.config.seed, "probe", row.example.id)
            problem = problems[row.example.id]
            demonstration, right = kind.slip(problem, rng), problem.solution.answer
            others = [slip.answer for slip in (kind.slip(problem, rng) for _ in range(TRIES))]
            other = next((answer for answer in others if answer not in (demonstration.answer, right)), right)
            counts = {demonstration.answer: votes}
            for answer, count in zip((right, other), rest, strict=True):
                if count:
                    counts[answer] = counts.get(answer, 0) + count
            answers = list(counts.items())
            rng.shuffle(answers)
            found[row.example.id] = threads.revise(
                task.prompt(row.example),
                demonstration=demonstration.response(),
                answers=answers,
                doubt=threads.doubt(votes / VOTES, rng),
            )
    return cells


def followed(member: str, kind: str, chosen: argparse.Namespace, runtime: RuntimeConfig) -> dict[str, Any]:
    """Return the share of replies that follow the wrong answer in each case, and how counts move it."""
    from w2sg.decode.sampling import Request, sample
    from w2sg.models.hf import load

    model = load(ModelConfig(path=str(chosen.model) if chosen.model else zoo.PREFIX + member), runtime)
    task, rows = transfer(kind, chosen.questions)
    examples = {row.example.id: row.example for row in rows}
    wrong = wrong_answers(task, list(examples))
    outcomes: dict[str, dict[int, dict[str, bool]]] = {}
    for name, requests in {**crossed(task, rows, wrong), **doubted(task, rows)}.items():
        asked = [Request(id, ask(text)) for id, text in requests.items()]
        outcomes[name] = {
            0: {
                response.id: task.correct(
                    task.parse(response.text, examples[response.id]),
                    examples[response.id],
                    Gold(response.id, wrong[response.id]),
                )
                for chunk in sample(model, asked, SAMPLING, seed=0, runtime=runtime)
                for response in chunk
            }
        }
    family = Family(outcomes)
    found: dict[str, Any] = {"questions": len(rows)}
    for name in outcomes:
        value = accuracy_in(family, name)
        found[name] = {end: round(getattr(value, end), DIGITS) for end in ("value", "low", "high")}
    most, fewest = max(GAVE), min(GAVE)
    pairs = [(f"often/{place}", f"rarely/{place}") for place in PLACES]
    for more, fewer in [*pairs, (f"demonstration/{most}", f"demonstration/{fewest}")]:
        gain = compare_in(family, more, fewer)
        ends = {"difference": gain.difference, "low": gain.low, "high": gain.high}
        found[f"{more} - {fewer}"] = {name: round(value, DIGITS) for name, value in ends.items()}
    return found


def measure(chosen: argparse.Namespace) -> None:
    """Measure what the sheets of the chosen members lack, and show them."""
    runtime = RuntimeConfig(device=chosen.device, dtype="float32", threads=chosen.threads)
    for member in chosen.members:
        head = {
            "command": f"python benchmarks/zoo_counts.py --questions {chosen.questions}",
            "member": member,
            "files": hash_folder(chosen.model) if chosen.model else files(member),
            "votes": {"of": VOTES, **COUNTS},
            "computed": computed(runtime),
        }
        sheet = Sheet(chosen.out / member / "counts.json", head)
        for kind in KINDS:
            if kind not in sheet:
                sheet.add(kind, followed(member, kind, chosen, runtime))
            cells = sheet.found[kind]
            names = [name for name in cells if "/" in name and " - " not in name]
            shown = "  ".join(f"{name} {100 * cells[name]['value']:.1f} %" for name in names)
            print(f"{member:8} {kind:16} {shown}", flush=True)


def main() -> int:
    """Measure the chosen members on the three kinds."""
    parser = arguments(__doc__, members=["small"])
    parser.add_argument("--model", type=Path, help="a folder to measure in the place of the member")
    parser.add_argument("--questions", type=int, default=600)
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()
    return ended(lambda: measure(chosen))


if __name__ == "__main__":
    sys.exit(main())
