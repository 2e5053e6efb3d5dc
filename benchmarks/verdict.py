"""Time the verdict's statistics against plain loops: 10 methods, 3 controls, 5 seeds, 2,000 items, 10,000 resamples.

    python benchmarks/verdict.py [--resamples 10000] [--naive-resamples 100]
    python benchmarks/verdict.py --coverage [--studies 2000]

The naive twin redraws the items of each comparison in a loop over resamples; it is timed on fewer resamples and
scaled. `--coverage` measures instead how often two arms that do not differ are shown to differ, by their number of
seeds. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from w2sg.metrics.bootstrap import Family, Outcomes
from w2sg.metrics.verdict import compare, compare_in, holm

BASELINES = ("teacher", "untuned", "imitation")


def arms(methods: int, seeds: int, items: int) -> dict[str, Outcomes]:
    """Draw the outcomes of the baselines and of `methods` methods, `imitation` among them."""
    generator = np.random.default_rng(0)
    difficulty = generator.normal(size=items)
    names = ["teacher", "untuned", "imitation", *(f"method-{number}" for number in range(1, methods))]
    drawn: dict[str, Outcomes] = {}
    for place, name in enumerate(names):
        logits = 0.05 * place - difficulty + generator.normal(0, 0.2, size=(seeds, 1))
        right = generator.random((seeds, items)) < 1 / (1 + np.exp(-logits))
        drawn[name] = {seed: {f"item-{n}": bool(right[seed, n]) for n in range(items)} for seed in range(seeds)}
    return drawn


def pairs(drawn: dict[str, Outcomes]) -> list[tuple[str, str]]:
    """Every method against every baseline but itself."""
    methods = [name for name in drawn if name not in BASELINES[:2]]
    return [(method, against) for method in methods for against in BASELINES if method != against]


def fast(drawn: dict[str, Outcomes], resamples: int) -> float:
    """Return the seconds that every comparison takes, Holm's correction included."""
    start = time.perf_counter()
    family = Family(drawn, resamples=resamples, seed=0)
    holm([compare_in(family, method, against).p for method, against in pairs(drawn)])
    return time.perf_counter() - start


def naive(drawn: dict[str, Outcomes], resamples: int) -> float:
    """Return the seconds that the same draws take in a loop over comparisons and resamples."""
    start = time.perf_counter()
    generator = np.random.default_rng(0)
    for method, against in pairs(drawn):
        a, b = (
            np.array([[row[id] for id in row] for row in drawn[name].values()], float) for name in (method, against)
        )
        seeds, items = a.shape
        drawn_differences, flipped = [], []
        for _ in range(resamples):
            picks, chosen = generator.integers(0, items, items), generator.integers(0, seeds, seeds)
            drawn_differences.append(a[chosen][:, picks].mean() - b[chosen][:, picks].mean())
            flipped.append(((a - b).mean(axis=0) * generator.choice((-1.0, 1.0), items)).mean())
        np.quantile(drawn_differences, (0.025, 0.975))
        np.mean(np.abs(flipped) >= abs((a - b).mean()))
    return time.perf_counter() - start


def shown_by_chance(seeds: int, studies: int, items: int = 150, spread: float = 0.4, resamples: int = 400) -> float:
    """Return the share of studies whose interval excludes 0 though the arms differ in nothing but chance.

    Items differ in difficulty (standard deviation 1.2 logits), trainings of one arm by `spread` logits.
    """
    generator = np.random.default_rng(1)
    shown = 0
    for _ in range(studies):
        difficulty = 1.2 * generator.standard_normal(items)
        both: list[Outcomes] = []
        for _ in range(2):
            logits = spread * generator.standard_normal((seeds, 1)) - difficulty
            right = generator.random((seeds, items)) < 1 / (1 + np.exp(-logits))
            both.append({seed: {str(n): bool(one) for n, one in enumerate(row)} for seed, row in enumerate(right)})
        found = compare(*both, resamples=resamples)
        shown += found.low > 0 or found.high < 0
    return shown / studies


def main() -> None:
    """Print sizes, seconds and ratio; or the shares shown by chance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--naive-resamples", type=int, default=100)
    parser.add_argument("--coverage", action="store_true")
    parser.add_argument("--studies", type=int, default=2000)
    arguments = parser.parse_args()
    if arguments.coverage:
        shares = {f"shown_by_chance_{seeds}_seeds": shown_by_chance(seeds, arguments.studies) for seeds in (1, 2, 3, 5)}
        print(json.dumps({"studies": arguments.studies, **shares}))
        return
    drawn = arms(methods=10, seeds=5, items=2000)
    fast(drawn, 100)  # imports and caches
    times = sorted(fast(drawn, arguments.resamples) for _ in range(5))
    slow = naive(drawn, arguments.naive_resamples) * arguments.resamples / arguments.naive_resamples
    print(
        json.dumps(
            {
                "comparisons": len(pairs(drawn)),
                "resamples": arguments.resamples,
                "seconds": round(times[2], 3),
                "seconds_spread": [round(times[0], 3), round(times[-1], 3)],
                "naive_seconds": round(slow, 1),
                "ratio": round(slow / times[2], 1),
            }
        )
    )


if __name__ == "__main__":
    main()
