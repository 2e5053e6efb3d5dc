"""Tables of parts: lazy, with suggestions, every entry importable and well formed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from w2sg.config import Config
from w2sg.elicit import ELICITORS
from w2sg.errors import ConfigError
from w2sg.recipes import RECIPES
from w2sg.registry import Registry
from w2sg.schedules import SCHEDULES
from w2sg.supervisors import SUPERVISORS


def test_an_unknown_name_is_suggested_away() -> None:
    with pytest.raises(ConfigError, match=r"no recipe called 'imitaton' \(perhaps you meant 'imitation'\)"):
        RECIPES.get("imitaton")


def test_nothing_is_imported_until_asked_for() -> None:
    table = Registry("parts", {"broken": "no.such.module:Part"})
    assert table.names() == ["broken"]
    assert "broken" in table
    with pytest.raises(ModuleNotFoundError):
        table.get("broken")


NEEDED = {"several": {"members": ["teacher", "teacher"]}}
"""What parts ask for that have no defaults."""


@pytest.mark.parametrize("table", [ELICITORS, RECIPES, SCHEDULES, SUPERVISORS], ids=lambda table: table.kind)
def test_every_part_is_a_setting_whose_kind_is_its_name(table: Registry) -> None:
    for name in table:
        part = table.get(name)(**NEEDED.get(name, {}))
        assert isinstance(part, Config)
        assert part.identity()["kind"] == name
        assert type(part).parse(part.model_dump(mode="json"), "it") == part


def test_composing_methods_imports_nothing_heavy() -> None:
    code = (
        "import sys; from w2sg.schedules.methods import METHODS, CONTROLS, method;"
        "[method(name) for name in {**METHODS, **CONTROLS}];"
        "print([name for name in ('torch', 'transformers', 'scipy', 'sklearn', 'datasets') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
