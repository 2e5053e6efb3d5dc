"""Time sampling many responses per question against transformers' `generate(num_return_sequences=...)`.

    python benchmarks/sampling.py [--model zoo/mini] [--task world-maths] [--questions 200] [--samples 32]
        [--threads 1] [--repeats 3] [--json PATH]

Both arms use the same model, prompts, temperature, end tokens and token limit. `generate` gets left-padded batches
sorted by prompt length, at the batch size that is best for it on the first questions; arms take turns, and only
tokens up to and including the end token count. That both draw from the same distribution is tested on lengths,
first tokens and the log-probability that the model gives to the responses, with questions as the unit.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Run:
    """One arm over all questions: responses as token ids by question, and the seconds they took."""

    responses: list[list[list[int]]]
    wall: float
    processor: float

    @property
    def tokens(self) -> int:
        return sum(len(ids) for question in self.responses for ids in question)


def timed(work: Callable[[], list[list[list[int]]]]) -> Run:
    wall, processor = time.perf_counter(), time.process_time()
    responses = work()
    return Run(responses, time.perf_counter() - wall, time.process_time() - processor)


def baseline(model: Any, prompts: Sequence[list[int]], samples: int, limit: int, batch: int) -> list[list[list[int]]]:
    """Sample with `generate`, `batch` questions at a time."""
    import torch

    stops = sorted(model.stop_ids)
    order = sorted(range(len(prompts)), key=lambda number: len(prompts[number]))
    responses: list[list[list[int]]] = [[] for _ in prompts]
    for start in range(0, len(order), batch):
        numbers = order[start : start + batch]
        longest = max(len(prompts[number]) for number in numbers)
        padding = [longest - len(prompts[number]) for number in numbers]
        pairs = list(zip(padding, [prompts[number] for number in numbers], strict=True))
        found = model.model.generate(
            input_ids=torch.tensor([[model.pad_id] * pad + prompt for pad, prompt in pairs]),
            attention_mask=torch.tensor([[0] * pad + [1] * len(prompt) for pad, prompt in pairs]),
            do_sample=True,
            temperature=1.0,
            top_k=0,
            top_p=1.0,
            num_return_sequences=samples,
            max_new_tokens=limit,
            eos_token_id=stops,
            pad_token_id=model.pad_id,
        )[:, longest:].tolist()
        for place, row in enumerate(found):
            end = next((spot for spot, token in enumerate(row) if token in model.stop_ids), len(row) - 1)
            responses[numbers[place // samples]].append(row[: end + 1])
    return responses


def ours(
    model: Any, prompts: Sequence[list[int]], samples: int, limit: int, slots: int, seed: int
) -> list[list[list[int]]]:
    """Sample with w2sg's engine, in chunks as a run would; seeds, ids and text are what a run does beside it."""
    from w2sg.decode.base import Branch
    from w2sg.decode.config import SamplingConfig
    from w2sg.decode.sampling import engine_of, uniforms
    from w2sg.models.base import RuntimeConfig

    config = SamplingConfig(samples=samples, temperature=1.0, max_new_tokens=limit)
    engine, per_chunk = engine_of(model), max(1, config.chunk // samples)
    responses: list[list[list[int]]] = []
    for start in range(0, len(prompts), per_chunk):
        branches = [
            Branch(prompt, limit, uniforms(seed, f"q{start + place}", number, limit))
            for place, prompt in enumerate(prompts[start : start + per_chunk])
            for number in range(samples)
        ]
        rows = engine(model, branches, config, RuntimeConfig(slots=slots), lambda responses, tokens: None)
        for row in rows:
            model.text(row)
        responses += [rows[at : at + samples] for at in range(0, len(rows), samples)]
    return responses


def prompts_of(model: Any, task_name: str, count: int) -> list[list[int]]:
    """Return the prompts of a task's first questions."""
    from w2sg.records import ask
    from w2sg.tasks import build, task_config

    task = build(task_config(task_name))
    rows = task.load()
    if len(rows) < count:
        sys.exit(f"{task_name} has only {len(rows)} questions.")
    return [model.prompt_ids(ask(task.prompt(row.example))) for row in rows[:count]]


def log_probabilities(model: Any, prompts: Sequence[list[int]], run: Run) -> list[float]:
    """Return, per question, the mean log-probability of a response under the model."""
    import torch

    means = []
    for prompt, responses in zip(prompts, run.responses, strict=True):
        longest = max(map(len, responses))
        ids = torch.tensor([prompt + row + [0] * (longest - len(row)) for row in responses])
        with torch.no_grad():
            scores = model.model(ids[:, :-1]).logits[:, len(prompt) - 1 :].log_softmax(-1)
        chosen = scores.gather(-1, ids[:, len(prompt) :, None]).squeeze(-1)
        kept = torch.arange(longest) < torch.tensor([len(row) for row in responses])[:, None]
        means.append(float((chosen * kept).sum(-1).mean()))
    return means


def equal_distribution(model: Any, prompts: Sequence[list[int]], a: Run, b: Run) -> dict[str, float]:
    """Return p-values of tests that the two arms draw alike; questions are paired, so only they are independent."""
    import numpy as np
    from scipy.stats import chi2, ttest_rel

    lengths = [[np.mean([len(row) for row in rows]) for rows in run.responses] for run in (a, b)]
    scores = [log_probabilities(model, prompts, run) for run in (a, b)]
    width = model.model.get_input_embeddings().weight.shape[0]
    statistic = freedom = 0.0
    for left, right in zip(a.responses, b.responses, strict=True):
        first = [np.bincount([row[0] for row in rows], minlength=width) for rows in (left, right)]
        both = first[0] + first[1]
        common = both >= 10  # rarer tokens are counted together, so that the chi-square holds
        table = [np.append(counts[common], counts[~common].sum()) for counts in first]
        seen = (table[0] + table[1]) >= 10
        if seen.sum() > 1:
            expected = (table[0] + table[1])[seen] / 2
            statistic += float((((table[0][seen] - expected) ** 2) / expected).sum() * 2)
            freedom += float(seen.sum() - 1)
    return {
        "lengths": float(ttest_rel(*lengths).pvalue),
        "log_probability": float(ttest_rel(*scores).pvalue),
        "first_token": float(chi2.sf(statistic, freedom)) if freedom else 1.0,
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="zoo/mini")
    parser.add_argument("--task", default="world-maths")
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--samples", type=int, default=32)
    parser.add_argument("--max-new-tokens", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8, 16], help="questions, for generate")
    parser.add_argument("--slots", type=int, default=0, help="for w2sg; 0 = its default")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    import torch

    from w2sg.models.base import ModelConfig, RuntimeConfig
    from w2sg.models.hf import load

    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = load(ModelConfig(path=options.model), RuntimeConfig(device="cpu"))
    prompts = prompts_of(model, options.task, options.questions)
    samples, limit = options.samples, options.max_new_tokens

    pilot = prompts[: max(options.batches)]
    baseline(model, pilot[:1], samples, limit, 1)  # warm
    ours(model, pilot[:1], samples, limit, options.slots, 0)
    speeds = {}
    for batch in options.batches:
        run = timed(lambda batch=batch: baseline(model, pilot, samples, limit, batch))
        speeds[batch] = run.tokens / run.processor
    best = max(speeds, key=lambda batch: speeds[batch])

    pairs = []
    for repeat in range(options.repeats):
        left = timed(lambda: baseline(model, prompts, samples, limit, best))
        right = timed(lambda repeat=repeat: ours(model, prompts, samples, limit, options.slots, repeat))
        pairs.append((left, right))
    report(options, model, prompts, speeds, best, pairs)


