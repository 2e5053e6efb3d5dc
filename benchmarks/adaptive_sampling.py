"""Measure what stopping early costs and saves: how often the vote of fewer samples is that of all of them.

    python benchmarks/adaptive_sampling.py EXPERIMENT.yaml --store DIR [--json PATH]
    python benchmarks/adaptive_sampling.py [--model zoo/nano ...] [--task world-maths ...] [--questions 200]
        [--samples 100] [--max-new-tokens 96] [--threads 1] [--device cpu] [--json PATH]

The first form replays the samples that a finished run keeps: every step of the experiment with at least `--least`
samples per question. The second draws samples of the task's transfer questions, which are those that a supervisor
labels, from any models (a tuned one's folder too), replays them, and then also draws in rounds by the default rule, to
time both ways and to check that what is drawn is the beginning of all samples (texts may differ where sums are rounded
otherwise). Every rule looks at the same samples, so that its row is paired with the full vote. Below each table stands
how few samples any rule needs that gives another label to one question in a hundred at most (`adaptive_bound`).
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ERRORS = {"posterior": (0.0, 0.005, 0.01, 0.02, 0.05), "top-two": (0.01, 0.05)}
ROUNDS = (4, 8)
WRONG = 0.01
"""The share of other labels that the bound allows."""


@dataclass(frozen=True)
class Replay:
    """One rule on one set of samples: `same` of `n` votes are those of all samples; `share` of the samples is taken,
    and `tokens` of their tokens."""

    source: str
    rule: str
    error: float
    round: int
    n: int
    same: int
    share: float
    tokens: float
    unsettled: int


def replay(source: str, task: Any, samples: Sequence[Sequence[tuple[str | None, int]]]) -> Iterator[Replay]:
    """Yield every rule's row; `samples` holds, question by question, each sample's parsed answer and its tokens."""
    from w2sg.elicit.stopping import STOPPINGS

    full = [leader(task, [answer for answer, _ in row]) for row in samples]
    for rule, errors in ERRORS.items():
        for error in errors:
            for size in ROUNDS:
                stopping = STOPPINGS.get(rule)(error=error, round=size)
                stops = [stop(task, stopping, [answer for answer, _ in row]) for row in samples]
                early = [leader(task, [a for a, _ in row[:end]]) for row, end in zip(samples, stops, strict=True)]
                taken = sum(tokens for row, end in zip(samples, stops, strict=True) for _, tokens in row[:end])
                yield Replay(
                    source,
                    rule,
                    error,
                    size,
                    n=len(samples),
                    same=sum(alike(task, a, b) for a, b in zip(early, full, strict=True)),
                    share=sum(stops) / sum(map(len, samples)),
                    tokens=taken / sum(tokens for row in samples for _, tokens in row),
                    unsettled=sum(end == len(row) for row, end in zip(samples, stops, strict=True)),
                )


def bound(task: Any, samples: Sequence[Sequence[tuple[str | None, int]]]) -> float:
    """Return the share of samples that any rule needs for these votes, as `replay` takes them."""
    from adaptive_bound import least_samples

    from w2sg.elicit.clusters import cluster_by_answer

    found = [[len(c.members) for c in cluster_by_answer(task, [answer for answer, _ in row])] for row in samples]
    return least_samples([(*sizes, 0, 0)[:2] for sizes in found], len(samples[0]), WRONG)


def stop(task: Any, stopping: Any, answers: Sequence[str | None]) -> int:
    """Return how many of the answers the rule asks for."""
    looks = stopping.looks(len(answers))
    return next((drawn for drawn in looks if stopping.settled(task, answers[:drawn], len(answers))), len(answers))


def leader(task: Any, answers: Sequence[str | None]) -> str | None:
    """Return the answer that wins the vote; None where none can be read."""
    from w2sg.elicit.clusters import cluster_by_answer

    clusters = cluster_by_answer(task, answers)
    return clusters[0].answer if clusters else None


def alike(task: Any, a: str | None, b: str | None) -> bool:
    """Whether two votes have the same result."""
    return a == b if a is None or b is None else a == b or task.same(a, b)


def stored(options: argparse.Namespace) -> Iterator[tuple[str, Any, list[list[tuple[str | None, int]]]]]:
    """Yield what a finished run keeps: the step's name, its task, and the parsed samples."""
    from w2sg.records import ROLES, by_id
    from w2sg.runs.experiment import read_experiment
    from w2sg.runs.plan import make_plan
    from w2sg.runs.store import Store
    from w2sg.steps.inputs import read_examples, read_responses
    from w2sg.steps.sample import SampleSettings
    from w2sg.steps.task import task_of

    store = Store(options.store)
    for step in make_plan(read_experiment(options.experiment)).steps:
        settings = step.settings
        if not isinstance(settings, SampleSettings) or settings.sampling.samples < options.least:
            continue
        if settings.stopping.more(0) is None and store.state(step) == "done":
            task = task_of(step)
            known = by_id(read_examples(store.folder(step.parents["task"]), ROLES))
            responses = read_responses(store.folder(step))
            yield step.label, task, [[(task.parse(r.text, known[id]), r.tokens) for r in row] for id, row in responses]


