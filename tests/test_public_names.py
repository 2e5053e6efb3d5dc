"""Every `__all__` names what is there, every table's parts import, and every module says what it holds."""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path

import pytest

from w2sg.config import Config
from w2sg.elicit import ELICITORS
from w2sg.recipes import RECIPES
from w2sg.registry import Registry
from w2sg.schedules import SCHEDULES
from w2sg.supervisors import SUPERVISORS
from w2sg.tasks import TASKS

SOURCE = Path(__file__).parents[1] / "src"
MODULES = sorted(SOURCE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def listed(path: Path) -> list[str]:
    """The names in a module's `__all__`, read without importing it."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "__all__" for target in node.targets):
            return list(ast.literal_eval(node.value))
    return []


@pytest.mark.parametrize("path", [path for path in MODULES if listed(path)], ids=name_of)
def test_listed_names_are_there_sorted_and_once(path: Path) -> None:
    names = listed(path)
    module = import_module(name_of(path))
    assert not [name for name in names if not hasattr(module, name)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_says_what_it_holds(path: Path) -> None:
    opening = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert opening
    assert len(opening.split()) >= 3


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_file_is_long(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400


@pytest.mark.parametrize("table", [TASKS, SUPERVISORS, ELICITORS, RECIPES, SCHEDULES], ids=lambda table: table.kind)
def test_every_part_of_a_table_is_a_setting_of_its_own_kind(table: Registry) -> None:
    for name in table.names():
        part = table.get(name)
        assert issubclass(part, Config)
        assert part.model_fields["kind"].default == name
        assert part.__doc__
        for field, info in part.model_fields.items():
            assert field == "kind" or info.description, f"{name}.{field} has no sentence"
