"""Help and imports answer at once: heavy libraries are imported by the work that needs them, never before it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
from typer.main import get_command

from w2sg.cli.main import app

HEAVY = {
    "accelerate",
    "datasets",
    "jinja2",
    "matplotlib",
    "pandas",
    "peft",
    "pyarrow",
    "scipy",
    "sklearn",
    "tokenizers",
    "torch",
    "transformers",
    "trl",
}

HELP = """
import sys
from w2sg.cli.main import main
sys.argv = ["w2sg", *{words!r}]
try:
    main()
except SystemExit as end:
    assert not end.code
"""
LIST = """
import json, sys
print("LOADED" + json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def commands(group: Any, *words: str) -> Iterator[tuple[str, ...]]:
    """The words of every command below `group`, groups included."""
    yield words
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, *words, name)


def loaded_by(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after running `code`."""
    done = subprocess.run([sys.executable, "-c", code + LIST], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.rpartition("LOADED")[2]))


def test_the_package_imports_nothing_heavy() -> None:
    assert not loaded_by("import w2sg") & (HEAVY | {"numpy", "pydantic", "typer", "rich"})


@pytest.mark.parametrize("words", list(commands(get_command(app))), ids=lambda words: " ".join(words) or "w2sg")
def test_help_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    assert not loaded_by(HELP.format(words=[*words, "--help"])) & (HEAVY | {"numpy", "yaml"})


def fastest(code: str, tries: int = 7) -> float:
    """The least of several wall-clock times, in seconds: what the machine takes when nothing else disturbs it."""

    def once() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        return time.perf_counter() - began

    return min(once() for _ in range(tries))


def test_help_and_import_are_quick() -> None:
    """The promise is 0.4 s and 0.2 s; the limits here leave room for a machine that runs other tests beside this."""
    nothing = fastest("pass")
    assert fastest("import w2sg") - nothing < 0.4
    assert fastest(HELP.format(words=["--help"])) - nothing < 0.8
