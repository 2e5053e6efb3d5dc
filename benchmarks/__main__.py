"""Every benchmark one after the other, then one table: what was measured, what is promised, whether it is kept.

    python -m benchmarks [--json PATH]

Exit code 1 when a promise is not kept. Both sides of a ratio run in the same process on the same machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
Found = Mapping[str, Any]


@dataclass(frozen=True)
class Promise:
    """One figure of one benchmark, given with its options; `at_least` says which side of `limit` is good."""

    benchmark: str
    what: str
    figure: Callable[[Found], float]
    limit: float
    at_least: bool
    unit: str

    def kept(self, found: Found) -> bool:
        """Whether the measured figure is on the good side."""
        value = self.figure(found)
        return value >= self.limit if self.at_least else value <= self.limit


_HALF = "ensemble_decoding --last-layers 2"

PROMISES = (
    Promise(
        "sampling", "tokens/s against transformers' generate, 32 responses to each of 200 questions",
        lambda found: statistics.median(found["ratio"]), 3.0, True, "times",
    ),
    Promise(
        "alice_labelling", "Alice's labelling stage against its published procedure, 100 samples for 200 questions",
        lambda found: found["ratio"], 10.0, True, "times",
    ),
    Promise(
        "training", "real tokens/s against TRL's SFTTrainer in its best setting",
        lambda found: found["ratio"]["median"], 1.2, True, "times",
    ),
    Promise(
        "training", "start of a training step, imports and loading included",
        lambda found: found["start_seconds"]["wall"]["median"], 4.0, False, "s",
    ),
    Promise(
        "verdict", "statistics of 10 methods, 5 seeds, 2,000 items, 10,000 resamples",
        lambda found: found["seconds"], 2.0, False, "s",
    ),
    Promise(
        _HALF, "a label of 5 LoRA experts on the last half of the layers, 64 questions at once, against one expert's",
        lambda found: found["cost_relative_to_one_expert"]["w2sg"], 2.0, False, "times",
    ),
    Promise(
        _HALF, "weights of these experts while they sample, against one expert's",
        lambda found: found["memory_with_working_copies"], 1.2, False, "times",
    ),
    Promise(
        "ensemble_decoding", "a label of 5 LoRA experts on all layers, likewise",
        lambda found: found["cost_relative_to_one_expert"]["w2sg"], 2.0, False, "times",
    ),
    Promise(
        "ensemble_decoding", "weights of these experts, likewise",
        lambda found: found["memory_with_working_copies"], 1.2, False, "times",
    ),
    Promise(
        "boosting_round", "a round of boosting against plain fine-tuning on the same texts",
        lambda found: found["ratio"], 1.15, False, "times",
    ),
)  # fmt: skip


def measure(name: str, folder: Path) -> Found:
    """Run one benchmark and return what it wrote, or printed."""
    script, *options = name.split()
    path = folder / f"{script}.json"
    words = [sys.executable, str(HERE / f"{script}.py"), *options]
    if name == "verdict":
        printed = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
        path.write_text(printed)
    else:
        subprocess.run([*words, "--json", str(path)], check=True, stdout=sys.stderr)
    return dict(json.loads(path.read_text()))


def main() -> int:
    """Measure everything, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write every figure here")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = {name: measure(name, Path(folder)) for name in dict.fromkeys(one.benchmark for one in PROMISES)}
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1) + "\n")
    print("| what | measured | promised | kept |\n|---|---|---|---|")
    for one in PROMISES:
        value = one.figure(found[one.benchmark])
        bound = "at least" if one.at_least else "at most"
        kept = "yes" if one.kept(found[one.benchmark]) else "no"
        print(f"| {one.what} | {value:.2f} {one.unit} | {bound} {one.limit:g} {one.unit} | {kept} |")
    return int(not all(one.kept(found[one.benchmark]) for one in PROMISES))


if __name__ == "__main__":
    sys.exit(main())
