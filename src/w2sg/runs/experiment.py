"""An experiment: which tasks, models, methods and seeds; read from YAML, every problem reported at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, SerializeAsAny, ValidationInfo, field_validator

from w2sg.config import Config, added, each, override, read_yaml, runtime
from w2sg.models.base import ModelConfig, RuntimeConfig
from w2sg.models.fit_config import FitConfig
from w2sg.schedules.methods import CONTROLS, METHODS, MethodConfig, Preset, method
from w2sg.tasks import task_config
from w2sg.tasks.base import TaskConfig


class Statistics(Config):
    """How the verdict is reckoned."""

    resamples: int = Field(10_000, ge=100)
    """Bootstrap resamples over seeds and items, behind every 95 % interval and test."""


class Experiment(Config):
    """One comparison of methods, with its controls."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """The name of the run, also of its folder."""
    tasks: tuple[SerializeAsAny[TaskConfig], ...] = Field(min_length=1)
    """The tasks, each by name or with settings."""
    teacher: ModelConfig
    """The weak model."""
    student: ModelConfig
    """The strong model."""
    intermediates: tuple[ModelConfig, ...] = added(())
    """The models between teacher and student, weakest first: the lower rungs of a cascade, whose last rung is the
    student."""
    preset: Preset = added("default")
    """What named methods are made of: `default`, or `paper`, as their authors published them."""
    methods: dict[str, MethodConfig]
    """What is compared: names of known methods, or names with the parts they are made of."""
    controls: dict[str, MethodConfig] = Field(default_factory=lambda: {name: method(name) for name in CONTROLS})
    """The rows without which no gain can be read; all of them unless the file says otherwise."""
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    """Seeds of training and sampling; the questions stay the same."""
    teacher_fit: FitConfig = FitConfig()
    """How the teacher is tuned on gold."""
    student_fit: FitConfig = FitConfig()
    """How students are tuned, under every method alike."""
    reasoning: bool = True
    """Gold teaches its reasoning before the answer, where the task has any."""
    tries: int = added(0, ge=0)
    """Where the task's gold has no reasoning, teacher and ceiling learn their own: so many solutions are sampled per
    question from the untuned model, and the first with the right answer is learnt. 0: bare answers are learnt."""
    max_new_tokens: int = Field(256, ge=1)
    """The longest response."""
    chunk: int = added(2048, ge=1)
    """Responses sampled between two saves: what a kill can cost. Fewer for large models on slow machines."""
    statistics: Statistics = Statistics()
    """How the verdict is reckoned."""
    workers: int = runtime(0, ge=0)
    """Worker processes; 0 chooses: one per core on a CPU, one on a GPU."""
    runtime: RuntimeConfig = runtime(RuntimeConfig())
    """How the work is run on this machine."""

    @field_validator("tasks", mode="before")
    @classmethod
    def _tasks(cls, value: Any) -> Any:
        if isinstance(value, str | Mapping):
            value = [value]
        if isinstance(value, list | tuple):
            made = each(
                dict(enumerate(value)), lambda _, part: part if isinstance(part, TaskConfig) else task_config(part)
            )
            return tuple(made.values())
        return value

    @field_validator("tasks")
    @classmethod
    def _two_names(cls, tasks: tuple[TaskConfig, ...]) -> tuple[TaskConfig, ...]:
        names = [task.name for task in tasks]
        if len(set(names)) != len(names):
            raise ValueError(f"two tasks have the same name among {names}; give one of them another `name`")
        return tasks

    @field_validator("teacher", "student", mode="before")
    @classmethod
    def _model(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value

    @field_validator("intermediates", mode="before")
    @classmethod
    def _models(cls, value: Any) -> Any:
        value = [value] if isinstance(value, str | Mapping) else value
        return tuple(map(cls._model, value)) if isinstance(value, list | tuple) else value

    @field_validator("methods", "controls", mode="before")
    @classmethod
    def _methods(cls, value: Any, info: ValidationInfo) -> Any:
        preset, rows = info.data.get("preset", "default"), info.context or {}
        if isinstance(value, str):
            value = [value]
        if isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
            value = {name: rows.get(name) for name in value}
        if isinstance(value, Mapping):
            rows = {**rows, **{str(name): parts for name, parts in value.items() if parts}}
            return each(
                {str(name): parts for name, parts in value.items()},
                lambda name, parts: parts if isinstance(parts, MethodConfig) else method(name, parts, preset, rows),
            )
        return value

    @field_validator("controls")
    @classmethod
    def _rows(cls, controls: dict[str, MethodConfig], info: ValidationInfo) -> dict[str, MethodConfig]:
        methods = info.data.get("methods")
        if methods is not None and (both := set(methods) & set(controls)):
            raise ValueError(f"{sorted(both)} stand both under methods and under controls")
        if methods is not None and not methods and not controls:
            raise ValueError(f"name at least one method (known: {', '.join(METHODS)})")
        return controls

    @field_validator("seeds", mode="before")
    @classmethod
    def _seeds(cls, value: Any) -> Any:
        return (value,) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("seeds")
    @classmethod
    def _each_seed_once(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) != len(seeds):
            raise ValueError(f"a seed is given twice in {list(seeds)}")
        return seeds

    def arms(self) -> dict[str, MethodConfig]:
        """Return controls and methods together, by name, in the order of the result table."""
        return {**self.controls, **self.methods}


def read_experiment(path: Path, settings: Iterable[str] = (), seeds: Iterable[int] | None = None) -> Experiment:
    """Read an experiment file, with `key=value` settings and seeds from the command line put in place.

    A list of names in place of the file's methods or controls (`methods=[alice, mine]`) picks rows that the file spells
    out as it does, and takes other names as those of known methods.

    Raises:
        ConfigError: every problem at once, each with its dotted path.
    """
    file = read_yaml(path)
    data = override(file, settings)
    if seeds is not None:
        data["seeds"] = list(seeds)
    return Experiment.parse(data, f"The experiment {str(path)!r}", {**_spelt_out(file), **_spelt_out(data)})


def _spelt_out(file: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the rows are made of of which a file says it, by name."""
    parts = (file.get(part) for part in ("controls", "methods"))
    return {str(name): made for part in parts if isinstance(part, Mapping) for name, made in part.items() if made}
