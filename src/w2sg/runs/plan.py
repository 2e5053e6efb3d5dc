"""From an experiment to its graph of steps: arms (rows of the result) and the steps they rest on, in order.

Nothing heavy is imported here; what the store already holds is `runs.store`'s to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from w2sg.config import parts_of
from w2sg.decode.config import SamplingConfig
from w2sg.elicit.embedding import PACKAGED, SentenceModel
from w2sg.errors import DataError, UserError
from w2sg.models.base import ModelConfig
from w2sg.runs.experiment import Experiment
from w2sg.runs.store import Store
from w2sg.schedules.base import Below, Product
from w2sg.schedules.controls import Ceiling
from w2sg.schedules.methods import MethodConfig
from w2sg.steps.base import Step, with_ancestors
from w2sg.steps.cast import Cast
from w2sg.steps.label_score import label_score_step
from w2sg.steps.model import ModelRef, Node
from w2sg.steps.sample import sample_step
from w2sg.steps.score import score_step
from w2sg.steps.task import TaskSettings
from w2sg.tasks import file_digests
from w2sg.tasks.base import TaskConfig

_Named = TypeVar("_Named")
_Found = TypeVar("_Found")


@dataclass(frozen=True)
class Arm:
    """One row of the result: a task, a method, a seed; the model it makes, its answers and their grades. `below` are
    the models that a cascade makes on its way, the lowest rung first, or as `below_is` says an ensemble's first
    experts, graded likewise; `other_label_scores` the grades of further supervisors' labels."""

    task: str
    method: str
    seed: int
    task_step: Step
    node: Node
    answers: Step
    scores: Step
    labels: Step | None = None
    label_scores: Step | None = None
    rewrite_scores: Step | None = None
    below: tuple[Arm, ...] = ()
    other_label_scores: tuple[Step, ...] = ()
    below_is: Below = "rung"

    def leaves(self) -> list[Step]:
        """Return the steps that nothing rests on: the grades of the test, and of weak labels and rewrites if any, on
        every rung."""
        lower = [leaf for rung in self.below for leaf in rung.leaves()]
        own = [step for step in (self.scores, self.label_scores, self.rewrite_scores) if step is not None]
        return [*lower, *own, *self.other_label_scores]

    def production(self) -> list[Step]:
        """Return the steps that make the model; answering and grading the test is not among them."""
        return list(self.node.tuned.ancestors()) if self.node.tuned is not None else []


@dataclass(frozen=True)
class Note:
    """Something that the reader of the results must know of the plan; `task` is empty where it concerns all."""

    task: str
    text: str


