"""Time Alice's whole labelling stage against its published procedure, written plainly: samples, clusters, statements of
doubt, the student's own attempts, its rewrites.

    python benchmarks/alice_labelling.py [--questions 200] [--samples 100] [--baseline-questions 20]
        [--teacher zoo/nano] [--student zoo/small] [--task world-knowledge] [--embedder sentence-transformers]
        [--statement template] [--max-new-tokens 96] [--threads 1] [--device cpu] [--json PATH]

Both sides use the same tuned teacher, untuned student, embedder, threshold, prompts, temperature, nucleus, token
limit, precision and threads. The published side (Wu et al. 2025, arXiv 2504.07316, and its authors' scripts) puts as
many copies of each prompt through transformers' `generate`, in batches of the size that is best for it on the first
questions; for every leader it embeds anew all responses that are still free; stage follows stage. It may take the
first `--baseline-questions` only, as its time grows with their number alone, and is then scaled. Its models are loaded
beforehand; w2sg's time holds all that a run does: loading, saving, reading back. Fails when the two sides cluster the
same responses differently.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STAGES = ("samples", "clusters", "statements", "attempts", "rewrites")


@dataclass
class Clock:
    """Seconds by stage, and how many questions the student was asked to revise."""

    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    asked: int = 0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add what happens inside to a stage."""
        start = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - start


@dataclass(frozen=True)
class Stage:
    """What both sides need: the task's questions, the settings of the method, and the models (teacher, student)."""

    task: Any
    examples: list[Any]
    elicit: Any
    recipe: Any
    limit: int
    teacher: Any
    student: Any


def copies(
    model: Any, prompts: Sequence[list[int]], samples: int, limit: int, batch: int, temperature: float, top_p: float
) -> list[list[str]]:
    """Return `samples` responses to each prompt: so many copies of it go through `generate`, `batch` at a time.

    Prompts that fill the model's context get empty responses.
    """
    import torch

    rows = [(place, prompt) for place, prompt in enumerate(prompts) for _ in range(samples)]
    texts: list[list[str]] = [[] for _ in prompts]
    for place, prompt in enumerate(prompts):
        if len(prompt) >= model.max_length:
            texts[place] = [""] * samples
    rows = [row for row in rows if len(row[1]) < model.max_length]
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        longest = max(len(prompt) for _, prompt in part)
        ids = torch.tensor([[model.pad_id] * (longest - len(prompt)) + prompt for _, prompt in part])
        mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for _, prompt in part])
        found = model.model.generate(
            input_ids=ids.to(model.device),
            attention_mask=mask.to(model.device),
            do_sample=temperature > 0,
            **({"temperature": temperature, "top_p": top_p, "top_k": 0} if temperature > 0 else {}),
            max_new_tokens=min(limit, model.max_length - longest),
            eos_token_id=sorted(model.stop_ids),
            pad_token_id=model.pad_id,
        )[:, longest:].tolist()
        for (place, _), row in zip(part, found, strict=True):
            end = next((spot for spot, token in enumerate(row) if token in model.stop_ids), len(row) - 1)
            texts[place].append(model.text(row[: end + 1]))
    return texts


def leaders(texts: Sequence[str], encode: Callable[[Sequence[str]], Any], threshold: float) -> list[tuple[int, ...]]:
    """Return the groups of leader clustering, all free responses embedded anew for every leader; after SaySelf (Xu et
    al. 2024), which the authors of Alice follow."""
    import numpy as np

    free, groups = list(range(len(texts))), []
    while free:
        vectors = encode([texts[place] for place in free])
        product = vectors @ vectors[:1].T
        alike = np.asarray(product.todense() if hasattr(product, "todense") else product).ravel()
        group = tuple(place for place, cosine in zip(free, alike, strict=True) if cosine > threshold)
        groups.append(group if free[0] in group else (free[0], *group))
        free = [place for place in free if place not in set(groups[-1])]
    return groups


