"""The step that tells what a supervisor holds likely at every token of its labels, so that a student can learn its
distributions in place of the tokens that it chose (Hinton et al. 2015, arXiv 1503.02531, token by token).

Of each distribution the most probable tokens are kept, brought to sum 1. They are tokens of the supervisor, so the
student has to have the same; what it makes of them is `models.fit`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from w2sg.config import Config
from w2sg.errors import ConfigError, ModelError
from w2sg.records import ROLES, Row, SoftTargets, ask
from w2sg.steps.base import Outcome, Step, Workspace
from w2sg.steps.inputs import Examples, read_labels
from w2sg.steps.model import ModelRef, Node, load_writer
from w2sg.steps.task import task_of
from w2sg.storage import read_rows, write_rows

if TYPE_CHECKING:
    from w2sg.models.hf import LanguageModel

DISTRIBUTIONS = "distributions.jsonl"
_AT_ONCE = 64


class DistributionsSettings(Config):
    """Whose distributions, for whom, and how much of them."""

    model: ModelRef
    """The supervisor before any tuning."""
    student: ModelRef
    """Who is to learn them, and has to have the same tokens."""
    most: int = Field(ge=1)
    """So many tokens of each distribution are kept, the most probable ones."""


@dataclass(frozen=True, slots=True)
class LabelDistributions(Row):
    """What the supervisor holds likely at each token of one label's text; `token_ids` and `probabilities` as in
    `SoftTargets`."""

    id: str
    token_ids: tuple[tuple[int, ...], ...]
    probabilities: tuple[tuple[float, ...], ...]

    @property
    def soft(self) -> SoftTargets:
        """As a training text has it."""
        return SoftTargets(self.token_ids, self.probabilities)


def distributions_step(teacher: Node, student: Node, task: Step, labels: Step, most: int, label: str) -> Step:
    """Return the step that tells the distributions of `teacher` at every token of `labels`, which are its own.

    Raises:
        ConfigError: the teacher chooses among options and writes nothing.
    """
    if teacher.classifies is not None:
        raise ConfigError(
            "The supervisor chooses among a question's options and writes no text, so there is no distribution of "
            "tokens to be learnt from it. Leave recipe.distributions out, or use a supervisor that writes ('boosted')."
        )
    settings = DistributionsSettings(model=teacher.ref, student=student.ref, most=most)
    return Step("distributions", settings, {"task": task, "labels": labels, **teacher.parents()}, label)


def run(step: Step, work: Workspace) -> Outcome:
    """Read every label's text. One that fills the supervisor's context, so that its end is not to be read, is left
    out.

    Raises:
        ModelError: the supervisor plays a script, is asked in bytes, or has other tokens than the student.
    """
    from w2sg.decode.score import fits, likeliest

    settings, task = step.settings, task_of(step)
    assert isinstance(settings, DistributionsSettings)
    model = load_writer(settings.model, work, "leave recipe.distributions out")
    _check_tokens(model, settings)
    examples = Examples(work.parents["task"], ROLES)
    labels = [label for label in read_labels(work.parents["labels"]) if label.text.strip()]
    texts = ((label.id, (ask(task.prompt(examples[label.id])), label.text)) for label in labels)
    told = 0

    def rows() -> Iterator[LabelDistributions]:
        nonlocal told
        while block := list(islice(texts, _AT_ONCE)):
            fitting = [(id, text) for id, text in block if fits(model, *text)]
            found = likeliest(model, [text for _, text in fitting], settings.most, work.runtime)
            for (id, _), soft in zip(fitting, found, strict=True):
                told += 1
                yield LabelDistributions(id, soft.token_ids, soft.probabilities)
            work.progress(told, len(labels), "reading distributions")

    write_rows(work.folder / DISTRIBUTIONS, rows())
    return Outcome({"texts": told, "left_out": len(labels) - told})


def _check_tokens(model: LanguageModel, settings: DistributionsSettings) -> None:
    from w2sg.models.ensemble_load import kind_of_tokens
    from w2sg.models.hf import load_tokenizer
    from w2sg.models.mixture_bytes import BytewiseModel

    student = settings.student.config
    if isinstance(model, BytewiseModel):  # asked in bytes, as `likeliest` says
        return
    if kind_of_tokens(model.tokenizer) != kind_of_tokens(load_tokenizer(student)):
        raise ModelError(
            f"The student {student.path!r} has other tokens, or another form of conversation, than its supervisor, "
            f"which is made of {settings.model.config.path!r}, so it cannot learn that one's distributions. Learn the "
            "texts (recipe.distributions: 0), or use models that share a tokenizer."
        )


def read_distributions(folder: Path) -> dict[str, SoftTargets]:
    """Return what a distributions step found, by the label's question."""
    return {row.id: row.soft for row in read_rows(folder / DISTRIBUTIONS, LabelDistributions)}