def report(
    options: argparse.Namespace,
    model: Any,
    prompts: Sequence[list[int]],
    speeds: dict[int, float],
    best: int,
    pairs: Sequence[tuple[Run, Run]],
) -> None:
    """Print the table, write the JSON, and fail when the arms do not draw alike."""
    tests = equal_distribution(model, prompts, *pairs[0])
    ratios = {
        clock: [(right.tokens / getattr(right, clock)) / (left.tokens / getattr(left, clock)) for left, right in pairs]
        for clock in ("wall", "processor")
    }
    found = {
        "model": options.model,
        "parameters": model.model.num_parameters(),
        "questions": len(prompts),
        "samples": options.samples,
        "threads": options.threads,
        "prompt_tokens_mean": statistics.mean(map(len, prompts)),
        "response_tokens_mean": pairs[0][1].tokens / (len(prompts) * options.samples),
        "generate_best_batch": best,
        "generate_pilot_tokens_per_second": speeds,
        "generate_tokens_per_second": [left.tokens / left.wall for left, _ in pairs],
        "w2sg_tokens_per_second": [right.tokens / right.wall for _, right in pairs],
        "ratio": ratios["wall"],
        "ratio_processor_time": ratios["processor"],
        "equal_distribution_p": tests,
        "peak_memory_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }

    def spread(values: Sequence[float], form: str) -> str:
        return f"{statistics.median(values):{form}} [{min(values):{form}}, {max(values):{form}}]"

    print(
        f"{options.samples} responses to each of {len(prompts)} questions, {options.model} "
        f"({found['parameters'] / 1e6:.2f}M parameters), {options.threads} thread(s); prompts of "
        f"{found['prompt_tokens_mean']:.0f} tokens, responses of {found['response_tokens_mean']:.0f}"
    )
    print(f"  generate, {best} questions a batch   {spread(found['generate_tokens_per_second'], ',.0f')} tokens/s")
    print(f"  w2sg                          {spread(found['w2sg_tokens_per_second'], ',.0f')} tokens/s")
    print(f"  ratio                         {spread(found['ratio'], '.2f')}")
    print(f"  ratio by processor time       {spread(found['ratio_processor_time'], '.2f')}")
    print("  same distribution, p          " + ", ".join(f"{name} {p:.2f}" for name, p in tests.items()))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    if min(tests.values()) < 0.001:
        sys.exit("The two arms do not draw from the same distribution.")


if __name__ == "__main__":
    main()
