"""`w2sg fit`: from a user's files to a student that can be deployed, with an honest estimate of its quality."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from w2sg.cli.options import Settings
from w2sg.errors import ConfigError

if TYPE_CHECKING:
    from w2sg.models.base import ModelConfig
    from w2sg.runs.experiment import Experiment


def fit(
    labelled: Annotated[Path, typer.Option(metavar="FILE", help="Questions with answers (JSONL, JSON or parquet).")],
    unlabelled: Annotated[Path, typer.Option(metavar="FILE", help="The pool: questions without answers.")],
    teacher: Annotated[str, typer.Option(metavar="MODEL", help="The weak model: folder, Hub id or zoo member.")],
    student: Annotated[str, typer.Option(metavar="MODEL", help="The strong model: folder, Hub id or zoo member.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the student goes.")],
    method: Annotated[str, typer.Option(help="How the student learns: see docs/settings.md.")] = "imitation-vote",
    seed: Annotated[int, typer.Option(min=0, help="Decides the split, the sampling and the training.")] = 0,
    lora: Annotated[bool, typer.Option("--lora", help="Train adapters (peft) instead of every weight.")] = False,
    settings: Settings = None,
) -> None:
    """Train a student from your own files: a little gold, and a pool of questions.

    The teacher learns from part of the gold and labels the pool, the student
    learns from the labels, and gold that neither has seen says how good it is.
    DIR then holds the student (model/), its card (README.md) and the report.

    \b
    w2sg fit --labelled gold.jsonl --unlabelled pool.jsonl --out runs/student
             --teacher Qwen/Qwen2.5-0.5B --student Qwen/Qwen2.5-3B
    w2sg fit ... --lora --set student_fit.epochs=2 task.grader=numeric
                              'method.elicit={kind: vote, samples: 8}'
    """
    from rich.console import Console
    from rich.text import Text

    from w2sg.cli.card import write_card
    from w2sg.cli.execute import execute
    from w2sg.cli.outcome import REPORT, RESULTS
    from w2sg.cli.student import MODEL, Student, check_ours, write_student
    from w2sg.report.results import Results
    from w2sg.report.terminal import show
    from w2sg.runs.store import Store
    from w2sg.steps.inputs import MODEL as CHECKPOINT
    from w2sg.steps.inputs import read_items

    check_ours(out)
    files = {"labelled": str(labelled), "unlabelled": str(unlabelled)}
    wish = Wish(teacher, student, method, files, seed, lora, settings or [])
    experiment = wish.experiment(out.resolve().name)
    plan = execute(experiment, out, out / "store")
    arm = next(arm for arm in plan.arms if arm.method == method)
    assert arm.node.tuned is not None
    (task,) = experiment.tasks
    asked = task.model_dump(mode="json", exclude={"labelled", "unlabelled", "test", "split"})
    asked["grader"] = task.build().grader.name  # what `auto` chose for these answers stays chosen
    made = Student(
        model=experiment.student.model_copy(update={"path": f"./{MODEL}", "revision": None}),
        task=asked,
        max_new_tokens=experiment.max_new_tokens,
        fit=arm.node.tuned.fingerprint,
    )
    store = Store(out / "store")
    items = read_items(store.folder(arm.task_step), ("supervise", "validate", "transfer"))
    write_student(out, made, store.folder(arm.node.tuned) / CHECKPOINT, items)
    results = Results.load(out / RESULTS)
    write_card(out, plan, arm, store, results)
    console = Console()
    show(results, console)
    console.print(Text(f"\nThe student: {out / MODEL}\nIts card:    {out / 'README.md'}\nThe report:  {out / REPORT}"))


@dataclass(frozen=True)
class Wish:
    """What the command asks for: models, method, files (`labelled`, `unlabelled`) and settings put over the rest."""

    teacher: str
    student: str
    method: str
    files: Mapping[str, str]
    seed: int = 0
    lora: bool = False
    settings: Sequence[str] = ()

    def experiment(self, name: str) -> Experiment:
        """Return the experiment that is meant: one task from the files, the method, and the controls that need no
        gold for the pool.

        Raises:
            ConfigError: a setting or the method does not fit.
        """
        from w2sg.config import override
        from w2sg.models.base import ModelConfig
        from w2sg.runs.experiment import Experiment

        self._check_method()
        rate = learning_rate(ModelConfig(path=self.student))
        student_fit: dict[str, Any] = {"learning_rate": rate}
        if self.lora:
            student_fit = {"learning_rate": float(f"{10 * rate:.1g}"), "lora": {}}
        split = {"seed": self.seed}  # the file task keeps shares of the gold for validation and test
        data = {
            "name": plain(name),
            "tasks": {"kind": "file", "name": plain(Path(self.files["labelled"]).stem), **self.files, "split": split},
            "teacher": self.teacher,
            "student": self.student,
            "methods": {self.method: {}},
            "controls": ["teacher", "untuned", "self-distillation"],
            "seeds": [self.seed],
            "teacher_fit": {"learning_rate": learning_rate(ModelConfig(path=self.teacher))},
            "student_fit": student_fit,
        }
        # There is one task and one method here, so that no name need be spelled out.
        settings = [re.sub(r"^task\.", "tasks.", setting) for setting in self.settings]
        settings = [re.sub(r"^method\.", f"methods.{self.method}.", setting) for setting in settings]
        return Experiment.parse(override(data, settings), "The command")

    def _check_method(self) -> None:
        from w2sg.schedules.methods import CONTROLS, METHODS

        parts = any(setting.startswith("method.") for setting in self.settings)
        if self.method in CONTROLS or (self.method not in METHODS and not parts):
            what = "a control, which makes no student from a pool" if self.method in CONTROLS else "no known method"
            raise ConfigError(
                f"--method {self.method!r} is {what}. Choose one of {', '.join(METHODS)}, or give a new name and its "
                "parts, as in --method mine --set 'method.elicit={kind: vote}'."
            )


def plain(words: str) -> str:
    """Return `words` as a name of letters, digits, dots, hyphens and underscores."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", words).strip("-._")[:60] or "student"


def learning_rate(model: ModelConfig) -> float:
    """Return a peak learning rate that suits full fine-tuning of a model of this size: 1e-5 from half a billion
    parameters up, more below, to 1e-4 under ten million: what is higher makes models of the zoo forget what they know
    (`experiments/ensemw2s-learning-rates.yaml`). A model that is not on this disk counts as large."""
    from w2sg.models.identity import parameter_guess

    size = parameter_guess(model) or 5e8
    return float(f"{min(1e-4, max(1e-5, 1e-5 * (5e8 / size) ** 0.55)):.1g}")
