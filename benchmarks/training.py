"""Time training against TRL's SFTTrainer: same model, texts, batch size and optimizer, one CPU thread.

    python benchmarks/training.py [--model zoo/mini] [--texts 480] [--repeats 5] [--json PATH]

Every repeat times each arm once, in turn, from the first step to the last; set-up is left out on both sides. TRL
runs in the settings that serve it best on a CPU (float32, no activation checkpointing, fused AdamW, no logging, no
mask to build per text), on our own batches in our order, so that both see the same padding and the loss curves can
be compared step by step; further arms give it its own length grouping, and plain shuffling. The start of a training
step is timed in fresh processes, from launch to the moment before the first step.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.fit_config import FitConfig
from w2sg.records import Target, ask
from w2sg.seeding import stream

WORDS = (
    "Ann", "has", "twelve", "apples", "and", "buys", "seven", "more", "at", "the", "market", "so", "she", "counts",
    "them", "again", "before", "the", "day", "ends",
)  # fmt: skip
BATCH = 16
CONFIG = FitConfig(learning_rate=5e-4, epochs=1, batch_size=BATCH, schedule="linear", max_length=256)
RUNTIME = RuntimeConfig(device="cpu", threads=1)


def targets(count: int, tokens_of: Callable[[str], int]) -> list[Target]:
    """Make texts with prompts of about 60 tokens and responses of 10 to 80."""
    drawn = stream(0, "benchmark-training")
    per_word = tokens_of(" ".join(WORDS * 5)) / (5 * len(WORDS))

    def text(tokens: int) -> str:
        return " ".join(drawn.choice(WORDS) for _ in range(max(1, round(tokens / per_word))))

    lengths = drawn.integers(10, 81, size=(count, 1))
    prompts = drawn.integers(50, 71, size=count)
    return [
        Target(f"text-{number}", ask(text(int(prompts[number]))), text(int(lengths[number, 0])))
        for number in range(count)
    ]


@dataclass
class Clock:
    """Wall and processor seconds between the first and the last call."""

    marks: list[tuple[float, float]] = field(default_factory=list)

    def __call__(self, *_: Any) -> None:
        self.marks.append((time.perf_counter(), time.process_time()))

    @property
    def wall(self) -> float:
        """Seconds on the wall."""
        return self.marks[-1][0] - self.marks[0][0]

    @property
    def processor(self) -> float:
        """Seconds of this process on its core, which neighbours on the machine disturb less."""
        return self.marks[-1][1] - self.marks[0][1]


@dataclass
class Pass:
    """One timed pass: its clock and its losses by step (empty when nobody asked)."""

    clock: Clock
    losses: list[float]


def ours(model: ModelConfig, texts: Sequence[Target]) -> Pass:
    """Train with `w2sg.models.fit`."""
    from w2sg.models.fit import fit

    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        result = fit(model, texts, CONFIG, seed=0, folder=Path(folder), runtime=RUNTIME, progress=clock)
    return Pass(clock, [loss for _, loss in result.losses])


def trl(model: ModelConfig, texts: Sequence[Target], order: str, losses: bool = False) -> Pass:
    """Train with TRL; `order` is `ours` (our batches), `group_by_length` or `random`."""
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import SFTConfig, SFTTrainer

    from w2sg.models.fit_data import encode, schedule
    from w2sg.models.hf import load, quiet

    clock = Clock()

    class Timer(TrainerCallback):  # type: ignore[misc]
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            clock()

        def on_train_end(self, *_: Any, **__: Any) -> None:
            clock()

    language = load(model, RUNTIME)
    encoded = encode(language, texts, CONFIG).texts
    steps = schedule([len(text) for text in encoded], CONFIG, 0)
    # sorted as ours are within a batch, so that the arithmetic is the same in the same order
    batches = [sorted(batch, key=lambda place: (-len(encoded[place]), encoded[place].id)) for batch in steps]
    rows = [encoded[place] for batch in batches for place in batch]
    data = Dataset.from_dict(
        {
            "input_ids": [row.ids for row in rows],
            "labels": [[-100] * row.prompt_length + row.ids[row.prompt_length :] for row in rows],
        }
    )
    if language.tokenizer.pad_token_id is None:
        language.tokenizer.pad_token_id = language.pad_id
    with tempfile.TemporaryDirectory() as folder, quiet():
        trainer = SFTTrainer(
            model=language.model,
            processing_class=language.tokenizer,
            train_dataset=data,
            args=SFTConfig(
                output_dir=folder,
                use_cpu=True,
                bf16=False,
                gradient_checkpointing=False,
                max_length=None,
                per_device_train_batch_size=BATCH,
                num_train_epochs=1,
                learning_rate=CONFIG.learning_rate,
                lr_scheduler_type="linear",
                warmup_steps=-(-len(steps) // 10),
                weight_decay=CONFIG.weight_decay,
                max_grad_norm=CONFIG.max_grad_norm,
                optim="adamw_torch_fused",
                train_sampling_strategy="sequential" if order == "ours" else order,
                logging_steps=1 if losses else 10**6,
                logging_first_step=False,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                seed=0,
            ),
            callbacks=[Timer()],
        )
        sys.stdout, kept = open(os.devnull, "w"), sys.stdout  # noqa: SIM115 (the Trainer prints its logs)
        try:
            trainer.train()
        finally:
            sys.stdout.close()
            sys.stdout = kept
    return Pass(clock, [row["loss"] for row in trainer.state.log_history if "loss" in row])


START = """
import sys, time
from pathlib import Path
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.fit_config import FitConfig
from w2sg.models.loading import train
from w2sg.records import Target, ask
class Begun(Exception): pass
def begun(done, total, note): raise Begun
try:
    train(ModelConfig(path=sys.argv[1]), [Target("a", ask("What is 1 + 1?"), "2")], FitConfig(epochs=1), seed=0,
        folder=Path(sys.argv[2]), runtime=RuntimeConfig(device="cpu"), progress=begun)
