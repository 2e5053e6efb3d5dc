"""The step that samples responses to a task's questions, in chunks that a killed run need not repeat."""

from __future__ import annotations

from w2sg.config import Config
from w2sg.decode.config import SamplingConfig
from w2sg.records import Response, Role, ask
from w2sg.steps.base import Cost, Outcome, Step, Workspace
from w2sg.steps.inputs import RESPONSES, read_examples, read_responses
from w2sg.steps.model import ModelRef, Node, load
from w2sg.steps.task import task_of
from w2sg.storage import concatenate, read_rows, remove_folder, write_rows


class SampleSettings(Config):
    """Who answers which questions, how."""

    model: ModelRef
    """The checkpoint that answers."""
    roles: tuple[Role, ...]
    """The roles whose questions are answered."""
    sampling: SamplingConfig
    """How many responses, and how they are drawn."""
    seed: int
    """The root of the random streams; 0 for greedy decoding, which draws nothing."""


def sample_step(
    node: Node, task: Step, roles: tuple[Role, ...], sampling: SamplingConfig, seed: int, label: str
) -> Step:
    """Return the step in which `node` answers the task's questions of `roles`."""
    settings = SampleSettings(
        model=node.ref, roles=roles, sampling=sampling, seed=seed if sampling.temperature > 0 else 0
    )
    return Step("sample", settings, {"task": task, **node.parents()}, label)


def run(step: Step, work: Workspace) -> Outcome:
    """Sample every question, continuing after the last whole chunk, then join the chunks into one file."""
    from w2sg.decode.sampling import Request, sample

    settings = step.settings
    assert isinstance(settings, SampleSettings)
    task = task_of(step)
    requests = [
        Request(example.id, ask(task.prompt(example)))
        for example in read_examples(work.parents["task"], settings.roles)
    ]
    position = {request.id: number for number, request in enumerate(requests)}
    chunks, whole = work.folder / "chunks", work.folder / RESPONSES
    finished = {row.id for path in chunks.glob("*.jsonl") for row in read_rows(path, Response)}
    if not whole.exists() and len(finished) < len(requests):
        model = load(settings.model, work)
        for rows in sample(
            model,
            requests,
            settings.sampling,
            seed=settings.seed,
            runtime=work.runtime,
            finished=finished,
            progress=work.progress,
        ):
            write_rows(chunks / f"{position[rows[0].id]:08d}.jsonl", rows)
    if not whole.exists():
        concatenate(sorted(chunks.glob("*.jsonl")), whole)
    remove_folder(chunks)
    responses = cut = tokens = 0
    for _, rows in read_responses(work.folder):
        responses += len(rows)
        cut += sum(not row.finished for row in rows)
        tokens += sum(row.tokens for row in rows)
    return Outcome({"questions": len(requests), "responses": responses, "cut": cut}, Cost(tokens_sampled=tokens))
