"""Imports go one way. Read from the source alone, so that an import hidden inside a function counts too."""

from __future__ import annotations

import ast
import re
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "w2sg"

# A part imports from the layers before its own only; parts of one layer leave each other alone.
LAYERS: list[set[str]] = [
    {"errors"},
    {"records", "seeding", "config"},
    {"registry", "storage"},
    {"metrics"},
    {"tasks"},
    {"models"},
    {"decode"},
    {"elicit", "ensemble"},
    {"steps"},
    {"recipes"},
    {"supervisors"},
    {"schedules"},
    {"runs"},
    {"report"},
    {"cli"},
]
RANK = {part: rank for rank, parts in enumerate(LAYERS) for part in parts}
REFERENCE = re.compile(r"(w2sg(?:\.\w+)+):\w+")
"""A part named in a table, imported later: `w2sg.steps.fit:run`."""


def imported(source: str, package: list[str]) -> set[str]:
    """The parts of w2sg that the source text of a module in `package` names, in imports or in tables."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            modules |= {f"{module}.{name.name}" for name in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            modules |= set(REFERENCE.findall(node.value)) if REFERENCE.fullmatch(node.value) else set()
    return {module.split(".")[1] for module in modules if module.startswith("w2sg.")} & set(RANK)


def test_every_part_has_a_layer() -> None:
    parts = {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert parts - {"__init__", "__main__"} == set(RANK)


def test_imports_go_one_way() -> None:
    offences = []
    for path in sorted(SOURCE.rglob("*.py")):
        relative = path.relative_to(SOURCE)
        part = relative.parts[0].removesuffix(".py")
        found = imported(path.read_text(encoding="utf-8"), ["w2sg", *relative.parent.parts])
        offences += [
            f"{relative} imports {other}"
            for other in sorted(found - {part})
            if part in RANK and RANK[other] >= RANK[part]
        ]
    assert not offences, "\n".join(offences)


def test_every_way_to_import_is_seen() -> None:
    source = """
import w2sg.runs.store
from w2sg.report import page
from w2sg import steps
from .. import tasks
from ..models.hf import load
PARTS = {"x": "w2sg.recipes.x:X", "y": "no w2sg.schedules:reference but a sentence"}
def hidden():
    from w2sg.cli import main
"""
    assert imported(source, ["w2sg", "metrics"]) == {"runs", "report", "steps", "tasks", "models", "recipes", "cli"}
