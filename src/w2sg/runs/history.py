"""What finished steps took, and so what a like step will take; what a step without its like takes is
`runs.forecast`'s to guess."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cached_property
from statistics import median
from typing import Any

from w2sg.runs.store import Store
from w2sg.steps.base import Step

Record = Mapping[str, Any]
Key = tuple[str, ...]

_ASIDE = {"model", "seed", "drawing", "number", "spare", "slice"}
"""Settings in which like steps may differ: the model is looked at by its content, slices by their size."""

_SCALED = {"sample": "questions", "rewrite": "questions", "judge": "questions", "fit": "texts"}
"""Kinds of steps that take the longer the more rows they have, and what their summaries call these. Steps of other
kinds are like each other only as wholes."""


class History:
    """The finished steps of a store. They are read once, when first asked for; times are medians, so that one taken on
    a busy machine decides nothing."""

    def __init__(self, store: Store) -> None:
        """Take the finished steps of `store`."""
        self._store = store

    @cached_property
    def records(self) -> dict[str, Record]:
        """The records of all finished steps by fingerprint."""
        return {record["fingerprint"]: record for record in self._store.finished()}

    @cached_property
    def latest(self) -> dict[tuple[str, str], Record]:
        """The last record of every kind and label."""
        return {(record["identity"]["kind"], record["label"]): record for record in self.records.values()}

    def seconds(self, step: Step, units: float) -> float | None:
        """Return what steps most like `step` took in the middle, for its `units` (see `units_of`); None if there are
        none.

        Likest is the same step of another seed, then one that does as much for the same task, then for any task, then
        any of the same kind and model.
        """
        same, *like = _keys(step.identity, step.label, _task(step))
        if same in self._took:
            return self._took[same]
        found = next((self._took[key] for key in like if key in self._took), None)
        return None if found is None else found * units

    @cached_property
    def _took(self) -> dict[Key, float]:
        took: dict[Key, list[float]] = defaultdict(list)
        for record in self.records.values():
            same, *like = _keys(record["identity"], record["label"], self._task_of(record))
            seconds, units = record["cost"]["seconds"], self._units(record)
            took[same].append(seconds)
            if units > 0:
                for key in like:
                    took[key].append(seconds / units)
        return {key: median(found) for key, found in took.items()}

    def _units(self, record: Record) -> float:
        identity, summary = record["identity"], record["summary"]
        rows = summary.get(_SCALED.get(identity["kind"], ""), 0)
        if identity["kind"] == "rewrite" and (labels := self.records.get(identity["parents"].get("labels", ""))):
            rows = labels["summary"].get("labels", rows)  # those that were settled without being asked count too
        return units_of(identity, rows)

    def _task_of(self, record: Record) -> str:
        """The task at the root of a finished step, "" where a step on the way there is gone."""
        found: Record | None = record
        while found is not None and found["identity"]["kind"] != "task":
            parents = found["identity"]["parents"]
            found = self.records.get(parents.get("task") or next(iter(parents.values()), ""))
        return "" if found is None else str(found["fingerprint"])


def units_of(identity: Record, rows: float) -> float:
    """Return by how much a step of `rows` questions or texts is longer than one of a single row and sample; 1 for
    steps whose like are compared as wholes."""
    if identity["kind"] not in _SCALED:
        return 1.0
    settings = identity["settings"]
    return float(rows) * float(settings["fit"]["epochs"] if "fit" in settings else settings["sampling"]["samples"])


def _task(step: Step) -> str:
    while step.kind != "task" and step.parents:
        step = step.parents.get("task") or next(iter(step.parents.values()))
    return step.fingerprint if step.kind == "task" else ""


def _keys(identity: Record, label: str, task: str) -> Iterator[Key]:
    """Yield what a step shares with others, from the likest to the least like."""
    settings, tuned = identity["settings"], str("model" in identity["parents"])
    model = json.dumps((settings.get("model") or {}).get("content"), sort_keys=True)
    asked = json.dumps({key: part for key, part in settings.items() if key not in _ASIDE}, sort_keys=True)
    parts = str((settings.get("slice") or {}).get("of", 1))
    kind = (identity["kind"], model)
    yield *kind, tuned, asked, task, parts, re.sub(r" · seed \d+$", "", label)
    yield *kind, tuned, asked, task
    yield *kind, tuned, asked
    yield kind
