"""What a run would do, before it does it: which steps are reused, which run and why, and about how long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from w2sg.models.identity import parameter_guess
from w2sg.runs.plan import Plan
from w2sg.runs.store import State, Store
from w2sg.steps.base import Step
from w2sg.steps.choose import ChooseSettings
from w2sg.steps.fit import FitSettings
from w2sg.steps.judge import JudgeSettings
from w2sg.steps.rewrite import RewriteSettings
from w2sg.steps.sample import SampleSettings
from w2sg.steps.state import StateSettings
from w2sg.steps.task import TaskSettings

_TOKENS_PER_RESPONSE = 60
_TOKENS_PER_TARGET = 120
_ROWS = 1000  # of a role whose size only the data tell
_PARAMETERS = 1e9  # of a model that is not on this disk
_SECONDS_TO_START = 3.0
_FLOPS_PER_SECOND = 2e10  # of one CPU core; a GPU is a hundred times faster, and its first step corrects this


@dataclass(frozen=True)
class Forecast:
    """One step's outlook. `seconds` is an estimate; 0 for a step that is reused."""

    step: Step
    state: State
    reason: str
    seconds: float


def forecast(plan: Plan, store: Store) -> list[Forecast]:
    """Return the outlook of every step, in order."""
    states = {step.fingerprint: store.state(step) for step in plan.steps}
    done = {fingerprint for fingerprint, state in states.items() if state == "done"}
    history = list(store.finished())
    outlook = []
    for step in plan.steps:
        state = states[step.fingerprint]
        if step.fingerprint in done:
            outlook.append(Forecast(step, state, "finished before", 0.0))
        else:
            reason = _reason(step, state, done, history)
            outlook.append(Forecast(step, state, reason, _seconds(step, store, history)))
    return outlook


def _reason(step: Step, state: State, done: set[str], history: list[dict[str, Any]]) -> str:
    if state == "begun":
        return "was begun and left off; continues"
    fresh = [parent for parent in step.parents.values() if parent.fingerprint not in done]
    if fresh:
        return f"rests on {fresh[0].label!r}, which runs"
    for record in reversed(history):
        if record["label"] == step.label and record["identity"]["kind"] == step.kind:
            changes = list(differences(record["identity"], step.identity))
            if changes:
                more = f" and {len(changes) - 2} more" if len(changes) > 2 else ""
                return "changed: " + "; ".join(changes[:2]) + more
    return "new"


def differences(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Yield `path: old -> new` for every leaf in which two JSON values differ."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            inner = f"{path}.{key}" if path else str(key)
            yield from differences(before.get(key), after.get(key), inner)
    elif before != after:
        yield f"{path}: {before!r} -> {after!r}"


def _seconds(step: Step, store: Store, history: list[dict[str, Any]]) -> float:
    settings = step.settings
    if isinstance(settings, SampleSettings | RewriteSettings | JudgeSettings):
        roles = settings.roles if isinstance(settings, SampleSettings) else ("transfer",)
        rows = sum(_rows(step.parents["task"], role, store) for role in roles) / _parts(step)
        tokens = rows * settings.sampling.samples * min(settings.sampling.max_new_tokens, _TOKENS_PER_RESPONSE)
        return _SECONDS_TO_START + tokens * _rate(step, history, "tokens_sampled", 2)
    if isinstance(settings, ChooseSettings):  # the first expert answers, the first two, and so on
        rows = _rows(step.parents["task"], "validate", store) * len(step.parents["model"].parents)
        tokens = rows * min(settings.sampling.max_new_tokens, _TOKENS_PER_RESPONSE)
        return _SECONDS_TO_START + tokens * _rate(step, history, "tokens_sampled", 2)
    if isinstance(settings, StateSettings) and settings.model is not None:
        rows = _rows(step.parents["task"], "transfer", store)
        tokens = rows * min(settings.writer.max_new_tokens, _TOKENS_PER_RESPONSE)
        return _SECONDS_TO_START + tokens * _rate(step, history, "tokens_sampled", 2)
    if isinstance(settings, FitSettings):
        targets = step.parents["targets"]
        role = getattr(targets.settings, "role", "transfer")
        rows = _rows(targets.parents["task"], role, store) / _parts(targets)
        tokens = int(rows * settings.fit.epochs * _TOKENS_PER_TARGET)
        return _SECONDS_TO_START + tokens * _rate(step, history, "tokens_trained", 6)
    return 1.0


def _parts(step: Step) -> int:
    """Into how many slices the questions that the step is about are cut."""
    found = (getattr(one.settings, "slice", None) for one in (step, *step.parents.values()))
    return max((slice.of for slice in found if slice is not None), default=1)


def _rows(task: Step, role: str, store: Store) -> int:
    """The number of questions of a role: counted if the task is laid out, else as asked for, else a guess."""
    if store.state(task) == "done":
        counts: dict[str, int] = store.record(task)["summary"]["counts"]
        return sum(count for key, count in counts.items() if key.split("-")[0] == role)
    assert isinstance(task.settings, TaskSettings)
    split = task.settings.task.split
    sizes = (split.test_id, split.test_ood) if role == "test" else (getattr(split, role),)
    return sum(size if isinstance(size, int) and not isinstance(size, bool) else _ROWS for size in sizes)


def _rate(step: Step, history: list[dict[str, Any]], cost: str, passes: int) -> float:
    """Seconds per token: as measured on the same checkpoint, else from its size."""
    model = step.settings.model  # type: ignore[attr-defined]
    measured = [
        record["cost"]["seconds"] / record["cost"][cost]
        for record in history
        if record["cost"][cost] > 0
        and record["identity"]["kind"] == step.kind
        and (record["identity"]["settings"]["model"] or {}).get("content") == model.content
    ]
    return median(measured) if measured else passes * (parameter_guess(model.config) or _PARAMETERS) / _FLOPS_PER_SECOND
