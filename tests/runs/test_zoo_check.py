"""What a check of the zoo lays out: the quickstart's pair and settings, no step twice, no training unasked."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from w2sg.errors import ConfigError
from w2sg.runs.experiment import read_experiment
from w2sg.runs.plan import make_plan
from w2sg.runs.zoo_check import KINDS, SEEDS, check_experiment, make_check

ROOT = Path(__file__).parents[2]
SCRIPTED = {"teacher": "scripted:scripted_readers:deaf", "student": "scripted:scripted_readers:reader"}


def test_the_check_is_of_the_quickstarts_pair() -> None:
    quickstart, check = read_experiment(ROOT / "experiments" / "quickstart.yaml"), check_experiment()
    for name in ("teacher", "student", "max_new_tokens", "reasoning"):
        assert getattr(check, name) == getattr(quickstart, name), name
    # The rates are those at which the members were judged when they were frozen, and no longer the quickstart's.
    assert (check.teacher_fit.learning_rate, check.student_fit.learning_rate) == (1e-3, 5e-4)
    for one, other in ((check.teacher_fit, quickstart.teacher_fit), (check.student_fit, quickstart.student_fit)):
        assert one.model_copy(update={"learning_rate": other.learning_rate}) == other
    assert tuple(task.kind for task in check.tasks) == KINDS
    assert check.seeds == SEEDS


def test_the_steps_by_hand() -> None:
    """A kind needs: the task; gold of two roles; the untuned student's test, transfer, labels, two grades, probe; and
    for every seed three trainings, three tests, three grades, its transfer, labels, grades and texts."""
    check = make_check(check_experiment(**SCRIPTED, kinds=["world-maths"], seeds=[0, 1]))
    kinds = Counter(step.kind for step in check.steps)
    assert kinds == {
        "task": 1,
        "targets": 2 + 2,
        "fit": 2 * 3,
        "sample": 2 + 2 * 4,
        "label": 1 + 2,
        "label-score": 1 + 2,
        "score": 1 + 2 * 3,
        "probe": 1,
    }
    assert {arm.method for arm in check.arms} == {"teacher", "untuned", "ceiling", "imitation"}


def test_nothing_that_is_trained_rests_on_the_probe() -> None:
    check = make_check(check_experiment(**SCRIPTED, seeds=[0]))
    probes = {step.fingerprint for step in check.probes.values()}
    assert len(probes) == len(KINDS)
    assert not [step for step in check.steps if {parent.fingerprint for parent in step.parents.values()} & probes]


def test_steps_are_shared_with_an_experiment() -> None:
    """The same pair, seeds and settings in an experiment file reuse what a check made."""
    experiment = check_experiment(**SCRIPTED, kinds=["world-logic"], seeds=[0])
    of_the_check = {step.fingerprint for step in make_check(experiment).steps}
    plain = experiment.model_copy(update={"methods": {"imitation": experiment.methods["imitation"]}})
    assert {step.fingerprint for step in make_plan(plain).steps} <= of_the_check


def test_sizes_and_other_settings_reach_every_task() -> None:
    experiment = check_experiment(**SCRIPTED, settings=["split.transfer=30", "student_fit.epochs=1"], workers=1)
    assert {task.split.transfer for task in experiment.tasks} == {30}
    assert {task.split.supervise for task in experiment.tasks} == {400}
    assert (experiment.student_fit.epochs, experiment.student_fit.batch_size, experiment.workers) == (1, 16, 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"kinds": ["world-math"]}, "perhaps you meant 'world-maths'"),
        ({"settings": ["seeds=3"]}, "decides seeds"),
        ({"settings": ["split.trnsfer=3"]}, "transfer"),
        ({"settings": ["student_fit.epoch=1"]}, "epochs"),
    ],
)
def test_mistakes_are_told(words: dict[str, list[str]], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        check_experiment(**words)  # type: ignore[arg-type]