def labelled(task: Any, count: int) -> list[Any]:
    """Return `count` transfer questions (all, where there are fewer), spread evenly over their order, in which the easy
    ones come first. A teacher is tuned on questions of another role, and its votes on those settle sooner."""
    from w2sg.tasks.splits import split

    rows = split(task.load(), task.config.split).rows
    transfer = [row.example for row in rows if row.role == "transfer"]
    step = max(1, len(transfer) // count)
    return transfer[::step][:count]


def drawn(options: argparse.Namespace, path: str, name: str) -> tuple[str, Any, Any, dict[str, Any]]:
    """Draw all samples of a task's transfer questions from a model, and again in rounds; return the set's name, the
    task, the parsed samples and the times."""
    from w2sg.decode.config import SamplingConfig
    from w2sg.decode.sampling import Request, sample
    from w2sg.elicit.stopping import Posterior
    from w2sg.models.base import ModelConfig, RuntimeConfig, silent
    from w2sg.models.hf import load
    from w2sg.records import ask
    from w2sg.steps.base import Workspace
    from w2sg.steps.inputs import read_responses
    from w2sg.steps.rounds import keep_rounds
    from w2sg.tasks import build, task_config

    runtime = RuntimeConfig(device=options.device, threads=options.threads)
    model, task = load(ModelConfig(path=path), runtime), build(task_config(name))
    examples = labelled(task, options.questions)
    requests = [Request(example.id, ask(task.prompt(example))) for example in examples]
    sampling = SamplingConfig(
        samples=options.samples, temperature=0.9, top_p=0.95, max_new_tokens=options.max_new_tokens
    )
    start = time.perf_counter()
    rows = [row for chunk in sample(model, requests, sampling, seed=0, runtime=runtime) for row in chunk]
    whole_seconds = time.perf_counter() - start
    whole = [rows[at : at + options.samples] for at in range(0, len(rows), options.samples)]

    def speak(wanted: Any, config: Any, seed: int, progress: Any) -> Any:
        return sample(model, wanted, config, seed=seed, runtime=runtime, progress=progress)

    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        work = Workspace(Path(folder), {}, runtime, silent)
        outcome = keep_rounds(work, task, examples, sampling, Posterior(), 0, speak)
        seconds = time.perf_counter() - start
        early = [found for _, found in read_responses(work.folder)]
    pairs = [(a.text, b.text) for few, many in zip(early, whole, strict=True) for a, b in zip(few, many, strict=False)]
    figures = {
        "source": f"{path} on {name}",
        "seconds": whole_seconds,
        "seconds_in_rounds": seconds,
        "share_of_samples": outcome.summary["share_of_samples"],
        "rounds": outcome.summary["rounds"],
        "texts_that_differ": sum(a != b for a, b in pairs) / len(pairs),
    }
    answers = [
        [(task.parse(row.text, example), row.tokens) for row in found]
        for example, found in zip(examples, whole, strict=True)
    ]
    return figures["source"], task, answers, figures


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", type=Path, nargs="?", help="the experiment whose stored samples are replayed")
    parser.add_argument("--store", type=Path, help="where its steps are kept")
    parser.add_argument("--least", type=int, default=50, help="replay steps with at least as many samples a question")
    parser.add_argument("--model", nargs="+", default=["zoo/nano"])
    parser.add_argument("--task", nargs="+", default=["world-maths"])
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--max-new-tokens", type=int, default=96)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if (options.experiment is None) != (options.store is None):
        parser.error("an experiment is replayed from its --store: give both, or neither")
    return options


def main() -> None:
    """Replay or draw, print a table for every set of samples."""
    options = arguments()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    times: list[dict[str, Any]] = []
    rows: list[Replay] = []
    bounds: dict[str, float] = {}

    def sets() -> Iterator[tuple[str, Any, Any]]:
        if options.experiment is not None:
            yield from stored(options)
            return
        for path in options.model:
            for name in options.task:
                *found, figures = drawn(options, path, name)
                times.append(figures)
                yield tuple(found)  # type: ignore[misc]

    for source, task, samples in sets():
        rows += show(source, list(replay(source, task, samples)))
        bounds[source] = bound(task, samples)
        print(f"No rule keeps {1 - WRONG:.0%} of the labels with fewer than {bounds[source]:.1%} of the samples.")
    for figures in times:
        print(
            f"{figures['source']}: all samples {figures['seconds']:.1f} s, in rounds {figures['seconds_in_rounds']:.1f}"
            f" s ({figures['rounds']} rounds, {figures['share_of_samples']:.1%} of the samples); "
            f"{figures['texts_that_differ']:.2%} of the texts differ by rounding"
        )
    if options.json:
        options.json.write_text(
            json.dumps({"replays": [asdict(row) for row in rows], "bounds": bounds, "times": times}, indent=1) + "\n"
        )


def show(source: str, rows: list[Replay]) -> list[Replay]:
    """Print one set's table and return its rows."""
    print(f"\n{source}: {rows[0].n} questions\n| rule | error | round | same vote | samples | tokens | all drawn |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row.rule} | {row.error:g} | {row.round} | {row.same / row.n:.2%} ({row.same}/{row.n}) | "
            f"{row.share:.1%} | {row.tokens:.1%} | {row.unsettled} |"
        )
    return rows


if __name__ == "__main__":
    main()
