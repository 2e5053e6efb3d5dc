"""Alice's recipe: the student revises its own answer in the light of its supervisor's demonstration and doubt, and is
tuned, from its untouched checkpoint, on what it wrote.

After Wu et al. (2025), "Alice: Proactive Learning with Teacher's Demonstrations for Weak-to-Strong Generalization"
(arXiv 2504.07316), section 3.3. How a revision is asked for is in `steps.rewrite` and in the task.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from w2sg.decode.config import SamplingConfig
from w2sg.errors import DataError
from w2sg.recipes.base import Recipe, imitate
from w2sg.records import Example, Response, Target, ask, by_id
from w2sg.seeding import derive
from w2sg.steps.base import Step
from w2sg.steps.cast import Cast
from w2sg.steps.inputs import read_examples, read_responses
from w2sg.steps.model import Node
from w2sg.steps.rewrite import RewriteSettings, Shown, Shuffle, rewrite_step, told
from w2sg.steps.sample import sample_step
from w2sg.steps.slices import Slice
from w2sg.tasks.base import Task
from w2sg.tasks.revision import Order


class Alice(Recipe):
    """Learn the student's rewrites. A question to which no supervisor gave an answer is left out."""

    hears_several: ClassVar[bool] = True
    kind: Literal["alice"] = "alice"
    attempt: Literal["greedy", "sampled", "none"] = "greedy"
    """The student's own answer that it is shown: its most likely one, a sampled one, or none."""
    rewrites: int = Field(4, ge=1)
    """Rewrites sampled per question."""
    temperature: float = Field(0.9, ge=0)
    """Sampling temperature of rewrites and of a sampled attempt; 0 rewrites once, greedily."""
    top_p: float = Field(0.95, gt=0, le=1)
    """Nucleus of the sampling distribution."""
    check: bool = True
    """Learn only rewrites that are finished and give a readable final answer."""
    choose: Literal["first", "majority"] = "majority"
    """Of several rewrites learn the first, or the first with their most frequent answer."""
    bypass: bool = False
    """Where all samples of the supervisor agree, learn its demonstration as it is."""
    order: Order = "own-first"
    """Which answer the student is shown first. `blind`: not told whose is whose, a coin decides which is first."""
    uncertainty: bool = True
    """Show how often the supervisor gave each answer, and its statement."""
    shuffle: Shuffle = "none"
    """Null controls: show another question's statement and counts (`statement`), or all of another question's work
    (`all`). If that does as well, the request's form did the work and the supervisor was not heard."""
    seed: int = 0
    """Decides who is shown whose work, and the coins of `blind`; set from the run's seed."""

    @model_validator(mode="after")
    def _can_be_drawn(self) -> Self:
        if self.temperature == 0 and (self.rewrites > 1 or self.attempt == "sampled"):
            raise ValueError("at temperature 0 there is one rewrite and no sampled attempt; raise the temperature")
        return self

    @property
    def teaches_labels(self) -> bool:
        return self.shuffle != "all"

    def seeded(self, seed: int) -> Alice:
        return self.model_copy(update={"seed": seed}) if self._draws else self

    @property
    def _draws(self) -> bool:
        return self.shuffle != "none" or self.order == "blind"

    @property
    def shown(self) -> Shown:
        """What the student is shown, and how."""
        return Shown(
            uncertainty=self.uncertainty,
            order=self.order,
            bypass=self.bypass,
            shuffle=self.shuffle,
            seed=self.seed if self._draws else 0,
        )

    def steps(self, cast: Cast, labels: Mapping[str, Step], student: Node, slice: Slice | None) -> dict[str, Step]:
        """Return the student's attempts (`attempts`) and its rewrites (`rewrites`)."""
        parents = {"task": cast.task, **labels}
        mine: dict[str, Step] = {}
        if self.attempt != "none":
            who = cast.label(f"{_name(student)} answers transfer ({self.attempt})")
            attempt = self._sampling(cast, 1, self.temperature if self.attempt == "sampled" else 0.0)
            mine["attempts"] = sample_step(student, cast.task, ("transfer",), attempt, cast.seed, who, slice)
        settings = RewriteSettings(
            model=student.ref,
            shown=self.shown,
            sampling=self._sampling(cast, self.rewrites, self.temperature),
            seed=derive(cast.seed, "rewrite") if self.temperature > 0 else 0,
        )
        words = cast.label(f"{_name(student)} revises its answers")
        mine["rewrites"] = rewrite_step(student, {**parents, **mine}, settings, words)
        return mine

    def _sampling(self, cast: Cast, samples: int, temperature: float) -> SamplingConfig:
        return SamplingConfig(
            samples=samples,
            temperature=temperature,
            top_p=self.top_p if temperature > 0 else 1.0,
            max_new_tokens=cast.max_new_tokens,
            chunk=cast.chunk,
        )

    def targets(self, task: Task, parents: Mapping[str, Path], folder: Path) -> list[Target]:
        examples = by_id(read_examples(parents["task"], ("transfer",)), "transfer questions")
        return list(self._targets(task, parents, examples))

    def _targets(self, task: Task, parents: Mapping[str, Path], examples: Mapping[str, Example]) -> Iterator[Target]:
        rewrites = read_responses(parents["rewrites"])
        for seen in told(parents, self.shown):
            if not seen.heard:
                continue
            example = examples[seen.id]
            if seen.is_bypassed(self.shown):
                yield imitate(task, example, seen.demonstration())
                continue
            id, written = next(rewrites, ("nothing", []))
            if id != seen.id:
                raise DataError(f"The rewrites answer {id!r} where the labels speak of {seen.id!r}.")
            if (text := self.chosen(task, example, written)) is not None:
                yield Target(seen.id, ask(task.prompt(example)), text)

    def chosen(self, task: Task, example: Example, written: list[Response]) -> str | None:
        """Return the text to learn of the rewrites of one question; None where none passes the check."""
        answers = [task.parse(response.text, example) for response in written]
        fit = [place for place, response in enumerate(written) if not self.check or _passes(response, answers[place])]
        if not fit:
            return None
        if self.choose == "majority":
            given = [answers[place] for place in fit]
            votes = [0 if answer is None else given.count(answer) for answer in given]
            return written[fit[votes.index(max(votes))]].text
        return written[fit[0]].text


def _passes(response: Response, answer: str | None) -> bool:
    return response.finished and answer is not None


def _name(student: Node) -> str:
    return Path(student.ref.config.path).name
