"""What a method gives its schedule, what every schedule does, and the one lesson that schedules are made of."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from w2sg.config import Config
from w2sg.elicit.base import Elicitor
from w2sg.elicit.statements import Asked
from w2sg.errors import ConfigError
from w2sg.recipes.base import Recipe
from w2sg.records import Role
from w2sg.steps.base import Step
from w2sg.steps.calibrate import calibrate_step
from w2sg.steps.cast import Cast
from w2sg.steps.doubt import doubt_step
from w2sg.steps.fit import fit_step
from w2sg.steps.label import label_step
from w2sg.steps.model import ModelRef, Node
from w2sg.steps.rewrite import LABELS_OF
from w2sg.steps.rewrite_score import rewrite_score_step
from w2sg.steps.sample import sample_step
from w2sg.steps.slices import Slice
from w2sg.steps.state import state_step
from w2sg.steps.task import laid_out
from w2sg.supervisors.base import Supervisor

Below = Literal["rung", "prefix"]
"""What stands below a judged model: the rungs of its cascade, or the ensembles of its first experts."""


@dataclass(frozen=True)
class Parts:
    """The parts of one method."""

    name: str
    supervisor: Supervisor
    elicit: Elicitor
    recipe: Recipe


@dataclass(frozen=True)
class Product:
    """What a method makes: the model to be judged; the weak labels that it learnt from, if any; the step that grades,
    for the report, what its student made of them, if it rewrote them; what is judged with it and not compared, the
    lowest first: what a cascade makes on its way, or the ensembles of its first experts; and the labels of further
    supervisors, where there are several."""

    node: Node
    labels: Step | None = None
    rewrite_scores: Step | None = None
    below: tuple[Product, ...] = ()
    others: tuple[Step, ...] = ()
    below_is: Below = "rung"


class Schedule(Config):
    """Base of the schedules."""

    @abstractmethod
    def product(self, parts: Parts, cast: Cast) -> Product:
        """Return the model that the method makes, with its steps."""


def lesson(
    parts: Parts,
    cast: Cast,
    teachers: Sequence[Node],
    pupil: ModelRef,
    slice: Slice | None = None,
    where: str = "",
    who: str = "",
) -> Product:
    """Return `pupil`, tuned from its untouched checkpoint on what the recipe makes of the `teachers`' labels of
    `slice`.

    Args:
        where: the lesson's place in a longer schedule, for the steps' names (" (rung 1 of 2)").
        who: what these names call the teachers; the supervisor's kind when not given.

    Raises:
        ConfigError: there are several teachers and the recipe learns from one.
    """
    if len(teachers) > 1 and not parts.recipe.hears_several:
        raise ConfigError(
            f"The method {parts.name!r} has {len(teachers)} supervisors, and its recipe learns from one. Use a recipe "
            "that hears several (alice), or name one supervisor."
        )
    student = Node(pupil)
    labels = {
        LABELS_OF if number == 1 else f"{LABELS_OF}-{number}": _labels(
            parts, cast, teacher, student, slice, where + (f" {number}" if len(teachers) > 1 else ""), who, number
        )
        for number, teacher in enumerate(teachers, start=1)
    }
    recipe = parts.recipe.seeded(cast.seed)
    if slice is not None:
        recipe = recipe.model_copy(update={"slice": slice})
    more = recipe.steps(cast, labels, student, slice, teachers)
    words = cast.label(f"training texts of {parts.name}{where}")
    targets = Step("targets", recipe, {"task": cast.task, **labels, **more}, words)
    node = fit_step(
        student, targets, cast.student_fit, cast.seed, cast.label(f"tune the student by {parts.name}{where}")
    )
    graded = None
    if "rewrites" in more:
        graded = rewrite_score_step(targets, cast.label(f"grades of what {parts.name}{where} made of its labels"))
    if not recipe.teaches_labels:
        return Product(node, rewrite_scores=graded)
    first, *others = labels.values()
    return Product(node, first, graded, others=tuple(others))


def _labels(
    parts: Parts, cast: Cast, teacher: Node, student: Node, slice: Slice | None, where: str, who: str, number: int
) -> Step:
    """Return the labels of teacher `number`, with the calibration and the statements that the elicitation asks for."""
    elicit, seed = parts.elicit, cast.draws(number)
    labels = _labelled(parts, cast, teacher, "transfer", slice, where, who, seed)
    if elicit.calibrator is not None and laid_out(cast.task).config.split.validate != 0:
        validate = _labelled(parts, cast, teacher, "validate", None, where, who, seed)
        words = cast.label(f"calibrated labels for {parts.name}{where}, for the reliability figures")
        labels = calibrate_step(labels, validate, cast.task, elicit.calibrator, words)
    writer = elicit.writer
    if isinstance(writer, Asked):
        speaker = {"teacher": teacher, "student": student}.get(writer.by)
        words = cast.label(f"statements by {writer.by} for {parts.name}{where}")
        labels = state_step(labels, cast.task, writer, speaker, seed, words, cast.chunk)
    return labels


def _labelled(
    parts: Parts, cast: Cast, teacher: Node, role: Role, slice: Slice | None, where: str, who: str, seed: int
) -> Step:
    """Return the labels that one teacher's samples of a role's questions, drawn by `seed`, amount to."""
    sampling = parts.elicit.sampling(cast.max_new_tokens).model_copy(update={"chunk": cast.chunk})
    source, elicit = who or getattr(parts.supervisor, "kind", "supervisor"), getattr(parts.elicit, "kind", "")
    purpose = "" if role == "transfer" else ", to calibrate by"
    words = cast.label(f"{source} answers {role} ({elicit}){where}{purpose}")
    samples = sample_step(teacher, cast.task, (role,), sampling, seed, words, slice, parts.elicit.stops)
    what = "labels" if role == "transfer" else f"labels of {role}"
    labels = label_step(samples, cast.task, parts.elicit, cast.label(f"{what} for {parts.name}{where}"))
    if parts.elicit.measure is None:
        return labels
    words = cast.label(f"how sure {source} is of {what} for {parts.name}{where}")
    return doubt_step(teacher, labels, cast.task, parts.elicit.measure, words)
