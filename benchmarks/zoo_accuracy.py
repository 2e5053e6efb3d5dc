"""Accuracy of the zoo's untuned members by kind and difficulty: asked plainly, for an answer alone, for reasoning.

    python benchmarks/zoo_accuracy.py [--members nano mini] [--per-difficulty 100] [--out DIR]

Three ways of asking: `plain` (the question alone), `direct` and `reasoning` (a system message names an author of the
pretraining corpus who only answers, or who reasons first). Two ways of drawing: `greedy`, and `sampled` (temperature
1, several replies to each question). Every question is reserved for tasks, so no member met it in pretraining, and
comes from a seed of its own; of knowledge, whose world is finite, other seeds draw the same questions. Writes
`results/zoo/MEMBER/world.json`; stopped, the same command continues.
"""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from zoo_measure import Sheet, arguments, computed, counts, ended, files, replies

from w2sg import tasks
from w2sg.config import fingerprint
from w2sg.decode.config import SamplingConfig
from w2sg.metrics.quality import commonest
from w2sg.models import zoo
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.records import TaskRow
from w2sg.tasks.world.config import WorldTask
from w2sg.tasks.world.corpus import AUTHORS
from w2sg.tasks.world.subjects import SUBJECTS

KINDS = ("world-knowledge", "world-maths", "world-logic")
QUESTION_SEED = 90_417
"""Far from the seeds that experiments use."""
ASKING = {"plain": "", "direct": f"By {AUTHORS['direct'][0]}.", "reasoning": f"By {AUTHORS['worked'][0]}."}
DRAWING = {
    "greedy": SamplingConfig(max_new_tokens=128),
    "sampled": SamplingConfig(max_new_tokens=128, samples=4, temperature=1.0),
}


def questions(kind: str, per_difficulty: int) -> tuple[WorldTask, list[TaskRow]]:
    """Return the task of a kind with that many questions of every difficulty."""
    levels = SUBJECTS[kind.removeprefix("world-")].HARDEST  # type: ignore[index]
    sizes = {"supervise": 0, "validate": 0, "transfer": 0, "easy_up_to": None}
    sizes |= {"test_id": levels * per_difficulty, "test_ood": 0}
    task = tasks.build(tasks.task_config({"kind": kind, "seed": QUESTION_SEED, "split": sizes}))
    assert isinstance(task, WorldTask)
    return task, task.load()


def by_difficulty(rows: list[TaskRow]) -> dict[str, list[TaskRow]]:
    """Return the rows of every difficulty, easiest first."""
    found = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.example.difficulty or 0.0):
        found[f"{row.example.difficulty:g}"].append(row)
    return dict(found)


def head(member: str, asked: dict[str, tuple[WorldTask, list[TaskRow]]], runtime: RuntimeConfig) -> dict[str, Any]:
    """Return what the figures of a member rest on. Beside each difficulty stands the share of its most frequent
    gold answer, which is what needs no skill."""
    described = {}
    for kind, (task, rows) in asked.items():
        levels = {}
        for level, some in by_difficulty(rows).items():
            usual = commonest([row.gold.answer for row in some if row.gold])
            assert usual is not None
            levels[level] = {"questions": len(some), "most_frequent": usual[0], "share": round(usual[1], 4)}
        content = [[row.example.question, row.gold.answer] for row in rows if row.gold]
        described[kind] = {"version": task.version, "fingerprint": fingerprint(content), "levels": levels}
    return {
        "command": "python benchmarks/zoo_accuracy.py",
        "member": member,
        "files": files(member),
        "questions_seed": QUESTION_SEED,
        "system_messages": ASKING,
        "sampling": {name: config.model_dump() for name, config in DRAWING.items()},
        "computed": computed(runtime),
        "questions": described,
    }


def measure(member: str, per_difficulty: int, folder: Path, runtime: RuntimeConfig) -> None:
    """Measure what a member's sheet lacks."""
    from w2sg.models.hf import load

    asked = {kind: questions(kind, per_difficulty) for kind in KINDS}
    sheet = Sheet(folder / member / "world.json", head(member, asked, runtime))
    model = load(ModelConfig(path=zoo.PREFIX + member), runtime)
    for kind, (task, rows) in asked.items():
        for asking, system in ASKING.items():
            for drawing, sampling in DRAWING.items():
                name = f"{kind}/{asking}/{drawing}"
                if name in sheet:
                    continue
                began = time.monotonic()
                found = replies(model, task, rows, sampling, seed=QUESTION_SEED, runtime=runtime, system=system)
                levels = defaultdict(list)
                for reply in found:
                    levels[f"{reply.row.example.difficulty:g}"].append(reply)
                seconds = round(time.monotonic() - began, 1)
                by_level = {level: counts(levels[level]) for level in by_difficulty(rows)}
                sheet.add(
                    name, {"levels": by_level, "tokens": sum(reply.tokens for reply in found), "seconds": seconds}
                )
                shown = " ".join(f"{100 * level['right'] / level['asked']:3.0f}" for level in by_level.values())
                print(f"{member:8} {kind:16} {asking:10} {drawing:8} {shown}   {seconds} s", flush=True)


def main() -> int:
    """Measure the chosen members, a line for each kind, way of asking and way of drawing."""
    parser = arguments(__doc__)
    parser.add_argument("--per-difficulty", type=int, default=100, help="questions of every difficulty")
    chosen = parser.parse_args()
    runtime = RuntimeConfig(device=chosen.device, dtype="float32")

    def measuring() -> None:
        for member in chosen.members:
            measure(member, chosen.per_difficulty, chosen.out, runtime)

    return ended(measuring)


if __name__ == "__main__":
    sys.exit(main())
