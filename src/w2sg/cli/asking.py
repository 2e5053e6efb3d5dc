"""Asking one model a file of questions, as steps in a store: what `w2sg predict` and `w2sg eval` share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from w2sg.cli.progress import Bars
from w2sg.cli.student import Student
from w2sg.cli.threads import SMALL, use_threads
from w2sg.decode.config import SamplingConfig
from w2sg.elicit.greedy import Greedy
from w2sg.models.base import RuntimeConfig
from w2sg.models.identity import parameter_guess
from w2sg.records import Role
from w2sg.runs.plan import task_step
from w2sg.runs.runner import choose_workers, run_steps
from w2sg.runs.store import Store
from w2sg.steps.base import Step
from w2sg.steps.doubt import doubt_step
from w2sg.steps.label import label_step
from w2sg.steps.model import ModelRef, Node
from w2sg.steps.sample import sample_step
from w2sg.tasks import task_config

PART: dict[Role, str] = {"transfer": "unlabelled", "test": "test"}
"""The file of a task whose rows all have the role."""


@dataclass(frozen=True)
class Asked:
    """The step that lays the questions out and the one that answers them."""

    task: Step
    answers: Step
    node: Node

    def doubt(self) -> Step:
        """Return the step that says how sure the model is of its answers."""
        labels = label_step(self.answers, self.task, Greedy(), f"{self.answers.label}, read")
        return doubt_step(self.node, labels, self.task, "likelihood", f"how sure of {self.answers.label}")


def ask_file(student: Student, file: Path, role: Role) -> Asked:
    """Return the steps in which `student` answers every row of a file, greedily.

    Raises:
        UserError: the file or the model is not there, or a setting does not fit.
    """
    sizes = {"supervise": 0, "validate": 0, "transfer": 0, "test_id": 0, "test_ood": 0}
    split = {**sizes, "test_id" if role == "test" else "transfer": "rest", "near_duplicates": "exact"}
    config = task_config({**student.task, PART[role]: str(file), "split": split}, "The questions")
    laid_out = task_step(config)
    greedy = SamplingConfig(samples=1, temperature=0.0, max_new_tokens=student.max_new_tokens)
    node = Node(ModelRef.of(student.model))
    answers = sample_step(node, laid_out, (role,), greedy, 0, f"answers of {student.model.path}")
    return Asked(laid_out, answers, node)


def do(steps: list[Step], store: Store, student: Student) -> None:
    """Do the steps that the store does not hold, and what they rest on, with bars."""
    cores = choose_workers(RuntimeConfig())
    runtime = RuntimeConfig(threads=1 if 0 < parameter_guess(student.model) < SMALL else cores)
    use_threads(runtime.threads)
    wanted = {part.fingerprint: part for step in steps for part in step.ancestors()}
    with Bars({}) as bars:
        run_steps(tuple(wanted.values()), store, runtime, workers=1, watcher=bars)


def store_for(given: Path | None) -> Store:
    """Return the store to answer in: the given one or `runs/store`, never the student's folder, which is passed on."""
    return Store(given or Path("runs") / "store")
