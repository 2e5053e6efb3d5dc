"""Writes docs/settings.md, the reference of every setting, from the settings' own types, defaults and sentences.

python scripts/settings_reference.py            write the file
python scripts/settings_reference.py --check    say whether the file is up to date (exit code 1 if not)
"""

from __future__ import annotations

import inspect
import sys
import types
import typing
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from w2sg.config import Config
from w2sg.elicit import ELICITORS
from w2sg.elicit.clusters import CLUSTERINGS
from w2sg.elicit.statements import WRITERS
from w2sg.elicit.stopping import STOPPINGS
from w2sg.ensemble.class_config import ClassBoostingConfig
from w2sg.ensemble.config import BoostingConfig
from w2sg.models.base import EnsembleConfig, ModelConfig, RuntimeConfig
from w2sg.models.fit_config import FitConfig, LoraConfig
from w2sg.models.remote_config import EndpointConfig
from w2sg.recipes import RECIPES
from w2sg.registry import Registry
from w2sg.runs.experiment import Experiment, Statistics
from w2sg.schedules import SCHEDULES
from w2sg.schedules.methods import CONTROLS, METHODS, PLAIN
from w2sg.steps.difficulty import RatingConfig
from w2sg.steps.slices import Slice
from w2sg.supervisors import SUPERVISORS
from w2sg.tasks import TASKS
from w2sg.tasks.base import SplitConfig
from w2sg.tasks.world.config import WorldSplit

TARGET = Path(__file__).parents[1] / "docs" / "settings.md"

SECTIONS = {"TaskConfig": "tasks", "MethodConfig": "named-methods-and-controls"}
"""Where the reader finds types that stand for a whole chapter."""

OPENING = """# Settings

Everything that an experiment file may say. This page is made from the settings themselves by
`scripts/settings_reference.py`; a test fails when it is stale.

A setting marked *runtime* only decides how the work is run on this machine. Every other setting decides the result:
change it, and the steps that rest on it are computed anew, and no others. A part with a `kind` may be given by that
name alone (`elicit: vote`) or as a mapping (`elicit: {kind: vote, samples: 8}`).
"""


def type_words(annotation: Any) -> str:
    """A type as a reader of YAML thinks of it."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin is typing.Annotated:
        return type_words(inside[0])
    if origin is typing.Literal:
        return " \\| ".join(f"`{value}`" for value in inside)
    if origin in (types.UnionType, typing.Union):
        kinds = [type_words(part) for part in inside if part is not type(None)]
        if all(isinstance(part, type) and issubclass(part, BaseModel) for part in inside) and len(inside) > 1:
            return "one of the parts below"
        return " \\| ".join([*kinds, *(["none"] if type(None) in inside else [])])
    if origin in (tuple, list):
        return f"list of {type_words(inside[0])}"
    if origin is dict:
        return f"mapping of name to {type_words(inside[1])}"
    words = {str: "text", int: "whole number", float: "number", bool: "true \\| false", Path: "path"}
    if annotation in words:
        return words[annotation]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{SECTIONS.get(annotation.__name__, annotation.__name__.lower())})"
    return str(annotation).rpartition(".")[2].strip("'>")


def default_words(field: FieldInfo) -> str:
    """A default as it would be written in YAML."""
    if field.is_required():
        return "**required**"
    if field.default is PydanticUndefined or isinstance(field.default, BaseModel):
        return ""
    if field.default is None:
        return "none"
    return f"`{flow(field.default)}`" if field.default != "" else "empty"


def flow(value: Any) -> str:
    """A value as YAML on one line; a part whose settings are all at their defaults by its kind alone."""
    if isinstance(value, BaseModel):
        named = {name: getattr(value, name) for name in type(value).model_fields}
        changed = {name: part for name, part in named.items() if part != type(value).model_fields[name].default}
        kind = {"kind": named["kind"]} if "kind" in named else {}
        return flow({**kind, **changed} if changed or not kind else named["kind"])
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {flow(part)}" for name, part in value.items()) + "}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(flow, value))}]"
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else str(value)


def table(config: type[Config]) -> list[str]:
    """A settings class as its first sentence and a table of its fields."""
    lines = [inspect.cleandoc(config.__doc__ or "").replace("\n", " "), ""]
    fields = {name: field for name, field in config.model_fields.items() if name != "kind"}
    if not fields:
        return [*lines, "No settings.", ""]
    lines += ["| setting | type | default | meaning |", "|---|---|---|---|"]
    for name, field in fields.items():
        marks = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        meaning += " *Runtime.*" if marks.get("w2sg_runtime") else ""
        lines.append(f"| `{name}` | {type_words(field.annotation)} | {default_words(field)} | {meaning} |")
    return [*lines, ""]


def parts(title: str, registry: Registry, opening: str) -> list[str]:
    """Every part of one kind."""
    lines = [f"## {title}", "", opening, ""]
    for name in registry.names():
        lines += [f"### `{name}`", "", *table(registry.get(name))]
    return lines


def methods() -> list[str]:
    """The named methods and controls as compositions."""
    lines = ["## Named methods and controls", ""]
    lines += ["A method is a composition of four parts; a new one is a line in the experiment file:", ""]
    lines += [
        "```yaml",
        "methods:",
        "  imitation:",
        "  imitation-vote:",
        "  vote-of-4: {elicit: {kind: vote, samples: 4}}",
        "  alice: {elicit: {samples: 64}}              # a part without its kind changes the named method's part",
        "  alice-as-published: {like: alice, preset: paper}",
    ]
    lines += ["```", "", "| name | supervisor | elicit | recipe | schedule |", "|---|---|---|---|---|"]
    for name, changes in {**METHODS, **CONTROLS}.items():
        made = {**PLAIN, **changes}
        cells = " | ".join(f"`{flow(made[part])}`" for part in ("supervisor", "elicit", "recipe", "schedule"))
        lines.append(f"| `{name}`{' (control)' if name in CONTROLS else ''} | {cells} |")
    return [*lines, ""]


def page() -> str:
    """The whole page."""
    lines = [OPENING, "## Experiment", "", *table(Experiment)]
    questions = (SplitConfig, WorldSplit, Statistics)
    for config in (
        ModelConfig,
        EnsembleConfig,
        FitConfig,
        LoraConfig,
        *questions,
        RuntimeConfig,
        EndpointConfig,
        Slice,
        BoostingConfig,
        ClassBoostingConfig,
        RatingConfig,
    ):
        lines += [f"## {config.__name__}", "", *table(config)]
    lines += methods()
    lines += parts("Tasks", TASKS, "A task is given by its kind, or as a mapping with `kind` and its settings.")
    lines += parts("Supervisors", SUPERVISORS, "What labels the transfer questions.")
    lines += parts("Elicitors", ELICITORS, "How a supervisor's answers become weak labels.")
    lines += parts("Clusterings", CLUSTERINGS, "Which of a supervisor's responses say the same.")
    lines += parts("Statement writers", WRITERS, "Who puts a supervisor's doubt into words.")
    lines += parts("Stopping rules", STOPPINGS, "When a question has been sampled enough.")
    lines += parts("Recipes", RECIPES, "How the student learns from weak labels.")
    lines += parts("Schedules", SCHEDULES, "Who teaches whom, in which order.")
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Write the page, or check it."""
    fresh = page()
    if "--check" in sys.argv[1:]:
        stale = not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != fresh
        print(f"{TARGET} is {'stale: run python scripts/settings_reference.py' if stale else 'up to date'}")
        return int(stale)
    TARGET.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
