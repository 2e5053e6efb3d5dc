"""What the cost of an arm is made of: tokens and seconds by the part that each step plays in it.

What a step cost stands in its record; the totals of an arm are `gather`'s.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from statistics import fmean
from typing import Any, get_args

from w2sg.report.arms import ArmResult, PartCost
from w2sg.report.results import Results
from w2sg.report.schema import CostPart, CostRow
from w2sg.steps.base import Step
from w2sg.steps.classify import ClassifySettings
from w2sg.steps.model import ENSEMBLES, ModelRef
from w2sg.steps.sample import SampleSettings

_KINDS: dict[str, CostPart] = {
    "rewrite": "student's rewrites",
    "judge": "supervisor's judgements",
    "state": "statements of doubt",
    "doubt": "statements of doubt",
    "fit": "training of supervisors",
    "boost": "training of supervisors",
    "boost-classes": "training of supervisors",
    "ensemble": "training of supervisors",
    "average": "training of supervisors",
    "choose": "training of supervisors",
}


_SAMPLES = frozenset(["sample", "classify", "doubt", "judge", "state", "rewrite"])
_COUNTED_AS = {kind: "members" if kind == "join" else "experts" for kind in ENSEMBLES}
"""What the kinds of steps that make an ensemble call the number of its experts."""


def part_costs(scores: Step, tuned: Step | None, records: Mapping[str, Any]) -> tuple[PartCost, ...]:
    """Return the cost of an arm by part, in the order of the work.

    Args:
        scores: the step that graded the arm; it and all that it rests on are counted.
        tuned: the step that made the judged model, if any.
        records: of these steps, by fingerprint.
    """
    steps = list(scores.ancestors())
    plays: dict[str, set[str]] = {}
    for step in steps:
        for part, parent in step.parents.items():
            plays.setdefault(parent.fingerprint, set()).add(part)
    found: dict[CostPart, list[Any]] = {}
    experts: dict[CostPart, float] = {}
    for step in steps:
        judged = tuned is not None and step.fingerprint == tuned.fingerprint
        part = "training of the judged model" if judged else part_of(step, plays.get(step.fingerprint, ()))
        found.setdefault(part, []).append(records[step.fingerprint]["cost"])
        experts[part] = max(experts.get(part, 1.0), _experts(step, records))
    return tuple(
        PartCost(
            part,
            sum(cost["tokens_sampled"] for cost in found[part]),
            sum(cost["tokens_trained"] for cost in found[part]),
            sum(cost["seconds"] for cost in found[part]),
            experts[part],
        )
        for part in get_args(CostPart)
        if part in found
    )


def _experts(step: Step, records: Mapping[str, Any]) -> float:
    """How many models sample together in a step; 1 where one does, or none."""
    if step.kind not in _SAMPLES:
        return 1.0
    if (made := step.parents.get("model")) is not None:
        summary = records[made.fingerprint]["summary"]
        return float(summary[_COUNTED_AS[made.kind]]) if made.kind in ENSEMBLES else 1.0
    model = getattr(step.settings, "model", None)
    if isinstance(model, ModelRef) and model.is_ensemble:
        return float(len(model.content["ensemble"]["experts"]))
    return 1.0


def counted_once(results: Results, task: str) -> str:
    """Return the sentence that says which rows' tokens an ensemble sampled, whose experts all read and write what is
    counted once, with their number; "" where none did."""
    names: dict[str, list[str]] = {}
    for method in results.methods(task):
        same = (row for row in results.costs if (row.task, row.method) == (task, method) and row.tokens_sampled)
        if (most := max((row.experts for row in same), default=1.0)) > 1:
            names.setdefault(f"{most:.1f}".removesuffix(".0"), []).append(method)
    if not names:
        return ""
    said = "; ".join(f"{count} experts: {', '.join(methods)}" for count, methods in names.items())
    return (
        "A token that an ensemble samples is counted once, though every one of its experts reads and writes it, so "
        f"that such a row costs more than its tokens sampled say ({said})."
    )


def part_of(step: Step, plays: Collection[str]) -> CostPart:
    """Return what a step does for its arm; `plays` are the parts that it plays for the steps that rest on it."""
    if not isinstance(step.settings, SampleSettings | ClassifySettings):
        return _KINDS.get(step.kind, "the rest")
    if "test" in step.settings.roles:
        return "answers to the test"
    if "attempts" in plays:
        return "student's attempts"
    if "tries" in plays:
        return "solutions for gold without reasoning"
    return "samples to calibrate by" if "validate" in step.settings.roles else "supervisor's samples"


def cost_rows(task: str, method: str, members: Sequence[ArmResult]) -> Iterator[CostRow]:
    """Yield what the cost of one method is made of, means over seeds."""
    for part in get_args(CostPart):
        same = [cost for arm in members for cost in arm.costs if cost.part == part]
        if same:
            yield CostRow(
                task=task,
                method=method,
                part=part,
                tokens_sampled=fmean(cost.tokens_sampled for cost in same),
                tokens_trained=fmean(cost.tokens_trained for cost in same),
                seconds=fmean(cost.seconds for cost in same),
                experts=fmean(cost.experts for cost in same),
            )
