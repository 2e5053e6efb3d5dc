"""Experts that learn their gold by heart: in sample, the first seems free of errors and nothing is left to boost (as in
the authors' logs); on held-out parts later experts stay above the prior."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tiny_boosting import made, rounds
from w2sg.models.base import ModelConfig
from w2sg.models.fit_config import FitConfig
from w2sg.runs.plan import task_step
from w2sg.runs.store import Store
from w2sg.steps.cast import Cast
from w2sg.steps.model import ModelRef
from w2sg.supervisors.boosted import Boosted
from w2sg.tasks import task_config

EXPERTS = 3


def records(folder: Path, **boosting: Any) -> list[dict[str, Any]]:
    """Boost the zoo's smallest member on forty questions until it knows them, and return what its rounds recorded."""
    split = {"supervise": 40, "validate": 0, "transfer": 6, "test_id": 6, "test_ood": 0}
    task = task_step(task_config({"kind": "world-knowledge", "split": split}))
    ref, fit = ModelRef.of(ModelConfig(path="zoo/nano")), FitConfig(learning_rate=5e-3, epochs=8, batch_size=8)
    cast = Cast("k", task, ref, ref, fit, fit, reasoning=True, max_new_tokens=40, chunk=64, seed=0)
    settings = {"experts": EXPERTS, "boosting": {"draw": "weight", **boosting}}
    store = Store(folder)
    ensemble, _ = made(Boosted.parse(settings, "the test").node(cast), store)
    return [json.loads((one / "round.json").read_text()) for one in rounds(ensemble, store)]


@pytest.mark.slow
def test_later_experts_stay_above_the_prior(tmp_path: Path) -> None:
    first, second, _ = records(tmp_path / "in-sample", measured="in-sample", largest_step=None)
    assert first["error"] < 1e-3
    assert first["alpha"] > 6
    assert second["idle"] or second["error"] > 0.3
    found = records(tmp_path / "held-out")
    assert [one["kept"] for one in found] == [True] * EXPERTS
    assert all(0.05 < one["error"] < one["prior"] - 0.1 for one in found)
    assert all(one["effective_size"] > 0.7 for one in found)
