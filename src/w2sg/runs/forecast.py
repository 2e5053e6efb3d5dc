"""What a run would do, before it does it: which steps are reused, which run and why, and about how long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from w2sg.models.identity import parameter_guess
from w2sg.runs.history import History, units_of
from w2sg.runs.plan import Plan
from w2sg.runs.store import State, Store
from w2sg.steps.base import Step
from w2sg.steps.choose import ChooseSettings
from w2sg.steps.fit import FitSettings
from w2sg.steps.judge import JudgeSettings
from w2sg.steps.model import ModelRef
from w2sg.steps.rewrite import RewriteSettings
from w2sg.steps.sample import SampleSettings
from w2sg.steps.state import StateSettings
from w2sg.steps.task import TaskSettings

_RESPONSE_SHARE = 0.25  # of the longest allowed
_TOKENS_PER_TARGET = 120
_ROWS = 1000  # of a role whose size only the data tell
_PARAMETERS = 1e9  # of a model that is not on this disk
_SECONDS_TO_START = 0.5
_PARAMETERS_LOADED_PER_SECOND = 1e9
_SECONDS_WITHOUT_MODEL = 0.3
_LEAST_SECONDS = 0.01
# Of one CPU core, in batches; a GPU is a hundred times faster, and its first steps correct this.
_FLOPS_SAMPLING = 2e10
_FLOPS_TRAINING = 6e10


@dataclass(frozen=True)
class Forecast:
    """One step's outlook. `seconds` is an estimate, `measured` on like steps or not; 0 for a step that is reused."""

    step: Step
    state: State
    reason: str
    seconds: float
    measured: bool = False


def forecast(plan: Plan, store: Store) -> list[Forecast]:
    """Return the outlook of every step, in order."""
    states = {step.fingerprint: store.state(step) for step in plan.steps}
    done = {fingerprint for fingerprint, state in states.items() if state == "done"}
    history, sizes = History(store), _Sizes(store, done)
    outlook = []
    for step in plan.steps:
        state = states[step.fingerprint]
        if step.fingerprint in done:
            outlook.append(Forecast(step, state, "finished before", 0.0))
            continue
        rows = sizes.rows(step)
        known = history.seconds(step, units_of(step.identity, rows))
        seconds = _guess(step, rows) if known is None else max(known, _LEAST_SECONDS)
        outlook.append(Forecast(step, state, _reason(step, state, done, history), seconds, known is not None))
    return outlook


def _reason(step: Step, state: State, done: set[str], history: History) -> str:
    if state == "begun":
        return "was begun and left off; continues"
    fresh = [parent for parent in step.parents.values() if parent.fingerprint not in done]
    if fresh:
        return f"rests on {fresh[0].label!r}, which runs"
    before = history.latest.get((step.kind, step.label))
    if before and before["fingerprint"] not in done:  # else it is another step of this plan, of the same name
        changes = list(differences(before["identity"], step.identity))
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


def _guess(step: Step, rows: float) -> float:
    """Seconds of a step whose like was never done, by the size of its model: forward and backward passes take 2 and 4
    floating-point operations per parameter and token."""
    settings = step.settings
    if isinstance(settings, SampleSettings | RewriteSettings | JudgeSettings | ChooseSettings):
        tokens = rows * settings.sampling.samples * settings.sampling.max_new_tokens * _RESPONSE_SHARE
        return _with_model(settings.model, tokens * 2 / _FLOPS_SAMPLING)
    if isinstance(settings, StateSettings) and settings.model is not None:
        tokens = rows * settings.writer.max_new_tokens * _RESPONSE_SHARE
        return _with_model(settings.model, tokens * 2 / _FLOPS_SAMPLING)
    if isinstance(settings, FitSettings):
        tokens = rows * settings.fit.epochs * _TOKENS_PER_TARGET
        return _with_model(settings.model, tokens * 6 / _FLOPS_TRAINING)
    return _SECONDS_WITHOUT_MODEL


def _with_model(model: ModelRef, seconds_per_parameter: float) -> float:
    size = parameter_guess(model.config) or _PARAMETERS
    return _SECONDS_TO_START + size / _PARAMETERS_LOADED_PER_SECOND + size * seconds_per_parameter


class _Sizes:
    """How many rows steps have, as far as it can be told before they run."""

    def __init__(self, store: Store, done: set[str]) -> None:
        self._store, self._done = store, done
        self._counts: dict[str, dict[str, int]] = {}

    def rows(self, step: Step) -> float:
        """Questions or texts that the step goes through; 1 where that decides nothing about its time."""
        settings = step.settings
        if isinstance(settings, SampleSettings):
            return sum(self._role(step.parents["task"], role) for role in settings.roles) / _parts(step)
        if isinstance(settings, RewriteSettings | JudgeSettings):
            return self._role(step.parents["task"], "transfer") / _parts(step)
        if isinstance(settings, StateSettings):
            return self._role(step.parents["task"], "transfer")
        if isinstance(settings, ChooseSettings):  # the first expert answers, the first two, and so on
            return self._role(step.parents["task"], "validate") * len(step.parents["model"].parents)
        if isinstance(settings, FitSettings):
            targets = step.parents["targets"]
            role = getattr(targets.settings, "role", "transfer")
            return self._role(targets.parents["task"], role) / _parts(targets)
        return 1

    def _role(self, task: Step, role: str) -> int:
        """Questions of a role: counted if the task is laid out, else as asked for, else a guess."""
        if task.fingerprint in self._done:
            if task.fingerprint not in self._counts:
                self._counts[task.fingerprint] = self._store.record(task)["summary"]["counts"]
            return sum(count for key, count in self._counts[task.fingerprint].items() if key.split("-")[0] == role)
        assert isinstance(task.settings, TaskSettings)
        split = task.settings.task.split
        sizes = (split.test_id, split.test_ood) if role == "test" else (getattr(split, role),)
        return sum(size if isinstance(size, int) and not isinstance(size, bool) else _ROWS for size in sizes)


def _parts(step: Step) -> int:
    """Into how many slices the questions that the step is about are cut."""
    found = (getattr(one.settings, "slice", None) for one in (step, *step.parents.values()))
    return max((slice.of for slice in found if slice is not None), default=1)
