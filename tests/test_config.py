"""Settings: what is in the fingerprint, what is refused, what an error says."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2sg.config import Config, added, canonical, fingerprint, override, read_yaml, runtime, suggest
from w2sg.errors import ConfigError


class Inner(Config):
    rate: float = 0.1
    device: str = runtime("auto")


class Outer(Config):
    name: str
    inner: Inner = Inner()
    later: int = added(0)


def test_runtime_fields_stay_out_of_the_identity_at_every_depth() -> None:
    assert Outer(name="a").identity() == {"name": "a", "inner": {"rate": 0.1}}
    assert Outer(name="a", inner=Inner(device="cuda")).identity() == Outer(name="a").identity()


def test_an_added_field_enters_the_identity_only_off_its_default() -> None:
    assert Outer(name="a", later=3).identity()["later"] == 3


def test_every_problem_is_named_at_once_with_its_path() -> None:
    with pytest.raises(ConfigError) as caught:
        Outer.parse({"inner": {"rte": 1, "rate": "fast"}}, "The file 'x.yaml'")
    message = str(caught.value)
    assert message.startswith("The file 'x.yaml' does not fit. 3 problems: ")
    assert "inner.rte: unknown key (perhaps you meant 'rate')." in message
    assert "inner.rate: input should be a valid number" in message
    assert "found 'fast'" in message
    assert "name: field required" in message


def test_the_canonical_text_ignores_the_order_of_keys() -> None:
    assert canonical({"b": [1, None], "a": 0.5}) == '{"a":0.5,"b":[1,null]}'
    assert fingerprint({"b": 1, "a": 2}) == fingerprint({"a": 2, "b": 1})


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"a": print}, "value.a holds a builtin_function_or_method"),
        ([float("nan")], r"value\[0\] is nan"),
        ({1: "x"}, "the key 1 of type int"),
        ({"p": Path("x")}, "PosixPath"),
    ],
)
def test_what_has_no_stable_text_is_refused(value: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        canonical(value)


def test_overrides_reach_into_the_mapping_and_leave_the_original_alone() -> None:
    data: dict[str, Any] = {"fit": {"epochs": 1}, "seeds": [0]}
    changed = override(data, ["fit.epochs=3", "fit.lora.rank=8", "seeds=[1, 2]"])
    assert changed == {"fit": {"epochs": 3, "lora": {"rank": 8}}, "seeds": [1, 2]}
    assert data == {"fit": {"epochs": 1}, "seeds": [0]}


@pytest.mark.parametrize("setting", ["epochs", "=3", "a..b=1", "a=[1", "seeds.x=1"])
def test_a_malformed_override_is_a_config_error(setting: str) -> None:
    with pytest.raises(ConfigError):
        override({"seeds": [0]}, [setting])


def test_the_faults_of_all_malformed_overrides_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as told:
        override({"seeds": [0]}, ["epochs", "name=good", "a=[1", "seeds.x=1"])
    words = str(told.value)
    assert words.startswith("3 problems: The setting 'epochs' must have the form key=value")
    assert "The value in 'a=[1' is not valid YAML" in words
    assert "The setting 'seeds.x=1' goes through 'seeds'" in words
    assert words.endswith("Give the list as a whole: seeds=[...].")
    assert "name" not in words


@given(st.text(), st.text())
def test_overrides_never_fail_otherwise(key: str, value: str) -> None:
    with contextlib.suppress(ConfigError):
        override({"a": 1}, [f"{key}={value}"])


@given(st.binary(max_size=200))
def test_a_yaml_file_is_a_mapping_or_a_config_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("yaml") / "x.yaml"
    path.write_bytes(content)
    with contextlib.suppress(ConfigError):
        assert isinstance(read_yaml(path), dict)


@pytest.mark.parametrize(
    ("text", "words"),
    [("tasks: &a [*a]", "contains itself"), ('name: "\\ud800"', "half a character"), ("- 1", "must hold a mapping")],
)
def test_odd_yaml_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_yaml(path)


def test_numbers_without_end_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"inner\.rate: input should be a finite number"):
        Outer.parse({"name": "a", "inner": {"rate": float("inf")}}, "it")


def test_suggestions() -> None:
    assert suggest("metods", ["methods", "seeds"]) == " (perhaps you meant 'methods')"
    assert suggest("zzz", ["methods", "seeds"]) == " (known: methods, seeds)"
    assert suggest("zzz", []) == ""
