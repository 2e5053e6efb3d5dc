"""Tasks by name: the embedded world, public data sets, the user's own file. Importing this imports no heavy library."""

from __future__ import annotations

from collections.abc import Mapping

from w2sg.config import suggest
from w2sg.errors import ConfigError
from w2sg.registry import Registry
from w2sg.storage import hash_file
from w2sg.tasks.base import SplitConfig, Task, TaskConfig
from w2sg.tasks.check import FileReport, check_file
from w2sg.tasks.sources import checked_file
from w2sg.tasks.splits import SplitReport, split

__all__ = [
    "TASKS",
    "FileReport",
    "SplitConfig",
    "SplitReport",
    "Task",
    "TaskConfig",
    "build",
    "check_file",
    "file_digests",
    "split",
    "task_config",
]

TASKS = Registry(
    "tasks",
    {
        "world-knowledge": "w2sg.tasks.world.config:KnowledgeConfig",
        "world-maths": "w2sg.tasks.world.config:MathsConfig",
        "world-logic": "w2sg.tasks.world.config:LogicConfig",
        "gsm8k": "w2sg.tasks.gsm8k:Gsm8kConfig",
        "arc": "w2sg.tasks.arc:ArcConfig",
        "hotpotqa": "w2sg.tasks.hotpotqa:HotpotQaConfig",
        "triviaqa": "w2sg.tasks.triviaqa:TriviaQaConfig",
        "prontoqa": "w2sg.tasks.prontoqa:ProntoQaConfig",
        "sciq": "w2sg.tasks.sciq:SciqConfig",
        "quartz": "w2sg.tasks.quartz:QuartzConfig",
        "file": "w2sg.tasks.file:FileConfig",
    },
)


def task_config(data: object, where: str = "The task") -> TaskConfig:
    """Return the settings of a task, given as its name or as a mapping with `kind`; `where` names the place in errors.

    Raises:
        ConfigError: the kind is missing or unknown, or a setting does not fit.
    """
    settings = {"kind": data} if isinstance(data, str) else dict(data) if isinstance(data, Mapping) else {}
    kind = settings.get("kind")
    if not isinstance(kind, str):
        raise ConfigError(
            f"{where} must be the name of a task or a mapping with its `kind`, one of {', '.join(TASKS.names())} "
            f"(found {data!r})."
        )
    if kind not in TASKS:
        raise ConfigError(f"{where} has the unknown kind {kind!r}{suggest(kind, TASKS.names())}.")
    config: type[TaskConfig] = TASKS.get(kind)
    return config.parse(settings, f"{where} {kind!r}")


def build(config: TaskConfig) -> Task:
    """Return the task that `config` describes; reads no file yet."""
    return config.build()


def file_digests(config: TaskConfig) -> dict[str, str]:
    """Return the SHA-256 of every local file the task reads, by the field that names it; empty for Hub and world.

    Raises:
        DataError: a file is missing or is not a file.
    """
    return {field: hash_file(checked_file(path)) for field, path in sorted(config.all_files().items())}
