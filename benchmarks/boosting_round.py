"""Time a round of boosting on answer tokens against plain fine-tuning on the same texts.

    python benchmarks/boosting_round.py [--model zoo/mini] [--task world-maths] [--texts 320] [--epochs 3] [--rank 8]
        [--experts 5] [--keep FOLDER] [--json PATH]

A round is what `steps.boost` does: tokens are drawn by their weights, an expert is trained on them, it is loaded and
reads all answers again, and weights follow from its errors. Before each round the same texts are learnt plainly, from
the same seed; loading is part of both, reading and writing of the run's files of neither. Seconds are the processor's,
which others on the machine disturb less. `--keep` leaves the experts there, as an ensemble.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")


def targets_of(task_name: str, count: int) -> list[Any]:
    """Return worked answers to a task's last questions, which `sampling.prompts_of` does not ask."""
    from w2sg.records import Target, ask
    from w2sg.tasks import build, task_config

    task = build(task_config(task_name))
    return [
        Target(row.example.id, ask(task.prompt(row.example)), task.gold_response(row.example, row.gold))
        for row in task.load()[-count:]
        if row.gold is not None
    ]


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what the work found and the processor's seconds it took."""
    start = time.process_time()
    return work(), time.process_time() - start


def rounds(
    folder: Path, path: str, targets: list[Any], experts: int, settings: Any, runtime: Any, plain: bool = True
) -> dict[str, list[float]]:
    """Boost, write the ensemble to `folder/"ensemble"`, and return the seconds of each round's parts: `plain` tuning
    beside it, `training`, `errors` and `weights`."""
    import numpy as np

    from w2sg.ensemble.config import BoostingConfig
    from w2sg.ensemble.distribution import equal_weights
    from w2sg.ensemble.draws import draw
    from w2sg.ensemble.rounds import judge
    from w2sg.models import hf, loading
    from w2sg.models.base import ModelConfig
    from w2sg.models.ensemble import save_ensemble
    from w2sg.models.fit_data import encode
    from w2sg.models.teacher_forced import read_answers
    from w2sg.steps.boost import weighted
    from w2sg.steps.boost_files import Answer

    base, config = ModelConfig(path=path), BoostingConfig()
    model = hf.load(base, runtime)
    texts = encode(model, targets, settings).texts
    counts = [len(text) - text.prompt_length for text in texts]
    rows = [Answer(text.id, count, count, 0, None) for text, count in zip(texts, counts, strict=True)]
    lengths = np.array(counts)
    weights = equal_weights(int(lengths.sum()))
    everything = np.ones(len(weights), dtype=np.bool_)
    seconds: dict[str, list[float]] = {"plain": [], "training": [], "errors": [], "weights": []}
    members = []

    def train(name: str, learnt: list[Any], seed: int) -> None:
        (folder / name).mkdir()
        loading.train(base, learnt, settings, seed=seed, folder=folder / name, runtime=runtime)

    def errors(name: str) -> Any:
        expert = hf.load(base, runtime, folder / name / "model")
        readings = read_answers(expert, encode(expert, targets, settings).texts, runtime)
        return np.concatenate([reading.wrong for reading in readings])

    for number in range(experts):
        if plain:
            seconds["plain"].append(timed(partial(train, f"plain-{number}", targets, number))[1])
        start = time.process_time()
        drawn = draw(weights, lengths, config.draw, config.unit, np.random.default_rng(number))
        learnt = weighted(targets, rows, drawn.weights)
        weighing = time.process_time() - start
        seconds["training"].append(timed(partial(train, f"expert-{number}", learnt, number))[1])
        wrong, taken = timed(partial(errors, f"expert-{number}"))
        seconds["errors"].append(taken)
        start = time.process_time()
        verdict = judge(config, weights, lengths, wrong=wrong, base_wrong=everything, measured=drawn.spared)
        seconds["weights"].append(weighing + time.process_time() - start)
        members.append((folder / f"expert-{number}" / "model", max(verdict.alpha, 0.01)))
        weights = verdict.weights
        print(f"round {number + 1}: token error {wrong.mean():.3f}, weight {verdict.alpha:.2f}", file=sys.stderr)
    save_ensemble(folder / "ensemble", path, members)
    return seconds


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="zoo/mini")
    parser.add_argument("--task", default="world-maths")
    parser.add_argument("--texts", type=int, default=320)
    parser.add_argument("--epochs", type=float, default=3.0)
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=5e-3)
    parser.add_argument("--experts", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="leave the experts here, as an ensemble")
    parser.add_argument("--no-plain", action="store_true", help="leave out the plain tuning, and with it the ratio")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    import torch

    from w2sg.models.base import RuntimeConfig
    from w2sg.models.fit_config import FitConfig, LoraConfig

    torch.set_num_threads(1)
    runtime = RuntimeConfig(device="cpu")
    lora = LoraConfig(rank=options.rank, alpha=2 * options.rank)
    settings = FitConfig(learning_rate=options.learning_rate, epochs=options.epochs, batch_size=16, lora=lora)
    targets = targets_of(options.task, options.texts)
    with tempfile.TemporaryDirectory() as name:
        work = options.keep or Path(name)
        work.mkdir(parents=True, exist_ok=True)
        seconds = rounds(work, options.model, targets, options.experts, settings, runtime, not options.no_plain)
    found: dict[str, Any] = {key: value for key, value in vars(options).items() if key not in ("json", "keep")}
    found["seconds"] = {name: statistics.median(taken) for name, taken in seconds.items() if taken}
    if not options.no_plain:
        # Round by round: the two sides of a ratio run one after the other.
        parts = zip(*(seconds[name] for name in ("plain", "training", "errors", "weights")), strict=True)
        found["ratios"] = [(training + errors + weights) / plain for plain, training, errors, weights in parts]
        found["ratio"] = statistics.median(found["ratios"])
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    json.dump(found, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
