"""An expert that is no better than the prior is replaced by one from another seed, as often as the settings allow."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tiny_boosting import CPU, boosted, made, rounds
from w2sg.ensemble.config import BoostingConfig
from w2sg.errors import ConfigError, ModelError
from w2sg.models.base import silent
from w2sg.models.fit_config import FitConfig
from w2sg.runs.runner import run_steps
from w2sg.runs.store import Store
from w2sg.steps.base import Step, Workspace, with_ancestors
from w2sg.steps.boost import BoostSettings, idle_because
from w2sg.steps.boost_files import read_arrays, read_round, write_arrays, write_round
from w2sg.steps.cast import Cast
from w2sg.steps.ensemble import ensemble_step
from w2sg.steps.inputs import MODEL
from w2sg.steps.model import Node
from w2sg.supervisors.boosted import Boosted


def settings_of(cast: Cast, retries: int, experts: int = 2) -> list[BoostSettings]:
    node = boosted(experts).model_copy(update={"retries": retries}).node(cast)
    assert node.tuned is not None
    return [step.settings for step in node.tuned.ancestors() if isinstance(step.settings, BoostSettings)]


def test_without_retries_nothing_is_named_otherwise(cast: Cast) -> None:
    """And the first round, before which none can fail, is the same with them."""
    for settings in settings_of(cast, 0):
        assert {"retries", "spare"}.isdisjoint(settings.identity())
    assert settings_of(cast, 2)[0] == settings_of(cast, 0)[0]
    assert [(one.retries, one.spare) for one in settings_of(cast, 2)] == [(0, 0), (2, 0), (2, 1), (2, 2)]
    assert settings_of(cast, 2, experts=3)[:2] == settings_of(cast, 2)[:2]


def history(**changes: Any) -> dict[str, Any]:
    return {"kept": True, "ends": "", "failures": 0, "idle": False, **changes}


FAILED = {"kept": False, "ends": "no better"}


@pytest.mark.parametrize(
    ("before", "retries", "spare", "trains", "ends"),
    [
        (history(), 0, 0, True, ""),
        (history(**FAILED, failures=1), 0, 0, False, "no better"),
        (history(**FAILED, failures=1), 1, 0, True, ""),
        (history(**FAILED, failures=2), 1, 0, False, "no better"),
        (history(failures=1), 1, 0, True, ""),
        (history(), 1, 1, False, ""),
        (history(failures=1), 1, 1, True, ""),
        (history(**FAILED, failures=1), 1, 1, True, ""),
        (history(ends="no error left"), 1, 0, False, "no error left"),
        (history(kept=False, idle=True, ends="no error left"), 1, 0, False, "no error left"),
        ({"kept": False, "ends": "no better"}, 1, 0, True, ""),
    ],
    ids=[
        "all well",
        "failed, no retry",
        "failed, one retry",
        "failed twice, one retry",
        "failed long ago",
        "all experts there",
        "one expert short",
        "failed last",
        "nothing left to learn",
        "ended before",
        "a first round of old",
    ],
)
def test_what_a_round_does_after_another(
    before: dict[str, Any], retries: int, spare: int, trains: bool, ends: str, cast: Cast
) -> None:
    found = idle_because(settings_of(cast, 0)[0].model_copy(update={"retries": retries, "spare": spare}), before)
    assert (found is None) == trains
    assert trains or found == ends


def test_after_a_failed_expert_another_is_trained_under_the_same_weights(
    cast: Cast, store: Store, tmp_path: Path
) -> None:
    """The first expert is declared a failure; the second round then starts from equal weights, as the first did, draws
    and trains otherwise, and the third makes the second of two experts."""
    node = boosted(2).model_copy(update={"retries": 1}).node(cast)
    assert node.tuned is not None
    first, second, third = (node.tuned.parents[f"expert-{number:03d}"] for number in (1, 2, 3))
    run_steps(with_ancestors([first]), store, CPU, workers=1)
    failed = tmp_path / "failed"
    shutil.copytree(store.folder(first), failed)
    arrays = read_arrays(failed)
    write_arrays(failed, {**arrays, "next_weights": arrays["weights"]})
    write_round(failed, {**read_round(failed), "kept": False, "ends": "no better", "failures": 1})

    def run(step: Step, before: Path, name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        parents = {part: store.folder(parent) for part, parent in step.parents.items()}
        step.run(Workspace(folder, {**parents, "previous": before}, CPU, silent))
        return folder

    again = run(second, failed, "again")
    told = read_round(again)
    assert (told["kept"], told["failures"], told["idle"]) == (True, 1, False)
    assert read_arrays(again)["weights"].tolist() == arrays["weights"].tolist()
    assert read_arrays(again)["drawn"].tolist() != arrays["drawn"].tolist()
    last = run(third, again, "last")
    assert read_round(last)["kept"]
    assert read_arrays(last)["weights"].tolist() == read_arrays(again)["next_weights"].tolist()
    ensemble = ensemble_step(Node(cast.teacher), [first, second, third], "probability", "alpha", "it").tuned
    assert ensemble is not None
    parents = {"expert-001": failed, "expert-002": again, "expert-003": last}
    outcome = ensemble.run(Workspace(tmp_path / "whole", parents, CPU, silent))
    alphas = [read_round(folder)["alpha"] for folder in (again, last)]
    assert outcome.summary == {"experts": 2, "asked": 2, "weights": alphas, "failures": 1, "ends": ""}
    stored = json.loads((tmp_path / "whole" / MODEL / "ensemble.json").read_text())
    assert [expert["weight"] for expert in stored["experts"]] == alphas


def test_where_none_fails_the_spare_rounds_do_nothing(cast: Cast, store: Store) -> None:
    step, folder = made(boosted(1).model_copy(update={"retries": 2}).node(cast), store)
    one, *others = rounds(step, store)
    assert read_round(one)["kept"]
    for spare in others:
        assert not (spare / MODEL).exists()
        assert {key: read_round(spare)[key] for key in ("kept", "idle", "spare", "ends", "failures")} == {
            "kept": False, "idle": True, "spare": True, "ends": "", "failures": 0,
        }  # fmt: skip
    assert store.record(step)["summary"] | {"weights": []} == {
        "experts": 1, "asked": 1, "weights": [], "failures": 0, "ends": "",
    }  # fmt: skip
    _, plain = made(boosted(1).node(cast), store)
    assert (folder / MODEL / "ensemble.json").read_bytes() == (plain / MODEL / "ensemble.json").read_bytes()


def test_when_all_attempts_fail_it_is_told_how_many_there_were(cast: Cast, store: Store) -> None:
    """Experts that learn nothing: two of two attempts are trained and measured, the third round has nothing to do."""
    idle = {"fit": FitConfig(learning_rate=1e-9, epochs=0.1), "retries": 1}
    step = boosted(2, prior="none").model_copy(update=idle).node(cast).tuned
    assert step is not None
    with pytest.raises(ModelError, match=r"used in 2 attempts: the expert's .* allow more attempts \(retries\)"):
        run_steps(with_ancestors([step]), store, CPU, workers=1)
    told = [read_round(folder) for folder in rounds(step, store)]
    assert [(one["kept"], one["failures"], one["idle"]) for one in told] == [
        (False, 1, False), (False, 2, False), (False, 2, True),
    ]  # fmt: skip
    assert [(folder / MODEL).is_dir() for folder in rounds(step, store)] == [True, True, False]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"warm": True}, "after a failed expert there is none to train from"),
        ({"boosting": BoostingConfig(reweight=False), "weights": "uniform"}, "nothing to retry: set retries to 0"),
        ({"retries": -1}, "greater than or equal to 0"),
    ],
)
def test_retries_that_do_not_fit_are_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Boosted.parse({"retries": 1, **changes}, "it")
