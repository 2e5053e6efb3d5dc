"""`w2sg difficulty`: how hard each question of a task is, rated by a third model that never saw it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from w2sg.cli.options import AskingStore, Settings, TrustRemoteCode
from w2sg.errors import ConfigError, DataError

if TYPE_CHECKING:
    from w2sg.runs.experiment import Experiment
    from w2sg.tasks.base import TaskConfig

_DATA = (".jsonl", ".json", ".parquet")
_FEW = 0.1
"""With a smaller share of easy questions there is hardly anything to supervise on."""


def difficulty(
    source: Annotated[
        str, typer.Argument(metavar="EXPERIMENT|TASK", help="An experiment file, a task's name, or a data file.")
    ],
    rater: Annotated[str, typer.Option(metavar="MODEL", help="Who rates: best neither the teacher nor the student.")],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the ratings go (JSON).")],
    folds: Annotated[int, typer.Option(min=2, help="Parts of the data; each is rated by a model of the others.")] = 5,
    task: Annotated[str, typer.Option(metavar="NAME", help="Which task of an experiment that has several.")] = "",
    settings: Settings = None,
    store: AskingStore = None,
    trust_remote_code: TrustRemoteCode = False,
) -> None:
    """Rate how hard each question is: 1 less the chance that a model tuned on the other folds answers it right.

    A task takes the file as `difficulty_from`, and divides by it with
    `split.easy_share`. Stopped and started again, it continues where it stopped.

    \b
    w2sg difficulty sciq --rater EleutherAI/pythia-160m --folds 5 --out ratings/sciq.json
    w2sg difficulty gold.jsonl --rater zoo/neox --out ratings.json --set fit.epochs=3 samples=32
    """
    from rich.console import Console
    from rich.text import Text

    from w2sg.cli.asking import do, store_for
    from w2sg.cli.fit import learning_rate
    from w2sg.cli.predict import check_out
    from w2sg.cli.student import Student
    from w2sg.config import override
    from w2sg.models.base import ModelConfig
    from w2sg.steps.difficulty import RATINGS, RatingConfig, difficulty_step
    from w2sg.steps.model import ModelRef
    from w2sg.tasks.ratings import read_ratings, write_ratings

    found, members = _task(source, task)
    check_out(out, Path(source))
    _check_ours(out)
    judge = ModelConfig(path=rater, trust_remote_code=trust_remote_code)
    plain: dict[str, Any] = {"folds": folds, "fit": {"epochs": 2, "learning_rate": learning_rate(judge)}}
    rating = RatingConfig.parse(override(plain, settings or ()), "The command")
    kept, console = store_for(store), Console()
    if rater in members:
        console.print(Text(f"Note: {rater} takes part in {source}. What is hard for it is then hard by design."))
    step = difficulty_step(found, ModelRef.of(judge), rating)
    do([step], kept, Student(model=judge))
    ratings = read_ratings(kept.folder(step) / RATINGS)
    write_ratings(out, ratings)
    summary = kept.record(step)["summary"]
    low, middle, high = summary["quartiles"]
    console.print(
        Text(
            f"{len(ratings.ratings):,} ratings in {out}; difficulty {summary['mean']:.3f} in the mean, quartiles "
            f"{low:.3f}, {middle:.3f}, {high:.3f}. {advice([one.difficulty for one in ratings.ratings], out)}"
        )
    )


def advice(difficulties: Sequence[float], out: Path) -> str:
    """Return how to divide a task by its ratings, in the middle where ties allow it; or that they tell too little."""
    from w2sg.tasks.splits import largest_share

    share = min(0.5, largest_share(difficulties))
    use = f"Use them: difficulty_from: {out} and split: {{easy_share: {share:g}}} in the task."
    if share == 0.5:
        return use
    hardest = max(difficulties)
    tied = sum(one == hardest for one in difficulties)
    words = f"{tied:,} of {len(difficulties):,} questions are as hard as the hardest ({hardest:.4g}), "
    if share >= _FEW:
        return f"{use} {words}so a larger share cannot be told from them."
    words += "so these ratings hardly tell questions apart. Take more samples (--set samples=64) or another rater"
    return f"{words}." if share == 0 else f"{words}; as they are, no split.easy_share above {share:g} works."


def _task(source: str, name: str) -> tuple[TaskConfig, set[str]]:
    """Return the settings of the task that is meant, and the models that take part in its experiment.

    Raises:
        ConfigError: there is no such task, or it is not said which.
    """
    from w2sg.tasks import TASKS, task_config

    path = Path(source)
    if path.suffix in (".yaml", ".yml"):
        return _of_experiment(path, name)
    if path.suffix in _DATA:
        return task_config({"kind": "file", "labelled": source}, "The task"), set()
    if source not in TASKS:
        raise ConfigError(
            f"{source!r} is neither an experiment file (.yaml), nor a data file ({', '.join(_DATA)}), nor a task. The "
            f"tasks are {', '.join(TASKS.names())}."
        )
    return task_config(source), set()


def _of_experiment(path: Path, name: str) -> tuple[TaskConfig, set[str]]:
    from w2sg.runs.experiment import read_experiment

    experiment: Experiment = read_experiment(path)
    tasks = {task.name: task for task in experiment.tasks}
    if not name and len(tasks) > 1:
        raise ConfigError(f"{str(path)!r} has the tasks {', '.join(tasks)}. Say which one is meant: --task NAME.")
    if name and name not in tasks:
        raise ConfigError(f"{str(path)!r} has no task {name!r}; its tasks are {', '.join(tasks)}.")
    models = (experiment.teacher, *experiment.intermediates, experiment.student)
    return tasks[name or next(iter(tasks))], {model.path for model in models}


def _check_ours(out: Path) -> None:
    """Refuse to replace a file that holds no ratings."""
    from w2sg.tasks.ratings import read_ratings

    if out.exists():
        try:
            read_ratings(out)
        except DataError:
            raise ConfigError(
                f"--out {str(out)!r} exists and holds no ratings, so it is not replaced. Give another file, or delete "
                "this one."
            ) from None
