"""The documented example of a part of one's own: registered by its entry point, it runs like ours."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from w2sg.registry import Registry

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
RUN = """
import json, sys
from pathlib import Path
import scripted_runs
from w2sg.steps.inputs import read_labels, read_targets
folder, methods = Path(sys.argv[1]), json.loads(sys.argv[2])
(arm,) = (plan := scripted_runs.plan_of(folder, methods)).arms
store = scripted_runs.run(plan, folder)
steps = scripted_runs.step_of(arm, "targets")
(targets,) = (step for step in steps if getattr(step.settings, "kind", "") == "majority")
print(json.dumps({
    "learnt": [target.id for target in read_targets(store.folder(targets))],
    "labels": [[label.id, label.unparsed, label.histogram] for label in read_labels(store.folder(arm.labels))],
    "identity": targets.settings.identity(),
}))
"""


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return str(found)


def test_the_documented_recipe_runs(tmp_path: Path) -> None:
    """Installed as a package with the documented entry point, named as in the documented experiment."""
    groups: dict[str, dict[str, str]] = tomllib.loads(block("toml"))["project"]["entry-points"]
    ((group, entries),) = groups.items()
    ((name, target),) = entries.items()
    module = tmp_path / "site" / Path(*target.partition(":")[0].split("."))
    module.parent.mkdir(parents=True)
    (module.parent / "__init__.py").touch()
    module.with_suffix(".py").write_text(block("python"))
    known = tmp_path / "site" / "my_package-1.0.dist-info"
    known.mkdir()
    (known / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (known / "entry_points.txt").write_text(f"[{group}]\n{name} = {target}\n")
    methods: dict[str, Any] = yaml.safe_load(block("yaml"))["methods"]
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path), json.dumps(methods)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path / "site"), str(ROOT / "tests")))},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    share = methods["sure"]["recipe"]["share"]
    sure = [
        id
        for id, unparsed, histogram in found["labels"]
        if histogram and histogram[0][1] >= share * (unparsed + sum(count for _, count in histogram))
    ]
    assert found["learnt"] == sure
    assert 0 < len(sure) < len(found["labels"])
    assert found["identity"] == {"kind": "majority", "share": share, "version": 1}


@pytest.mark.parametrize("row", re.findall(r"^\| `w2sg\.(\w+)` \| `([\w.]+)\.(\w+)`.*`w2sg/([\w/.]+)` \|$", PAGE, re.M))
def test_groups_bases_and_examples_that_are_named_exist(row: tuple[str, str, str, str]) -> None:
    from importlib import import_module

    group, module, name, example = row
    tables = {"elicitors": "elicit", "supervisors": "supervisors", "schedules": "schedules", "tasks": "tasks"}
    table = getattr(import_module(f"w2sg.{tables[group]}"), group.upper())
    assert isinstance(table, Registry)
    assert table.kind == group
    base = getattr(import_module(module), name)
    assert all(issubclass(table.get(part), base) for part in table.names())
    assert (ROOT / "src" / "w2sg" / example).is_file()
