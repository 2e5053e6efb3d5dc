"""Sampling, labelling, stating and rewriting hold a block of questions at a time, however many questions and samples
there are."""

from __future__ import annotations

import tracemalloc
import weakref
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import scripted_world
from w2sg.decode.config import SamplingConfig
from w2sg.decode.sampling import Request
from w2sg.elicit.alice import Alice
from w2sg.elicit.statements import ByTeacher
from w2sg.elicit.stopping import Posterior
from w2sg.models.base import ModelConfig, Progress, RuntimeConfig, silent
from w2sg.records import Example, Item, Response, WeakLabel, ask
from w2sg.runs.plan import task_step
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.inputs import ITEMS, LABELS, RESPONSES, Examples
from w2sg.steps.label import label_step
from w2sg.steps.model import ModelRef, Node
from w2sg.steps.replies import keep_replies
from w2sg.steps.rewrite import RewriteSettings, Shown, rewrite_step, told
from w2sg.steps.rounds import keep_rounds
from w2sg.steps.sample import sample_step
from w2sg.steps.state import state_step
from w2sg.storage import write_rows
from w2sg.tasks import build, task_config

SAMPLES, WORDS = 400, "because of this and that, " * 20
NODE = Node(ModelRef.of(ModelConfig(path="scripted:scripted_world:strong")))
FACTOR, REUSED = 1.25, 500_000
"""How much more memory ten times the questions may take; and the bytes of freed tuples that the interpreter keeps at
most (2,000 of each short length), which count as taken."""
STORY = "\n" + "There was a man who had a dog. " * 60
"""What makes every question so long (2 kB) that 2,000 of them cannot be held unseen."""


def laid_out(folder: Path, questions: int, samples: int) -> tuple[dict[str, Step], dict[str, Path]]:
    """Return the steps of the labelling stage, by kind, and where their parents lie, samples and attempts given."""
    files = scripted_world.write_files(folder / "data")
    task = task_step(task_config({"kind": "file", "grader": "numeric", **files}))
    places = {name: folder / name for name in ("task", "samples", "labels", "attempts")}
    examples = [Example(f"q{n}", f"What is {n} plus 1?{STORY}") for n in range(questions)]
    write_rows(places["task"] / ITEMS, (Item(example, "transfer") for example in examples))
    write_rows(
        places["samples"] / RESPONSES,
        (
            Response(example.id, k, f"{WORDS}\nAnswer: {k % 3}", 50, True)
            for example in examples
            for k in range(samples)
        ),
    )
    write_rows(
        places["attempts"] / RESPONSES, (Response(one.id, 0, f"{WORDS}\nAnswer: 1", 9, True) for one in examples)
    )
    shown = Shown(uncertainty=True, order="own-first", bypass=False, shuffle="none", seed=0)
    sampling = SamplingConfig(samples=1, temperature=0.9, chunk=64)
    settings = RewriteSettings(model=NODE.ref, shown=shown, sampling=sampling, seed=1)
    return {
        "sample": sample_step(NODE, task, ("transfer",), sampling, 0, "samples"),
        "label": label_step(task, task, Alice(), "labels"),
        "state": state_step(task, task, ByTeacher(), NODE, 0, "statements", chunk=64),
        "rewrite": rewrite_step(NODE, {"task": task, "labels": task, "attempts": task}, settings, "rewrites"),
    }, places


def peak(step: Step, folder: Path, parents: dict[str, Path]) -> int:
    """Run the step and return the most bytes that it held at once."""
    tracemalloc.start()
    try:
        step.run(Workspace(folder, parents, RuntimeConfig(), silent))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sample", "label", "state", "rewrite"])
def test_memory_does_not_grow_with_the_questions(tmp_path: Path, kind: str) -> None:
    found: list[int] = []
    for questions in (20, 200, 2000):  # the first one warms caches and imports
        folder = tmp_path / str(len(found))
        steps, places = laid_out(folder, questions, samples=2)
        if kind in ("state", "rewrite"):
            steps["label"].run(Workspace(places["labels"], places, RuntimeConfig(), silent))
        found.append(peak(steps[kind], folder / kind, places))
    assert found[2] < FACTOR * found[1] + REUSED < 1800 * len(STORY)


def test_memory_does_not_grow_with_the_samples(tmp_path: Path) -> None:
    """One question's samples are held, as text and as rows, and not those of ten."""
    for samples in (10, SAMPLES):  # the first one warms caches and imports
        steps, places = laid_out(tmp_path / str(samples), 10, samples)
        found = peak(steps["label"], tmp_path / str(samples) / "label", places)
    assert found < 4 * (places["samples"] / RESPONSES).stat().st_size / 10


def torn(
    requests: Sequence[Request], sampling: SamplingConfig, seed: int, progress: Progress
) -> Iterator[list[Response]]:
    """A speaker that answers all of at most four requests, now so, now so."""
    assert len(requests) <= 4
    yield [
        Response(one.id, number, f"Answer: {number % 2}", 2, True)
        for one in requests
        for number in one.numbers(sampling.samples)
    ]


def test_shuffled_work_is_not_held(tmp_path: Path) -> None:
    """Two labels of 10 kB are held, one's own and another's, and those that are being read, and not 100."""
    labels = [WeakLabel(f"q{n}", f"{n} {WORDS * 20}", "1", (("1", 2),), 0, 0.5, "doubt") for n in range(100)]
    write_rows(tmp_path / LABELS, labels)
    shown = Shown(uncertainty=True, order="own-first", bypass=False, shuffle="statement", seed=0)
    for _ in range(2):  # the first one warms imports
        tracemalloc.start()
        try:
            assert sum(one.heard for one in told({"labels": tmp_path}, shown)) == 100
            found = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert found < (tmp_path / LABELS).stat().st_size / 4


def test_requests_are_made_a_block_at_a_time(tmp_path: Path) -> None:
    """At most two blocks of them are there at once: the one that was answered, and the one that is made after it."""
    living, most = 0, 0

    def gone() -> None:
        nonlocal living
        living -= 1

    def requests() -> Iterator[Request]:
        nonlocal living, most
        for number in range(100):
            request = Request(f"q{number}", ask("?"))
            weakref.finalize(request, gone)
            living += 1
            most = max(most, living)
            yield request

    sampling = SamplingConfig(samples=2, temperature=1.0, chunk=8)
    outcome = keep_replies(Workspace(tmp_path, {}, RuntimeConfig(), silent), requests(), 100, sampling, 0, torn)
    assert outcome.summary["responses"] == 200
    assert 4 <= most <= 8


def test_rounds_hold_no_questions(tmp_path: Path) -> None:
    """Of 40 questions of 30 kB those of one block are held, however many rounds there are."""
    write_rows(tmp_path / ITEMS, (Item(Example(f"q{n}", f"{n} {WORDS * 60}"), "transfer") for n in range(40)))
    size = (tmp_path / ITEMS).stat().st_size
    task = build(task_config({"kind": "file", "labelled": "unread.jsonl", "grader": "numeric", "instruction": ""}))

    sampling = SamplingConfig(samples=8, temperature=1.0, chunk=8)

    def drawn(name: str) -> Outcome:
        work = Workspace(tmp_path / name, {}, RuntimeConfig(), silent)
        return keep_rounds(
            work, task, Examples(tmp_path, ("transfer",)), sampling, Posterior(round=4, error=0), 0, torn
        )

    drawn("warm")
    tracemalloc.start()
    try:
        outcome = drawn("measured")
        found = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert outcome.summary["rounds"] > 1
    assert found < size / 4
