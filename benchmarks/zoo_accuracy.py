"""Greedy accuracy of the zoo by kind and difficulty: untuned, tuned on easy gold, tuned on gold of all difficulties.

    python benchmarks/zoo_accuracy.py [--members nano micro mini] [--per-difficulty 75] [--markdown]

`easy gold` is what a teacher gets (the `supervise` split, difficulties 1 and 2), `all gold` what a ceiling gets (the
gold reasoning of the `transfer` split). Every question asked is reserved for tasks, so no member met it before.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from pathlib import Path

from w2sg import tasks
from w2sg.decode.config import SamplingConfig
from w2sg.decode.sampling import Request, sample
from w2sg.models import zoo
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.fit import fit
from w2sg.models.fit_config import FitConfig
from w2sg.models.hf import load
from w2sg.records import Target, TaskRow, ask
from w2sg.tasks.splits import split

KINDS = ("world-knowledge", "world-maths", "world-logic")
FIT = FitConfig(learning_rate=1e-3, epochs=3, batch_size=16)
SAMPLING = SamplingConfig(max_new_tokens=96)
RUNTIME = RuntimeConfig(device="cpu")


def measure(
    member: str, task: tasks.Task, test: list[TaskRow], gold: list[TaskRow] | None, seed: int
) -> tuple[dict[int, float], float]:
    """Return accuracy by difficulty, and the share of replies that reason before they answer."""
    config = ModelConfig(path=zoo.PREFIX + member)
    with tempfile.TemporaryDirectory() as folder:
        tuned = None
        if gold is not None:
            targets = [
                Target(row.example.id, ask(task.prompt(row.example)), task.gold_response(row.example, row.gold))
                for row in gold
                if row.gold is not None
            ]
            fit(config, targets, FIT, seed=seed, folder=Path(folder), runtime=RUNTIME)
            tuned = Path(folder) / "model"
        model = load(config, RUNTIME, tuned)
        requests = [Request(row.example.id, ask(task.prompt(row.example))) for row in test]
        texts = {
            response.id: response.text
            for responses in sample(model, requests, SAMPLING, seed=seed, runtime=RUNTIME)
            for response in responses
        }
    right: dict[int, list[bool]] = defaultdict(list)
    for row in test:
        assert row.gold is not None
        answer = task.parse(texts[row.example.id], row.example)
        right[int(row.example.difficulty or 0)].append(task.correct(answer, row.example, row.gold))
    reasoned = sum(not text.startswith(task.mark) for text in texts.values()) / len(texts)
    return {level: sum(found) / len(found) for level, found in sorted(right.items())}, reasoned


def main() -> None:
    """Print one row per member, kind and tuning."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", nargs="+", default=list(zoo.MEMBERS), choices=list(zoo.MEMBERS))
    parser.add_argument("--per-difficulty", type=int, default=75, help="test questions of every difficulty")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    chosen = parser.parse_args()
    bar = "|" if chosen.markdown else " "
    print(f"{bar} kind {bar} member {bar} tuning {bar} 1 {bar} 2 {bar} 3 {bar} 4 {bar} 5 {bar} 6 {bar} reasons {bar}")
    if chosen.markdown:
        print("|---" * 10 + "|")
    for kind in KINDS:
        config = tasks.task_config({"kind": kind, "seed": chosen.seed})
        task = tasks.build(config)
        rows = split(task.load(), config.split).rows
        by_role: dict[str, list[TaskRow]] = defaultdict(list)
        taken: dict[float | None, int] = defaultdict(int)
        for row in rows:
            if row.role != "test" or taken[row.example.difficulty] < chosen.per_difficulty:
                by_role[row.role].append(row)
                taken[row.example.difficulty] += row.role == "test"
        for member in chosen.members:
            tunings = {"none": None, "easy gold": by_role["supervise"], "all gold": by_role["transfer"]}
            for name, gold in tunings.items():
                found, reasoned = measure(member, task, by_role["test"], gold, chosen.seed)
                cells = [f"{found[level]:.2f}" if level in found else "" for level in range(1, 7)]
                cells = [kind.removeprefix("world-"), member, name, *cells, f"{reasoned:.2f}"]
                print(bar + bar.join(f" {cell} " for cell in cells) + bar, flush=True)


if __name__ == "__main__":
    main()
