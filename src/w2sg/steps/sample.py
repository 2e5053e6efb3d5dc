"""The step that samples responses to a task's questions, in chunks that a killed run need not repeat."""

from __future__ import annotations

from pydantic import SerializeAsAny

from w2sg.config import Config, added
from w2sg.decode.config import SamplingConfig
from w2sg.elicit.stopping import Never, Stopping
from w2sg.records import Example, Role, ask
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.classify import classify_step
from w2sg.steps.inputs import Examples
from w2sg.steps.model import ModelRef, Node
from w2sg.steps.replies import keep_replies, local
from w2sg.steps.rounds import keep_rounds
from w2sg.steps.slices import Slice, in_slice
from w2sg.steps.task import task_of


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
    slice: Slice | None = added(None)
    """The part of these questions that is answered; all of them when not given."""
    stopping: SerializeAsAny[Stopping] = added(Never())
    """When a question gets fewer responses than `sampling` says."""


def sample_step(
    node: Node,
    task: Step,
    roles: tuple[Role, ...],
    sampling: SamplingConfig,
    seed: int,
    label: str,
    slice: Slice | None = None,
    stopping: Stopping | None = None,
) -> Step:
    """Return the step in which `node` answers the task's questions of `roles`, or one slice of them, as often as
    `sampling` says or until `stopping` finds their vote settled. A node that classifies draws its answers at no cost,
    and so draws them all."""
    if node.classifies is not None:
        return classify_step(node, task, roles, sampling, seed, label, slice)
    settings = SampleSettings(
        model=node.ref,
        roles=roles,
        sampling=sampling,
        seed=seed if sampling.temperature > 0 else 0,
        slice=slice,
        stopping=Never() if stopping is None else stopping,
    )
    return Step("sample", settings, {"task": task, **node.parents()}, label)


def run(step: Step, work: Workspace) -> Outcome:
    """Sample every question, continuing after the last whole chunk."""
    from w2sg.decode.sampling import Request

    settings = step.settings
    assert isinstance(settings, SampleSettings)
    task = task_of(step)
    examples: Examples | list[Example] = Examples(work.parents["task"], settings.roles)
    if settings.slice is not None:
        examples = in_slice(list(examples), settings.slice)
    speaker = local(settings.model, work)
    if settings.stopping.more(0) is not None:
        return keep_rounds(work, task, examples, settings.sampling, settings.stopping, settings.seed, speaker)
    requests = (Request(example.id, ask(task.prompt(example))) for example in examples)
    return keep_replies(work, requests, len(examples), settings.sampling, settings.seed, speaker)
