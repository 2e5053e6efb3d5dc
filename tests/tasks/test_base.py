"""Settings of tasks: by name or mapping, completed, refused with a suggestion; and cheap to import."""

from __future__ import annotations

import subprocess
import sys

import pytest

from w2sg.errors import ConfigError
from w2sg.records import Example, Gold
from w2sg.tasks import TASKS, SplitConfig, Task, build, file_digests, task_config

NAMES = [name for name in TASKS.names() if name != "file"]


@pytest.mark.parametrize("name", NAMES)
def test_every_task_is_built_from_its_name(name: str) -> None:
    config = task_config(name)
    assert (config.kind, config.name) == (name, name)
    task = build(config)
    assert isinstance(task, Task)
    assert task.name == name
    assert isinstance(task.version, int)
    assert isinstance(config.split, SplitConfig)
    assert file_digests(config) == {}
    assert config.identity()["kind"] == name
    assert type(config).parse(config.model_dump(), "again") == config


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("gsm", "unknown kind 'gsm'.*perhaps you meant 'gsm8k'"),
        ({"train": "x"}, "its `kind`, one of world-knowledge"),
        ({"kind": 5}, "its `kind`"),
        ({"kind": "gsm8k", "trian": "x"}, "perhaps you meant 'train'"),
        ({"kind": "gsm8k", "test": "x"}, "`test` needs `train`"),
        ({"kind": "gsm8k", "name": "a/b"}, "letters, digits"),
        ({"kind": "gsm8k", "split": {"supervize": 3}}, "split.supervize: unknown key.*'supervise'"),
        ({"kind": "gsm8k", "split": 5}, "split"),
        ({"kind": "arc", "sets": ["hard"]}, "sets"),
        ({"kind": "arc", "sets": []}, "sets must name"),
        ({"kind": "arc", "sets": ["easy", "easy"]}, "sets must name"),
        ({"kind": "arc", "sets": ["easy"], "train": {"challenge": "x"}}, "for each of the sets easy"),
        ({"kind": "arc", "train": {"easy": "x"}, "test": {"challenge": "x"}}, "for each of the sets easy"),
        ({"kind": "arc", "test": {"easy": "x"}}, "`test` needs `train`"),
    ],
)
def test_settings_that_do_not_fit(data: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        task_config(data)  # type: ignore[arg-type]


def test_given_sizes_complete_the_tasks_own() -> None:
    standard = task_config("gsm8k").split
    changed = task_config({"kind": "gsm8k", "split": {"supervise": 100}}).split
    assert changed == standard.model_copy(update={"supervise": 100})
    assert task_config({"kind": "gsm8k", "train": "a"}).split.test_id == 0.2
    assert task_config({"kind": "gsm8k", "train": "a", "test": "b"}).split.test_id == "rest"
    assert task_config("arc").split.easy_up_to == 0
    assert task_config({"kind": "arc", "train": {"easy": "a"}}).split.easy_up_to is None
    assert task_config("prontoqa").split.test_id == 0.2  # the Hub has no test rows


def test_name_does_not_decide_the_result() -> None:
    named = task_config({"kind": "gsm8k", "name": "my-maths"})
    assert named.name == "my-maths"
    assert named.identity() == task_config("gsm8k").identity()


def test_instruction_is_the_tasks_own_unless_given() -> None:
    example = Example("a", "How many?")
    assert build(task_config("gsm8k")).prompt(example) == (
        'How many?\n\nThink step by step, then end with a line that holds "####" and the number.'
    )
    assert build(task_config({"kind": "gsm8k", "instruction": ""})).prompt(example) == "How many?"
    assert build(task_config({"kind": "gsm8k", "instruction": "Go."})).prompt(example) == "How many?\n\nGo."
    assert build(task_config("world-maths")).prompt(example) == "How many?"


def test_gold_of_another_example_is_a_bug() -> None:
    with pytest.raises(ValueError, match="'b' was given for the example 'a'"):
        build(task_config("gsm8k")).correct("5", Example("a", "?"), Gold("b", "5"))


def test_planning_stays_light() -> None:
    """Settings, building and digests must not import what only running needs."""
    code = (
        "import sys\nfrom w2sg.tasks import TASKS, build, file_digests, task_config\n"
        "for name in TASKS.names():\n"
        "    data = {'kind': 'file', 'labelled': 'x'} if name == 'file' else name\n"
        "    build(task_config(data))\n"
        "heavy = {'numpy', 'pyarrow', 'datasets', 'scipy', 'torch', 'transformers', 'pandas'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