def published(stage: Stage, questions: int, batch: int) -> tuple[Clock, dict[str, list[str]], dict[str, list[Any]]]:
    """Return the published procedure's seconds, and its samples and clusters by question."""
    from w2sg.elicit.clusters import Cluster
    from w2sg.elicit.clusters_embedding import joined
    from w2sg.elicit.statements import Asked, Doubt
    from w2sg.records import WeakLabel, ask
    from w2sg.tasks.revision import Demonstration

    clock, task, elicit, recipe = Clock(), stage.task, stage.elicit, stage.recipe
    examples = stage.examples[:questions]

    def sampled(model: Any, prompts: Sequence[Any], samples: int, limit: int, temperature: float) -> list[list[str]]:
        ids = [model.prompt_ids(prompt) for prompt in prompts]
        return copies(model, ids, samples, limit, batch, temperature, elicit.top_p)

    def asked(labels: dict[str, Any]) -> list[Any]:
        return [example for example in examples if len(labels[example.id].histogram) > 1]

    with clock.stage("samples"):
        prompts = [ask(task.prompt(example)) for example in examples]
        found = sampled(stage.teacher, prompts, elicit.samples, stage.limit, elicit.temperature)
        texts = {example.id: rows for example, rows in zip(examples, found, strict=True)}
    with clock.stage("clusters"):
        labels, clusters = {}, {}
        for example in examples:
            rows = texts[example.id]
            encode = elicit.clustering.embedder.encoder(list(dict.fromkeys(rows)), example.question)
            groups = leaders(rows, encode, elicit.clustering.threshold)
            clusters[example.id] = groups
            answers = [task.parse(text, example) for text in rows]
            said = [answer or text for answer, text in zip(answers, rows, strict=True)]
            several = [Cluster(said[group[0]], group, group[0]) for group in groups if len(group) > 1]
            kept = joined(task, several, answers)  # as w2sg does, so that as many questions are asked about
            labels[example.id] = WeakLabel(
                example.id,
                rows[kept[0].leader] if kept else "",
                answers[kept[0].leader] if kept else None,
                tuple((cluster.answer, len(cluster.members)) for cluster in kept),
                variants=tuple(rows[cluster.leader] for cluster in kept[:8]),
            )
    with clock.stage("statements"):
        doubts = {example.id: Doubt.of(example, labels[example.id]) for example in asked(labels)}
        writer = elicit.statement
        if isinstance(writer, Asked):
            model = stage.teacher if writer.by == "teacher" else stage.student
            requests = [writer.prompt(task, doubt) for doubt in doubts.values()]
            replies = sampled(model, requests, 1, writer.max_new_tokens, writer.temperature)
            stated = {id: writer.read(reply) for id, (reply,) in zip(doubts, replies, strict=True)}
        else:
            stated = {id: writer.statement(task, doubt) for id, doubt in doubts.items()}
    with clock.stage("attempts"):
        prompts = [ask(task.prompt(example)) for example in asked(labels)]
        attempts = sampled(stage.student, prompts, 1, stage.limit, recipe.temperature)
    with clock.stage("rewrites"):
        prompts = []
        for example, (attempt,) in zip(asked(labels), attempts, strict=True):
            label = labels[example.id]
            shown = [Demonstration(label.text, label.histogram, stated[example.id])]
            prompts.append(ask(task.revise_prompt(example, attempt=attempt, others=shown)))
        sampled(stage.student, prompts, recipe.rewrites, stage.limit, recipe.temperature)
    clock.asked = len(prompts)
    return clock, texts, clusters


def agreement(stage: Stage, texts: dict[str, list[str]], clusters: dict[str, list[Any]]) -> float:
    """Return the share of the published side's questions that w2sg's clustering groups the same."""
    from w2sg.elicit.clusters_embedding import leader_groups, similarities

    clustering, same = stage.elicit.clustering, 0
    questions = {example.id: example.question for example in stage.examples}
    for id, rows in texts.items():
        encode = clustering.embedder.encoder(list(dict.fromkeys(rows)), questions[id])
        groups = leader_groups(similarities(rows, encode), clustering.threshold)
        same += set(map(frozenset, groups)) == set(map(frozenset, clusters[id]))
    return same / len(texts)


