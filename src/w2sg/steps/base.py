"""A step: a pure description of one piece of work, with an identity made of everything that decides its result.

Settings and parents' fingerprints decide; the `label` is for people. What a step of each kind does is in the
module its kind names in `KINDS`, imported only when the step runs; who runs it, where and when is `runs`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from w2sg.config import Config, fingerprint
from w2sg.models.base import Progress, RuntimeConfig


@dataclass(frozen=True)
class Kind:
    """What a kind of step runs, and the version of its meaning (raised when its results change)."""

    target: str
    version: int


KINDS: dict[str, Kind] = {
    "task": Kind("w2sg.steps.task:run", 1),
    "sample": Kind("w2sg.steps.sample:run", 1),
    "label": Kind("w2sg.steps.label:run", 1),
    "distributions": Kind("w2sg.steps.distributions:run", 1),
    "doubt": Kind("w2sg.steps.doubt:run", 1),
    "calibrate": Kind("w2sg.steps.calibrate:run", 1),
    "state": Kind("w2sg.steps.state:run", 1),
    "rewrite": Kind("w2sg.steps.rewrite:run", 1),
    "propose": Kind("w2sg.steps.propose:run", 1),
    "judge": Kind("w2sg.steps.judge:run", 1),
    "targets": Kind("w2sg.steps.targets:run", 1),
    "fit": Kind("w2sg.steps.fit:run", 1),
    "answer-tokens": Kind("w2sg.steps.answer_tokens:run", 1),
    "boost": Kind("w2sg.steps.boost:run", 1),
    "boost-classes": Kind("w2sg.steps.boost_classes:run", 1),
    "classify": Kind("w2sg.steps.classify:run", 1),
    "ensemble": Kind("w2sg.steps.ensemble:run", 1),
    "join": Kind("w2sg.steps.join:run", 1),
    "first-experts": Kind("w2sg.steps.first_experts:run", 1),
    "average": Kind("w2sg.steps.average:run", 1),
    "choose": Kind("w2sg.steps.choose:run", 1),
    "difficulty-fold": Kind("w2sg.steps.difficulty:run_fold", 1),
    "difficulty": Kind("w2sg.steps.difficulty:run", 1),
    "score": Kind("w2sg.steps.score:run", 1),
    "label-score": Kind("w2sg.steps.label_score:run", 1),
    "probe": Kind("w2sg.steps.probe:run", 1),
    "rewrite-score": Kind("w2sg.steps.rewrite_score:run", 1),
}


@dataclass(frozen=True)
class Cost:
    """What a step consumed besides time: tokens sampled from models, real (non-padding) tokens trained on."""

    tokens_sampled: int = 0
    tokens_trained: int = 0


@dataclass(frozen=True)
class Outcome:
    """What a finished step reports: a JSON-ready summary for the record, and its cost."""

    summary: dict[str, Any] = field(default_factory=dict)
    cost: Cost = field(default_factory=Cost)


@dataclass(frozen=True)
class Workspace:
    """Where a running step finds its parents' folders, writes its own, and tells its progress.

    `folder` may hold what an interrupted attempt left: finished rows, checkpoints.
    """

    folder: Path
    parents: Mapping[str, Path]
    runtime: RuntimeConfig
    progress: Progress


@dataclass(frozen=True, eq=False)
class Step:
    """One piece of work. `parents` are named by the part they play (`task`, `model`, `labels`, ...)."""

    kind: str
    settings: Config
    parents: Mapping[str, Step] = field(default_factory=dict)
    label: str = ""

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Everything that decides the result, as plain JSON values."""
        return {
            "kind": self.kind,
            "version": KINDS[self.kind].version,
            "settings": self.settings.identity(),
            "parents": {part: parent.fingerprint for part, parent in sorted(self.parents.items())},
        }

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that name the step's result."""
        return fingerprint(self.identity)

    def ancestors(self) -> Iterator[Step]:
        """Yield every step this one rests on, parents before children, itself last, each once."""
        seen: set[str] = set()

        def visit(step: Step) -> Iterator[Step]:
            if step.fingerprint in seen:
                return
            seen.add(step.fingerprint)
            for parent in step.parents.values():
                yield from visit(parent)
            yield step

        return visit(self)

    def run(self, workspace: Workspace) -> Outcome:
        """Do the work in `workspace`, continuing what an interrupted attempt left there."""
        module, _, attribute = KINDS[self.kind].target.partition(":")
        function: Callable[[Step, Workspace], Outcome] = getattr(import_module(module), attribute)
        return function(self, workspace)


def with_ancestors(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return the steps and all that they rest on, each once, parents before children."""
    found: dict[str, Step] = {}
    for step in steps:
        for part in step.ancestors():
            found.setdefault(part.fingerprint, part)
    return tuple(found.values())
