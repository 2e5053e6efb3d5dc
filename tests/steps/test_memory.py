"""Labelling and rewriting hold one question's samples at a time, however many questions there are."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import scripted_world
from w2sg.decode.config import SamplingConfig
from w2sg.elicit.alice import Alice
from w2sg.models.base import ModelConfig, RuntimeConfig, silent
from w2sg.records import Example, Item, Response
from w2sg.runs.plan import task_step
from w2sg.steps.base import Step, Workspace
from w2sg.steps.inputs import ITEMS, RESPONSES
from w2sg.steps.label import label_step
from w2sg.steps.model import ModelRef, Node
from w2sg.steps.rewrite import RewriteSettings, Shown, rewrite_step
from w2sg.storage import write_rows
from w2sg.tasks import task_config

SAMPLES, WORDS = 40, "because of this and that, " * 20


def peak(step: Step, folder: Path, parents: dict[str, Path]) -> int:
    """Run the step and return the most bytes that it held at once."""
    tracemalloc.start()
    try:
        step.run(Workspace(folder, parents, RuntimeConfig(), silent))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def peaks(folder: Path, questions: int) -> tuple[int, int, int]:
    """Return the peaks of labelling and of rewriting, and the bytes of all samples."""
    files = scripted_world.write_files(folder / "data")
    task = task_step(task_config({"kind": "file", "grader": "numeric", **files}))
    examples = [Example(f"q{n}", f"What is {n} plus 1?") for n in range(questions)]
    places = {name: folder / name for name in ("task", "samples", "labels", "attempts")}
    write_rows(places["task"] / ITEMS, (Item(example, "transfer") for example in examples))
    write_rows(
        places["samples"] / RESPONSES,
        (
            Response(example.id, k, f"{WORDS}\nAnswer: {k % 3}", 50, True)
            for example in examples
            for k in range(SAMPLES)
        ),
    )
    write_rows(
        places["attempts"] / RESPONSES, (Response(one.id, 0, f"{WORDS}\nAnswer: 1", 9, True) for one in examples)
    )
    labels = label_step(task, task, Alice(), "labels")
    first = peak(labels, places["labels"], places)
    node = Node(ModelRef.of(ModelConfig(path="scripted:scripted_world:strong")))
    shown = Shown(uncertainty=True, order="own-first", bypass=False, shuffle="none", seed=0)
    sampling = SamplingConfig(samples=4, temperature=0.9, chunk=64)
    settings = RewriteSettings(model=node.ref, shown=shown, sampling=sampling, seed=1)
    rewrites = rewrite_step(node, {"task": task, "labels": task, "attempts": task}, settings, "rewrites")
    second = peak(rewrites, folder / "rewrites", places)
    return first, second, (places["samples"] / RESPONSES).stat().st_size


def test_memory_does_not_grow_with_the_samples(tmp_path: Path) -> None:
    few, many = peaks(tmp_path / "few", 50), peaks(tmp_path / "many", 500)
    samples = many[2] - few[2]
    questions = 450 * 3000  # what a question itself may cost: its text, its place in an index
    assert samples > 5 * questions
    assert many[0] - few[0] < questions
    assert many[1] - few[1] < questions
