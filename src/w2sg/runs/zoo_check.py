"""What `w2sg zoo check` runs: an experiment on the zoo, with the student's own labels and the probe of its reading.

The criteria that are judged by it are in `report.zoo_check`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from w2sg.config import override, suggest
from w2sg.errors import ConfigError
from w2sg.runs.experiment import Experiment
from w2sg.runs.plan import Plan, make_plan
from w2sg.steps.base import Step, with_ancestors
from w2sg.steps.probe import probe_step
from w2sg.steps.sample import SampleSettings

TEACHER = "zoo/nano"
STUDENT = "zoo/small"
"""The zoo's default pair, which the quickstart uses too."""
KINDS = ("world-knowledge", "world-maths", "world-logic")
SEEDS = (0, 1, 2, 3, 4)
SETTINGS: dict[str, Any] = {
    "max_new_tokens": 96,
    "teacher_fit": {"learning_rate": 1.0e-3, "epochs": 3, "batch_size": 16},
    "student_fit": {"learning_rate": 5.0e-4, "epochs": 2, "batch_size": 16},
}
"""How the pair is tuned and asked: as in the quickstart, at the learning rates at which the members were judged when
they were frozen, which are higher than what suits them best (`experiments/ensemw2s-learning-rates.yaml`)."""

_OWN = "own-labels"
_DECIDED = ("name", "tasks", "teacher", "student", "seeds", "methods", "controls")


@dataclass(frozen=True)
class Check(Plan):
    """The plan of an experiment with two steps more for each task, by its name: the grades of the untuned student's
    answers to the transfer questions, and the probe of its reading."""

    own: Mapping[str, Step] = field(default_factory=dict)
    probes: Mapping[str, Step] = field(default_factory=dict)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Every step once, parents before children."""
        leaves = (leaf for arm in self.arms for leaf in arm.leaves())
        return with_ancestors([*leaves, *self.own.values(), *self.probes.values()])


def check_experiment(
    *,
    teacher: str = TEACHER,
    student: str = STUDENT,
    kinds: Iterable[str] = KINDS,
    seeds: Iterable[int] = SEEDS,
    workers: int = 0,
    settings: Iterable[str] = (),
) -> Experiment:
    """Return the experiment that a check runs.

    Args:
        settings: `key=value` for anything else that an experiment may say; `split.<role>=<count>` sizes every task.

    Raises:
        ConfigError: a kind is unknown, a setting does not fit or is the check's own to decide.
    """
    kinds = tuple(dict.fromkeys(kinds))
    for kind in kinds:
        if kind not in KINDS:
            raise ConfigError(f"The zoo is checked on the kinds of the world, not on {kind!r}{suggest(kind, KINDS)}.")
    data = override({**SETTINGS, "workers": workers, "split": {}}, settings)
    if own := [name for name in _DECIDED if name in data]:
        raise ConfigError(
            f"The check itself decides {', '.join(own)}. Use the options --teacher, --student, --kinds and --seeds, or "
            "w2sg run for another experiment."
        )
    split = data.pop("split")
    decided = {
        "name": "zoo-check",
        "tasks": [{"kind": kind, "split": split} for kind in kinds],
        "teacher": teacher,
        "student": student,
        "seeds": list(seeds),
        "controls": ["teacher", "untuned", "ceiling"],
        "methods": {"imitation": None, _OWN: {"supervisor": "student"}},
    }
    return Experiment.parse({**data, **decided}, "The check of the zoo")


def make_check(experiment: Experiment) -> Check:
    """Lay out every step of a check. The student is not tuned on its own labels: only their grades are asked for.

    Raises:
        ModelError: a model is not there.
    """
    plan = make_plan(experiment)
    own: dict[str, Step] = {}
    probes: dict[str, Step] = {}
    for arm in plan.arms:
        if arm.seed != experiment.seeds[0]:
            continue  # no seed decides what an untuned model answers greedily
        if arm.method == _OWN and arm.label_scores is not None:
            own[arm.task] = arm.label_scores
        if arm.method == "untuned":
            asked = arm.answers.settings
            assert isinstance(asked, SampleSettings)
            label = f"{arm.task} · probe what the untuned student reads"
            probes[arm.task] = probe_step(arm.node, arm.task_step, asked.sampling, label)
    return Check(experiment, tuple(arm for arm in plan.arms if arm.method != _OWN), plan.notes, own, probes)
