"""The cast of sums that steps of boosting are tried with, and one store for all tests of a module."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tiny_boosting import sums_cast
from w2sg.runs.store import Store
from w2sg.steps.cast import Cast


@pytest.fixture(scope="module")
def cast(tiny_model: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Cast:
    return sums_cast(tmp_path_factory.mktemp("data"), tiny_model("llama"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """One store for all tests of the module: steps that they share run once."""
    return Store(tmp_path_factory.mktemp("store"))