def plan_of(options: argparse.Namespace) -> Any:
    """Return the plan of one method: Alice with the published settings, clustering by what texts mean."""
    from w2sg.runs.experiment import Experiment
    from w2sg.runs.plan import make_plan

    split = {"transfer": options.questions, "validate": 0}
    elicit = {
        "samples": options.samples,
        "statement": options.statement,
        "clustering": {
            "kind": "embedding",
            "embedder": options.embedder,
            "threshold": options.threshold,
            "answers_first": False,
            "leader": "first",
            "singletons": "drop",
        },
    }
    settings = {
        "name": "alice-labelling",
        "tasks": [{**options.task, "split": {**options.task.get("split", {}), **split}}],
        "teacher": options.teacher,
        "student": options.student,
        "preset": "paper",
        "methods": {"alice": {"elicit": elicit}},
        "controls": [],
        "max_new_tokens": options.max_new_tokens,
        "teacher_fit": {"learning_rate": options.learning_rate, "epochs": 3, "batch_size": 16},
        "runtime": {"device": options.device, "threads": options.threads},
    }
    return make_plan(Experiment.parse(settings, "The benchmark's experiment"))


def ours(plan: Any, store: Any) -> tuple[float, Clock]:
    """Return the seconds that w2sg takes from the tuned teacher to the training texts, in all and by stage."""
    from w2sg.runs.runner import run_steps

    (arm,) = plan.arms
    targets = arm.node.tuned.parents["targets"]
    runtime = plan.experiment.runtime
    start = time.perf_counter()
    run_steps((targets,), store, runtime, workers=1)
    whole = time.perf_counter() - start
    rewrite = targets.parents["rewrites"]
    parts = {"attempts": rewrite.parents["attempts"], "rewrites": rewrite}
    for step in targets.parents["labels"].ancestors():
        if step.kind == "state":
            parts["statements"] = step
        elif step.kind == "label":
            parts["clusters"], parts["samples"] = step, step.parents["samples"]
    seconds = {name: store.record(step)["cost"]["seconds"] for name, step in parts.items()}
    return whole, Clock(defaultdict(float, seconds), store.record(rewrite)["summary"]["questions"])


def prepare(plan: Any, store: Any) -> Stage:
    """Tune the teacher, load both models, read the questions."""
    from w2sg.models.loading import load
    from w2sg.runs.runner import run_steps
    from w2sg.steps.inputs import MODEL, read_examples
    from w2sg.steps.task import task_of

    (arm,) = plan.arms
    labels = arm.node.tuned.parents["targets"].parents["labels"]
    sample = next(step for step in labels.ancestors() if step.kind == "sample")
    tuned, experiment = sample.parents["model"], plan.experiment
    run_steps((tuned,), store, experiment.runtime, workers=1)
    method = experiment.methods["alice"]
    return Stage(
        task=task_of(sample),
        examples=read_examples(store.folder(sample.parents["task"]), ("transfer",)),
        elicit=method.elicit,
        recipe=method.recipe,
        limit=experiment.max_new_tokens,
        teacher=load(experiment.teacher, experiment.runtime, store.folder(tuned) / MODEL),
        student=load(experiment.student, experiment.runtime),
    )


