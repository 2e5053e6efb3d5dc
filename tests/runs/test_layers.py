"""Adapters on more layers than there are: told before anything is run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from w2sg.errors import ConfigError
from w2sg.models.base import ModelConfig
from w2sg.runs.experiment import Experiment
from w2sg.runs.layers import check_last_layers, layers_of
from w2sg.runs.plan import make_plan


@pytest.mark.parametrize(("last_layers", "fits"), [(None, True), (3, True), (4, False)])
def test_the_zoo_s_smallest_member_has_three_layers(last_layers: int | None, fits: bool) -> None:
    """By every step that tunes it: the teacher, and experts that are boosted."""
    data = {
        "name": "x", "tasks": ["world-maths"], "teacher": "zoo/nano", "student": "zoo/mini", "controls": [],
        "methods": ["imitation", "ensemw2s-experts"], "seeds": [0],
        "teacher_fit": {"lora": {"rank": 2, "last_layers": last_layers}},
    }  # fmt: skip
    steps = make_plan(Experiment.parse(data, "the test")).steps
    tuned = [step for step in steps if step.kind in ("fit", "boost")]
    assert {step.kind for step in tuned} == {"fit", "boost"}
    for some in (tuned, [step for step in tuned if step.kind == "boost"]):
        if fits:
            check_last_layers(some)
        else:
            with pytest.raises(ConfigError, match=r"the last 4 layers \(lora.last_layers\) of 'zoo/nano': it has 3"):
                check_last_layers(some)


def test_what_does_not_tell_is_left_to_the_run(tmp_path: Path) -> None:
    for text, found in (("{", None), ("[]", None), ("{}", None), (json.dumps({"n_layer": 12}), 12)):
        (tmp_path / "config.json").write_text(text)
        assert layers_of(ModelConfig(path=str(tmp_path))) == found
    assert layers_of(ModelConfig(path="nobody/nothing")) is None
    assert layers_of(ModelConfig(path="scripted:scripted_world:weak")) is None
