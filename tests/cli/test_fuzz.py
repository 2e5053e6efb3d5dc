"""Whatever stands in an experiment file, reading it either succeeds or ends in a ConfigError of one paragraph."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from w2sg.cli.boundary import seeds_from
from w2sg.config import override
from w2sg.errors import ConfigError
from w2sg.runs.experiment import Experiment, read_experiment

GOOD: dict[str, Any] = {
    "name": "good",
    "tasks": ["world-maths", {"kind": "file", "labelled": "gold.jsonl", "split": {"supervise": 4}}],
    "teacher": "zoo/nano",
    "student": {"path": "zoo/mini", "system": "Be brief."},
    "methods": {"imitation": None, "mine": {"elicit": {"kind": "vote", "samples": 4}, "recipe": "imitation"}},
    "controls": ["teacher", "untuned"],
    "seeds": [0, 1],
    "student_fit": {"learning_rate": 1e-4, "lora": {"rank": 4}},
    "statistics": {"resamples": 500},
    "runtime": {"threads": 2},
}

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["imitation", "vote", "file", "world-maths", "zoo/nano", "rest", "auto", "kind", "path"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SCALARS, inner, max_size=4), max_leaves=8
)


def places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything inside `data`."""
    found = [path] if path else []
    if isinstance(data, dict):
        for key, value in data.items():
            found += places(value, (*path, key))
    elif isinstance(data, list):
        for number, value in enumerate(data):
            found += places(value, (*path, number))
    return found


def replaced(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[path[0]] = replaced(copy[path[0]], path[1:], value)
    return copy


def refused_or_read(data: Any) -> None:
    """Read an experiment; whatever is raised is a ConfigError that a reader can use."""
    said = "The fuzzed experiment does not fit."
    try:
        Experiment.parse(data, "The fuzzed experiment")
    except ConfigError as error:
        said = str(error)
    assert said.startswith("The fuzzed experiment does not fit.")


def test_the_good_one_is_good() -> None:
    assert Experiment.parse(GOOD, "The test").seeds == (0, 1)


@settings(deadline=None)
@given(VALUES)
def test_anything_in_place_of_an_experiment(data: Any) -> None:
    refused_or_read(data)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(places(GOOD)), VALUES)
def test_anything_in_place_of_a_setting(path: tuple[Any, ...], value: Any) -> None:
    refused_or_read(replaced(GOOD, path, value))


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from([*Experiment.model_fields, "sedes", "1"]), VALUES, max_size=6))
def test_anything_under_known_keys(data: dict[str, Any]) -> None:
    refused_or_read(data)


@pytest.mark.parametrize("end", ["", "\n"])
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(max_size=60) | st.binary(max_size=40) | VALUES.map(lambda data: yaml.safe_dump(data)))
def test_any_file(tmp_path: Path, text: str | bytes, end: str) -> None:
    path = tmp_path / "e.yaml"
    path.write_bytes(text if isinstance(text, bytes) else (text + end).encode("utf-8", "surrogatepass"))
    with contextlib.suppress(ConfigError):
        read_experiment(path)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(max_size=20) | st.from_regex(r"[a-z_.]{1,12}=.{0,8}", fullmatch=True), max_size=4))
def test_any_setting_on_the_command_line(words: list[str]) -> None:
    with contextlib.suppress(ConfigError):
        Experiment.parse(override(GOOD, words), "The fuzzed experiment")


@given(st.text(alphabet="0123456789,-x ", max_size=8))
def test_any_seed_on_the_command_line(word: str) -> None:
    import typer

    with contextlib.suppress(typer.BadParameter):
        assert all(seed >= 0 for seed in seeds_from([word]))