def best_batch(stage: Stage, batches: Sequence[int]) -> dict[int, float]:
    """Return the seconds that the teacher's samples of the first questions take, by batch size; the first run warms."""
    from w2sg.records import ask

    ids = [stage.teacher.prompt_ids(ask(stage.task.prompt(example))) for example in stage.examples[:4]]

    def seconds(batch: int) -> float:
        start = time.perf_counter()
        copies(stage.teacher, ids, stage.elicit.samples, stage.limit, batch, stage.elicit.temperature, 0.95)
        return time.perf_counter() - start

    seconds(batches[0])
    return {batch: seconds(batch) for batch in batches}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--baseline-questions", type=int, default=20, help="for the published side; 0 = all")
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--teacher", default="zoo/nano")
    parser.add_argument("--student", default="zoo/small")
    parser.add_argument("--task", default="world-knowledge", help="a task's name, or its settings as YAML")
    parser.add_argument("--embedder", default="sentence-transformers", choices=["sentence-transformers", "tfidf"])
    parser.add_argument("--threshold", type=float, default=0.9)
    parser.add_argument("--statement", default="template", choices=["template", "teacher", "student"])
    parser.add_argument("--max-new-tokens", type=int, default=96)
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="of the teacher")
    parser.add_argument("--batches", type=int, nargs="+", default=[100, 200, 400, 800], help="copies, for generate")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def main() -> None:
    import yaml

    options = arguments()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)
    import torch

    from w2sg.models.machine import threads
    from w2sg.runs.store import Store

    torch.manual_seed(0)
    task = yaml.safe_load(options.task)
    options.task = {"kind": task} if isinstance(task, str) else task
    count = min(options.baseline_questions or options.questions, options.questions)
    plan = plan_of(options)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        stage = prepare(plan, store)
        with threads(options.threads):
            pilot = best_batch(stage, options.batches)
            batch = min(pilot, key=lambda size: pilot[size])
            published(stage, 2, batch)  # what is loaded on first use is loaded here
            clock, texts, clusters = published(stage, count, batch)
            same = agreement(stage, texts, clusters)
        whole, mine = ours(plan, store)
    report(options, pilot, batch, clock, whole, mine, same, clusters)


def report(
    options: argparse.Namespace,
    pilot: dict[int, float],
    batch: int,
    clock: Clock,
    whole: float,
    mine: Clock,
    same: float,
    clusters: dict[str, list[Any]],
) -> None:
    """Print the table, write the JSON, and fail when the two sides do not cluster alike."""
    measured = len(clusters)
    plain = {name: clock.seconds[name] * options.questions / measured for name in STAGES}
    baseline = sum(plain.values())
    print(
        f"{options.samples} samples for each of {options.questions} questions of {options.task['kind']}, teacher "
        f"{options.teacher}, student {options.student}, {options.embedder}, {options.threads} thread(s); published: "
        f"{measured} questions measured{' and scaled' if measured < options.questions else ''}, batches of {batch}"
    )
    print(f"  {'stage':12} {'published':>11} {'w2sg':>9}")
    for name in STAGES:
        print(f"  {name:12} {plain[name]:9.1f} s {mine.seconds[name]:7.1f} s")
    print(f"  {'all':12} {baseline:9.1f} s {whole:7.1f} s   {baseline / whole:.1f} times faster")
    shares = (100 * clock.asked / measured, 100 * mine.asked / options.questions)
    print(f"  asked to revise: {shares[0]:.0f} % and {shares[1]:.0f} % of the questions")
    print(f"  same clusters of the same responses: {100 * same:.1f} % of the questions")
    if options.json:
        found = {
            "questions": options.questions,
            "questions_measured_published": measured,
            "samples": options.samples,
            "threads": options.threads,
            "models": [options.teacher, options.student],
            "embedder": options.embedder,
            "statement": options.statement,
            "generate_best_batch": batch,
            "generate_pilot_seconds": pilot,
            "clusters_mean": sum(len(groups) for groups in clusters.values()) / measured,
            "asked_to_revise": {"published": clock.asked / measured, "w2sg": mine.asked / options.questions},
            "published_seconds": plain,
            "w2sg_seconds": dict(mine.seconds),
            "published_seconds_all": baseline,
            "w2sg_seconds_all": whole,
            "ratio": baseline / whole,
            "same_clusters": same,
        }
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    if same < 0.99:
        sys.exit("The two sides do not cluster the same responses alike.")


if __name__ == "__main__":
    main()
