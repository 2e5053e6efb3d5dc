"""What is written about the program holds: links lead somewhere, commands exist, generated pages are fresh."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from w2sg.cli.main import app
from w2sg.runs.experiment import Experiment, read_experiment
from w2sg.schedules.methods import CONTROLS, METHODS

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])
CODE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(path: Path, language: str) -> list[str]:
    return [text for kind, text in CODE.findall(path.read_text(encoding="utf-8")) if kind == language]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    anchors = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)$", text, re.M)
    }
    for target in re.findall(r"\]\(([^)\s]+)\)", CODE.sub("", text)):
        if target.startswith("http"):
            continue
        file, _, anchor = target.partition("#")
        assert not file or (page.parent / file).exists(), target
        assert file or anchor in anchors, target


@pytest.mark.parametrize("name", ["quickstart", "bench"])
def test_real_output_is_pasted(name: str) -> None:
    """By scripts/paste_output.py."""
    found = re.search(rf"<!-- {name} -->\n(.+?)<!-- /{name} -->", (ROOT / "README.md").read_text(), re.DOTALL)
    assert found
    assert len(found[1].splitlines()) > 4


def commands() -> list[str]:
    lines = "\n".join(block.replace("\\\n", " ") for block in blocks(ROOT / "README.md", ""))
    return [line.partition("#")[0] for line in lines.splitlines() if line.startswith("w2sg ")]


@pytest.mark.parametrize("line", commands())
def test_commands_of_the_readme_can_be_read(line: str) -> None:
    """Parse each command without running it: unknown commands and options are errors."""
    words = shlex.split(line)[1:]
    command = get_command(app)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    command.make_context("w2sg", words)


def test_make_targets_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"\bmake ([a-z]+)\b", (ROOT / "README.md").read_text())) <= targets


def test_the_readme_names_every_part() -> None:
    (tree,) = [block for block in blocks(ROOT / "README.md", "") if block.startswith("src/w2sg/")]
    named = set(re.findall(r"^  ([a-z]+(?:\.py|/))", tree, re.M))
    source = ROOT / "src" / "w2sg"
    there = {f"{path.name}/" for path in source.iterdir() if path.is_dir() and path.name != "__pycache__"}
    there |= {path.name for path in source.glob("*.py") if not path.name.startswith("__")}
    assert named == there


def test_the_settings_reference_is_fresh() -> None:
    script = ROOT / "scripts" / "settings_reference.py"
    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert not re.search(r"kind='|\{'|: False", page)  # as YAML says it, not as Python does
    assert "`[teacher, {kind: teacher, model: {path: zoo/neox}}]`" in page


@pytest.mark.parametrize("path", sorted((ROOT / "experiments").glob("*.yaml")), ids=lambda path: path.name)
def test_every_experiment_can_be_read_and_opens_with_how_to_run_it(path: Path) -> None:
    assert read_experiment(path).name
    opening = path.read_text(encoding="utf-8").partition("\nname:")[0]
    assert re.search(r"^# command: ", opening, re.M)
    assert re.search(r"^# hardware: ", opening, re.M)


def test_every_named_method_is_explained() -> None:
    text = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z0-9-]+)`", "".join(re.findall(r"^\|(.*?)\|", text, re.M))))
    assert named == {*METHODS, *CONTROLS}


def test_experiments_of_the_readme_can_be_read() -> None:
    for block in blocks(ROOT / "README.md", "yaml"):
        assert Experiment.parse(yaml.safe_load(block), "The README's experiment").methods


def test_the_pinned_dependencies_are_sorted_and_complete() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    names = [line.partition("==")[0].lower() for line in lines]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    assert names == sorted(set(names))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *(name for extra in project["optional-dependencies"].values() for name in extra),
    ]
    found = {re.split(r"[^\w-]", entry)[0].lower() for entry in wanted} - {"w2sg"}
    assert found <= set(names)
