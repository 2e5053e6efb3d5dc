"""Fixtures shared by all tests: folders with random tiny models, each built once per run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tiny_models import build_model


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Return `tiny_model(family, chat=..., bos=..., pad=..., eos=..., **config)`: the folder of a random tiny model,
    built on first use. The folder is shared by all tests: copy it before changing it."""
    built: dict[tuple[Any, ...], Path] = {}

    def folder(family: str = "llama", **traits: Any) -> Path:
        key = (family, *((name, repr(value)) for name, value in sorted(traits.items())))
        if key not in built:
            built[key] = build_model(tmp_path_factory.mktemp(family) / "model", family, **traits)
        return built[key]

    return folder