except Begun:
    print(time.time(), time.process_time())
"""


def starts(model: ModelConfig, repeats: int) -> dict[str, dict[str, float]]:
    """Return the seconds from the launch of a fresh process to the moment before its first training step: on the wall,
    and of the processor alone, which is what remains on an idle machine."""
    walls, processor = [], []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            began = time.time()
            command = [sys.executable, "-c", START, model.path, folder]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            ended, used = map(float, done.stdout.split()[-2:])
            walls.append(ended - began)
            processor.append(used)
    return {"wall": spread(walls), "processor": spread(processor)}


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return median, least and greatest."""
    return {
        "median": round(statistics.median(values), 3),
        "low": round(min(values), 3),
        "high": round(max(values), 3),
    }


def measure(model: ModelConfig, count: int, repeats: int) -> dict[str, Any]:
    """Run every arm `repeats` times in turn and return rates, ratios and the distance of the loss curves."""
    from w2sg.models.fit_data import encode
    from w2sg.models.hf import load

    language = load(model, RUNTIME)
    texts = targets(count - count % BATCH, lambda text: len(language.response_ids(text)) - 1)
    encoded = encode(language, texts, CONFIG).texts
    tokens = sum(map(len, encoded))
    arms: dict[str, Callable[[], Pass]] = {
        "ours": lambda: ours(model, texts),
        "trl, our batches": lambda: trl(model, texts, "ours"),
        "trl, its length groups": lambda: trl(model, texts, "group_by_length"),
        "trl, shuffled": lambda: trl(model, texts, "random"),
    }
    mine, theirs = ours(model, texts).losses, trl(model, texts, "ours", losses=True).losses  # these warm up, too
    passes = [{name: arm() for name, arm in arms.items()} for _ in range(repeats)]
    rates = {name: [tokens / row[name].clock.wall for row in passes] for name in arms}
    best = max((name for name in arms if name != "ours"), key=lambda name: statistics.median(rates[name]))
    return {
        "parameters": sum(weight.numel() for weight in language.model.parameters()),
        "texts": len(encoded),
        "tokens": tokens,
        "response_share": round(sum(len(text) - text.prompt_length for text in encoded) / tokens, 3),
        "steps": len(mine),
        "tokens_per_second": {name: spread(rate) for name, rate in rates.items()},
        "best_of_trl": best,
        "ratio": spread([row[best].clock.wall / row["ours"].clock.wall for row in passes]),
        "ratio_processor_time": spread([row[best].clock.processor / row["ours"].clock.processor for row in passes]),
        "loss_first_last": [round(mine[0], 4), round(mine[-1], 4)],
        "loss_max_difference": max(abs(a - b) for a, b in zip(mine, theirs, strict=True)),
    }


def main() -> None:
    """Print one JSON object, and write it where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="zoo/mini")
    parser.add_argument("--texts", type=int, default=480)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    model = ModelConfig(path=arguments.model)
    result = measure(model, arguments.texts, arguments.repeats)
    result["start_seconds"] = starts(model, arguments.repeats)
    text = json.dumps(result, indent=1)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
