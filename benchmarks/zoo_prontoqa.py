"""The zoo outside its world: every member tuned on ProntoQA's training file, asked its dev file (Saparov & He 2023).

    python benchmarks/zoo_prontoqa.py --data PATH [--members nano] [--seeds 0 1 2] [--device cuda] [--out DIR]

PATH holds `train.json` and `dev.json` in the form of Logic-LLM. Three arms: `reasoning` (tuned on the gold deductions
and the answer), `direct` (tuned on the answer alone), both once per seed, and `untuned`. Dev questions take five
deductions, training questions two to four. A text that is longer than the member's context is left out of training; a
dev question whose gold reply would not fit stays in, to be judged by what comes out. Writes
`results/zoo/MEMBER/prontoqa.json`; stopped, the same command continues, within a tuning too.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from zoo_measure import Reply, Sheet, arguments, computed, counts, ended, files, replies

from w2sg import tasks
from w2sg.config import fingerprint
from w2sg.decode.config import SamplingConfig
from w2sg.metrics.bootstrap import Family
from w2sg.metrics.quality import commonest
from w2sg.metrics.verdict import accuracy_in, compare_in
from w2sg.models import zoo
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.fit_config import FitConfig
from w2sg.models.hf import LanguageModel
from w2sg.records import Target, TaskRow, ask
from w2sg.storage import hash_file, remove_folder

FIT = FitConfig(learning_rate=1e-3, epochs=3, batch_size=16)
SAMPLING = SamplingConfig(max_new_tokens=256)
TUNED = {"reasoning": True, "direct": False}
"""The arms that are tuned, and whether their texts hold the deductions."""
WORK = Path("runs") / "zoo-prontoqa"
DIGITS = 4


@dataclass(frozen=True)
class Data:
    """The task with its rows: what may be trained on, and the dev questions in the order of their ids."""

    task: tasks.Task
    train: list[TaskRow]
    dev: list[TaskRow]
    like_dev: int

    @classmethod
    def read(cls, folder: Path) -> Data:
        """Read both files; training rows that ask the same as a dev row are left out and counted."""
        sizes = {"supervise": "rest", "validate": 0, "transfer": 0, "easy_up_to": None, "near_duplicates": "exact"}
        source = {"train": str(folder / "train.json"), "test": str(folder / "dev.json")}
        config = tasks.task_config({"kind": "prontoqa", "instruction": "", "split": sizes, **source})
        task = tasks.build(config)
        placed = tasks.split(task.load(), config.split)
        dev = sorted((row for row in placed.rows if row.role == "test"), key=lambda row: row.example.id)
        return cls(task, [row for row in placed.rows if row.role == "supervise"], dev, len(placed.dropped))

    def targets(self, rows: list[TaskRow], reasoning: bool) -> list[Target]:
        """Return the training texts of the rows."""
        return [
            Target(
                row.example.id,
                ask(self.task.prompt(row.example)),
                self.task.gold_response(row.example, row.gold, reasoning),
            )
            for row in rows
            if row.gold is not None
        ]


def fits(model: LanguageModel, target: Target) -> bool:
    """Whether prompt and response fit into the model's context."""
    return len(model.prompt_ids(target.prompt)) + len(model.response_ids(target.response)) <= model.max_length


def difficulties(rows: list[TaskRow]) -> list[int]:
    """Return the numbers of deductions that occur, fewest first."""
    return sorted({int(row.example.difficulty) for row in rows if row.example.difficulty is not None})


def head(member: str, data: Data, folder: Path, model: LanguageModel, runtime: RuntimeConfig) -> dict[str, Any]:
    """Return what the figures of a member rest on, with the rows that do not fit and what guessing gives."""
    lengths = {}
    for arm, reasoning in TUNED.items():
        train, dev = data.targets(data.train, reasoning), data.targets(data.dev, reasoning)
        lengths[arm] = {
            "train_too_long": sum(not fits(model, target) for target in train),
            "dev_too_long": sum(not fits(model, target) for target in dev),
        }
    usual = commonest([row.gold.answer for row in data.train if row.gold])
    assert usual is not None
    guessed = sum(row.gold is not None and row.gold.answer == usual[0] for row in data.dev) / len(data.dev)
    return {
        "command": "python benchmarks/zoo_prontoqa.py --data PATH",
        "member": member,
        "files": files(member),
        "data": {name: hash_file(folder / name) for name in ("train.json", "dev.json")},
        "rows": {"train": len(data.train), "dev": len(data.dev), "train_same_as_dev": data.like_dev},
        "deductions": {"train": difficulties(data.train), "dev": difficulties(data.dev)},
        "context": model.max_length,
        "too_long": lengths,
        "chance": {"coin": 0.5, "most_frequent_of_train": round(guessed, DIGITS)},
        "fit": FIT.model_dump(),
        "sampling": SAMPLING.model_dump(),
        "computed": computed(runtime),
    }


