"""The settings of sampling refuse what cannot be meant."""

from __future__ import annotations

from typing import Any

import pytest

from w2sg.config import fingerprint
from w2sg.decode.config import SamplingConfig
from w2sg.errors import ConfigError


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"samples": 2}, "temperature 0 would all be the same"),
        ({"samples": 0}, "samples"),
        ({"temperature": -1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_p": 1.1}, "top_p"),
        ({"top_k": -1}, "top_k"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"chunk": 0}, "chunk"),
        ({"temprature": 1}, "temperature"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], place: str) -> None:
    with pytest.raises(ConfigError, match=place):
        SamplingConfig.parse(settings, "the test")


def test_the_default_chunk_is_not_in_the_fingerprint() -> None:
    assert "chunk" not in SamplingConfig().identity()
    assert fingerprint(SamplingConfig(chunk=64).identity()) != fingerprint(SamplingConfig().identity())