@dataclass(frozen=True)
class Plan:
    """All arms of an experiment."""

    experiment: Experiment
    arms: tuple[Arm, ...]
    notes: tuple[Note, ...] = ()

    def finished(self, store: Store) -> Plan:
        """Return the plan of the arms all of whose grades the store holds."""
        arms = (arm for arm in self.arms if all(store.state(step) == "done" for step in with_ancestors(arm.leaves())))
        return Plan(self.experiment, tuple(arms), self.notes)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Every step once, parents before children. Two arms that need the same work share the step."""
        return with_ancestors(leaf for arm in self.arms for leaf in arm.leaves())


def task_step(config: TaskConfig) -> Step:
    """Return the step that lays out a task, with all that is guessed from its files settled."""
    config = config.resolved()
    config.check_files()
    settings = TaskSettings(task=config, files=file_digests(config), version=config.build().version)
    return Step("task", settings, {}, f"{config.name} · questions and gold")


def make_plan(experiment: Experiment) -> Plan:
    """Lay out every step of the experiment.

    Raises:
        ModelError, DataError: a model or a task's file is not there; notes tell of the others that are not.
    """
    precision = experiment.runtime.dtype
    faults: list[UserError] = []
    named = (experiment.teacher, experiment.student, *experiment.intermediates)
    models = _made(named, lambda config: ModelRef.of(config, precision), faults)
    tasks = _made(experiment.tasks, task_step, faults)
    if faults:
        first, *others = {str(fault): fault for fault in faults}.values()
        for other in others:
            first.add_note(str(other))
        raise first
    teacher, student, *intermediates = models
    greedy = SamplingConfig(
        samples=1, temperature=0.0, max_new_tokens=experiment.max_new_tokens, chunk=experiment.chunk
    )
    arms, notes = [], _unpinned(experiment)
    for config, laid_out in zip(experiment.tasks, tasks, strict=True):
        if config.split.test_id == 0 and config.split.test_ood == 0:
            raise DataError(
                f"The task {config.name!r} has no test questions (split.test_id and split.test_ood are 0), so "
                "there would be nothing to report. Give at least one of them a size."
            )
        methods = experiment.arms()
        if config.pool_without_gold:
            for name in [name for name, method in methods.items() if isinstance(method.schedule, Ceiling)]:
                del methods[name]
                notes.append(Note(config.name, f"There is no {name}: the transfer questions have no gold to train on."))
        for seed in experiment.seeds:
            cast = Cast(
                name=config.name,
                task=laid_out,
                teacher=teacher,
                student=student,
                teacher_fit=experiment.teacher_fit,
                student_fit=experiment.student_fit,
                reasoning=experiment.reasoning,
                max_new_tokens=experiment.max_new_tokens,
                chunk=experiment.chunk,
                seed=seed,
                intermediates=tuple(intermediates),
                tries=experiment.tries,
            )
            for name, method in methods.items():
                arms.append(_arm(name, cast, method.product(name, cast), greedy))
    return Plan(experiment, tuple(arms), tuple(notes))


def _made(parts: Iterable[_Named], make: Callable[[_Named], _Found], faults: list[UserError]) -> list[_Found]:
    """Return what `make` makes of each part; what cannot be made goes to `faults`."""
    made = []
    for part in parts:
        try:
            made.append(make(part))
        except UserError as error:
            faults.append(error)
    return made


def _unpinned(experiment: Experiment) -> list[Note]:
    """Say which models come from the Hub without a pinned revision: what stands there may change."""
    return [
        Note(
            "",
            f"The {who} {config.path!r} is taken from the Hub without a pinned revision, so a later run may meet "
            "other weights under the same name. Give `revision` a commit to be exact.",
        )
        for who, config in (
            ("teacher", experiment.teacher),
            *(("intermediate", config) for config in experiment.intermediates),
            ("student", experiment.student),
            *(
                (f"{what} of {name}", config)
                for name, method in experiment.arms().items()
                for what, config in _models(method)
            ),
        )
        if "hub" in ModelRef.of(config).content and config.revision is None
    ]


def _models(method: MethodConfig) -> Iterator[tuple[str, ModelConfig]]:
    """Yield every model that the settings of a method name themselves, with what it is; not the sentence model that is
    installed as a package, whose weights are checked."""
    for part in parts_of(method):
        if isinstance(part, ModelConfig):
            yield "model", part
        elif isinstance(part, SentenceModel) and part.path != PACKAGED:
            yield "sentence model", ModelConfig(path=part.path, revision=part.revision)


_PART: dict[Below, str] = {"rung": "rung {} of {}", "prefix": "first {} of {} experts"}


def _arm(name: str, cast: Cast, product: Product, greedy: SamplingConfig) -> Arm:
    answers = sample_step(product.node, cast.task, ("test",), greedy, cast.seed, cast.label(f"{name} answers the test"))
    scores = score_step(answers, cast.task, cast.label(f"grades of {name}"))
    labels = product.labels
    graded = label_score_step(labels, cast.task, cast.label(f"grades of the labels for {name}")) if labels else None
    count = len(product.below) + 1
    return Arm(
        task=cast.name,
        method=name,
        seed=cast.seed,
        task_step=cast.task,
        node=product.node,
        answers=answers,
        scores=scores,
        labels=labels,
        label_scores=graded,
        rewrite_scores=product.rewrite_scores,
        below=tuple(
            _arm(f"{name} ({_PART[product.below_is].format(number, count)})", cast, rung, greedy)
            for number, rung in enumerate(product.below, start=1)
        ),
        other_label_scores=tuple(
            label_score_step(others, cast.task, cast.label(f"grades of the labels of supervisor {number} for {name}"))
            for number, others in enumerate(product.others, start=2)
        ),
        below_is=product.below_is,
    )