def judged(found: list[Reply]) -> dict[str, Any]:
    """Return the counts of one arm and seed; `outcomes` has a 1 for every right reply, by question id."""
    ordered = sorted(found, key=lambda reply: reply.row.example.id)
    return {**counts(found), "outcomes": "".join(str(int(reply.correct)) for reply in ordered)}


def summary(found: dict[str, Any], seeds: list[int]) -> dict[str, Any]:
    """Return accuracy with interval by arm, and by how much reasoning beats answering at once."""

    def outcomes(arm: str, numbers: list[int]) -> dict[int, dict[str, bool]]:
        return {
            seed: {str(place): mark == "1" for place, mark in enumerate(found[f"{arm}/{seed}"]["outcomes"])}
            for seed in numbers
        }

    family = Family({"untuned": outcomes("untuned", [0]), **{arm: outcomes(arm, seeds) for arm in TUNED}})
    arms = {}
    for arm in family.arms:
        value = accuracy_in(family, arm)
        arms[arm] = {
            "accuracy": round(value.value, DIGITS),
            "low": round(value.low, DIGITS),
            "high": round(value.high, DIGITS),
            "seeds": 1 if arm == "untuned" else len(seeds),
        }
    gain = compare_in(family, "reasoning", "direct")
    between = {"difference": gain.difference, "low": gain.low, "high": gain.high, "p": gain.p}
    return {"seeds": seeds, "arms": arms, "reasoning_against_direct": {k: round(v, DIGITS) for k, v in between.items()}}


def measure(member: str, data: Data, chosen: argparse.Namespace) -> None:
    """Measure what a member's sheet lacks."""
    from w2sg.models.fit import fit
    from w2sg.models.hf import load

    runtime = RuntimeConfig(device=chosen.device, dtype="float32", threads=chosen.threads)
    config = ModelConfig(path=zoo.PREFIX + member)
    untuned = load(config, runtime)
    sheet = Sheet(chosen.out / member / "prontoqa.json", head(member, data, chosen.data, untuned, runtime))

    def keep(name: str, model: LanguageModel, seed: int, began: float, **more: int) -> None:
        found = judged(replies(model, data.task, data.dev, SAMPLING, seed=seed, runtime=runtime))
        sheet.add(name, {**found, **more, "seconds": round(time.monotonic() - began, 1)})
        share = found["right"] / found["asked"]
        print(f"{member:8} {name:12} {100 * share:5.1f} %   {sheet.found[name]['seconds']} s", flush=True)

    if "untuned/0" not in sheet:
        keep("untuned/0", untuned, 0, time.monotonic())
    for seed in chosen.seeds:
        for arm, reasoning in TUNED.items():
            if (name := f"{arm}/{seed}") in sheet:
                continue
            began = time.monotonic()
            texts = [target for target in data.targets(data.train, reasoning) if fits(untuned, target)]
            work = WORK / f"{member}-{arm}-{seed}-{fingerprint(sheet.head)}"
            result = fit(config, texts, FIT, seed=seed, folder=work, runtime=runtime)
            keep(name, load(config, runtime, work / "model"), seed, began, trained=len(texts), steps=result.steps)
            remove_folder(work)
    whole = summary(sheet.found, chosen.seeds)
    sheet.add("summary", whole)
    for arm, value in whole["arms"].items():
        shown = " to ".join(f"{100 * value[end]:.1f}" for end in ("low", "high"))
        print(f"{member:8} {arm:12} {100 * value['accuracy']:5.1f} % ({shown})", flush=True)


def main() -> int:
    """Measure the chosen members."""
    parser = arguments(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder with train.json and dev.json")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=1)
    chosen = parser.parse_args()

    def measuring() -> None:
        data = Data.read(chosen.data)
        for member in chosen.members:
            measure(member, data, chosen)

    return ended(measuring)


if __name__ == "__main__":
    sys.exit(main())
