"""A synthetic run: three tasks with known truths, three seeds, every control and two methods."""

import numpy as np
import pytest

from w2sg.records import ItemScore, LabelScore
from w2sg.report.arms import ArmResult, HelperModel, RunMeta, StepRecord, TaskFacts
from w2sg.report.collect import collect

# Logits of a right answer at difficulty 3, by task and arm: maths helps, knowledge has no headroom, logic is damage.
LEVELS = {
    "world-maths": {
        "teacher": -0.6,
        "untuned": -0.5,
        "self-distillation": -0.3,
        "random-labels": -1.5,
        "imitation": 0.3,
        "imitation-vote": 0.7,
        "ceiling": 1.6,
    },
    "world-knowledge": {
        "teacher": -0.6,
        "untuned": 0.4,
        "self-distillation": 0.4,
        "random-labels": -0.2,
        "imitation": -0.4,
        "imitation-vote": -0.3,
        "ceiling": 0.4,
    },
    "world-logic": {
        "teacher": -1.0,
        "untuned": 0.1,
        "self-distillation": 0.2,
        "random-labels": -0.6,
        "imitation": -0.9,
        "imitation-vote": 0.1,
        "ceiling": 1.0,
    },
}
CONTROLS = ("teacher", "untuned", "self-distillation", "random-labels", "ceiling")
SAMPLED = {"untuned": 30_000, "imitation-vote": 1_500_000, "self-distillation": 1_200_000}


def synthetic_arms(seeds=(0, 1, 2), items=120, levels=LEVELS):
    """Draw every arm; items of difficulty up to 3 are `id`, harder ones `ood`."""
    arms = []
    for task, by_method in levels.items():
        generator = np.random.default_rng(1)
        difficulty = np.tile(np.arange(1, 7), -(-2 * items // 6))[: 2 * items]
        item = generator.normal(0, 0.8, 2 * items) - 0.6 * (difficulty - 3)
        for method, level in by_method.items():
            for seed in (None,) if method == "untuned" else seeds:
                logits = level + item + generator.normal(0, 0.15)
                right = generator.random(2 * items) < 1 / (1 + np.exp(-logits))
                parsed = right | (generator.random(2 * items) < 0.93)
                scores = [
                    ItemScore(
                        id=f"{task}-{n:03}",
                        stratum="id" if difficulty[n] <= 3 else "ood",
                        correct=bool(right[n]),
                        parsed=bool(parsed[n]),
                        answer=(str(n) if right[n] else str(generator.integers(3))) if parsed[n] else None,
                        difficulty=float(difficulty[n]),
                    )
                    for n in range(2 * items)
                ]
                learns = method.startswith("imitation")
                arms.append(
                    ArmResult(
                        task=task,
                        method=method,
                        seed=seed,
                        scores=scores,
                        control=method in CONTROLS,
                        tokens_sampled=SAMPLED.get(method, 60_000) + (seed or 0) * 1000,
                        tokens_trained=0 if method == "untuned" else 180_000,
                        seconds=12.0 if method == "untuned" else 48.5 + (seed or 0),
                        steps=(f"{task[-5:]}{seed}".ljust(16, "0"), "feedbeef00000000"),
                        labels=synthetic_labels(generator) if learns else (),
                    )
                )
    return arms


def synthetic_labels(generator, count=150):
    """Labels whose confidence is the truth shrunk towards one half, and was a little higher before calibration."""
    confidence = generator.random(count)
    return [
        LabelScore(
            f"label-{n}",
            str(generator.integers(5)),
            bool(generator.random() < 0.3 + 0.4 * c),
            float(c),
            0.2 + 0.8 * float(c),
        )
        for n, c in enumerate(confidence)
    ]


def synthetic_meta():
    """A run with a declared helper and two steps."""
    versions = {"python": "3.11.2", "torch": "2.13.0", "transformers": "5.23.0"}
    return RunMeta(
        name="quickstart",
        command="w2sg run experiments/quickstart.yaml --seeds 0 1 2",
        w2sg_version="0.1.0",
        created="2026-01-02T03:04:05Z",
        versions=versions,
        hardware={"processor": "a processor", "cores": 2, "memory_gib": 8, "accelerator": "none"},
        settings={"student": {"path": "zoo/m"}, "teacher": {"path": "zoo/s"}, "tasks": list(LEVELS)},
        helpers=[HelperModel("zoo/s", "writer of uncertainty statements", stronger=False)],
        provenance=[
            StepRecord("maths00000000000", "task", "world-maths", "store/task/a/record.json", 1.5, versions=versions),
            StepRecord(
                "feedbeef00000000",
                "score",
                "imitation on world-maths, seed 0",
                "store/score/b/record.json",
                0.4,
                reused=True,
                parents=("maths00000000000",),
                opened_gold=("score",),
                versions=versions,
            ),
        ],
        facts=[
            TaskFacts(
                "world-logic",
                {"id": 0.34, "ood": 0.35, "all": 0.345},
                ["7 rows were left out because a row of another role asks the same."],
            )
        ],
    )


@pytest.fixture(scope="session")
def arms():
    return synthetic_arms()


@pytest.fixture(scope="session")
def meta():
    return synthetic_meta()


@pytest.fixture(scope="session")
def results(arms, meta):
    return collect(arms, meta, resamples=2000)
