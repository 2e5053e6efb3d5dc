"""Alice's recipe: the student revises its own answer in the light of its supervisor's demonstration and doubt, and is
tuned, from its untouched checkpoint, on what it wrote.

After Wu et al. (2025), "Alice: Proactive Learning with Teacher's Demonstrations for Weak-to-Strong Generalization"
(arXiv 2504.07316), section 3.3. How a revision is asked for is in `steps.rewrite` and in the task.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from w2sg.config import added
from w2sg.decode.config import SamplingConfig
from w2sg.errors import DataError
from w2sg.recipes.base import Recipe, imitate
from w2sg.recipes.exchange import Exchange, Keep, final_proposals
from w2sg.recipes.selection import Select, selected
from w2sg.records import Example, Response, Target, ask, by_id
from w2sg.seeding import derive
from w2sg.steps.base import Step
from w2sg.steps.cast import Cast
from w2sg.steps.inputs import read_examples, read_responses
from w2sg.steps.model import Node
from w2sg.steps.propose import Choice
from w2sg.steps.rewrite import RewriteSettings, Shown, Shuffle, Told, rewrite_step, told
from w2sg.steps.sample import sample_step
from w2sg.steps.slices import Slice
from w2sg.tasks.base import Task
from w2sg.tasks.revision import Listing, Order


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
    reasoned: bool = True
    """With `check`: where the demonstration holds its reasoning, learn only rewrites that hold theirs. A student that
    is shown counts may copy the answer that most gave without working it out, and learn to do so."""
    choose: Literal["first", "majority"] = "majority"
    """Of several rewrites learn the first, or the first with their most frequent answer."""
    bypass: bool = False
    """Where all samples of the supervisor agree, those without a cluster apart, learn its demonstration as it is; never
    another question's (`shuffle: all`), which the student is only shown."""
    order: Order = "own-first"
    """Which answer the student is shown first. `blind`: not told whose is whose, a coin decides which is first."""
    uncertainty: bool = True
    """Show how often the supervisor gave each answer, and its statement."""
    listing: Listing = added("frequency")
    """In which order these answers stand: the most frequent first, or `shuffled`. How a statement lists them is the
    statement writer's to say; a task whose requests have a form of their own keeps it."""
    shuffle: Shuffle = "none"
    """Null controls: show another question's statement and counts (`statement`), or all of another question's work
    (`all`). If that does as well, the request's form did the work and the supervisor was not heard."""
    seed: int = 0
    """Decides who is shown whose work, and the coins of `blind`; set from the run's seed."""
    select: Select = added("rewrite")
    """Whose answer is learnt: the rewrite's; or (`agreement`) the one that most of supervisor, student's own attempt
    and chosen rewrite give; or (`votes`) the same with each one's vote split over all its samples. Without one leader
    it is the rewrite's. Its text is a rewrite's where one gives it, else the attempt, else the demonstration."""
    turns: int = added(1, ge=1)
    """How often the student may answer. Above 1 the supervisor judges each answer by how its own vote moves, a question
    on which the two agree is left alone, and on the others the student tries again with what the supervisor says now.
    """
    judgements: int = added(8, ge=1)
    """Samples of a supervisor that judges, for each question and turn."""
    keep: Keep = added("judged")
    """Which of its answers the student learns where all turns end without agreement: the one that most of the
    supervisor's samples gave after it was shown (`judged`; the later of equals), or the last."""

    @model_validator(mode="after")
    def _can_be_drawn(self) -> Self:
        several = self.rewrites > 1 or self.attempt == "sampled" or (self.turns > 1 and self.judgements > 1)
        if self.temperature == 0 and several:
            raise ValueError(
                "at temperature 0 there is one rewrite, one judgement and no sampled attempt; raise the temperature"
            )
        return self

    @model_validator(mode="after")
    def _exchanges_its_own(self) -> Self:
        if self.turns > 1 and self.shuffle != "none":
            raise ValueError(
                "in an exchange of several turns supervisor and student speak of one question, so nothing can be "
                "shuffled; let turns be 1, or shuffle none"
            )
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
            # What another question's samples agree on is no answer to this one: it may be shown, never copied.
            bypass=self.bypass and self.shuffle != "all",
            shuffle=self.shuffle,
            seed=self.seed if self._draws else 0,
            listing=self.listing,
        )

    @property
    def choice(self) -> Choice:
        """Which of several rewrites is taken."""
        return Choice(check=self.check, reasoned=self.reasoned, choose=self.choose)

    def steps(
        self, cast: Cast, labels: Mapping[str, Step], student: Node, slice: Slice | None, teachers: Sequence[Node] = ()
    ) -> dict[str, Step]:
        """Return the student's attempts (`attempts`), its rewrites (`rewrites`) and, with several turns, what
        `recipes.exchange` adds."""
        parents = {"task": cast.task, **labels}
        mine: dict[str, Step] = {}
        if self.attempt != "none":
            who = cast.label(f"{_name(student)} answers transfer ({self.attempt})")
            attempt = self._sampling(cast, 1, self.temperature if self.attempt == "sampled" else 0.0)
            # Not the seed of the supervisor's samples: drawn by the same numbers, models alike say the same.
            draws = derive(cast.seed, "attempt")
            mine["attempts"] = sample_step(student, cast.task, ("transfer",), attempt, draws, who, slice)
        settings = RewriteSettings(
            model=student.ref,
            shown=self.shown,
            sampling=self._sampling(cast, self.rewrites, self.temperature),
            seed=derive(cast.seed, "rewrite") if self.temperature > 0 else 0,
        )
        words = cast.label(f"{_name(student)} revises its answers")
        mine["rewrites"] = rewrite_step(student, {**parents, **mine}, settings, words)
        if self.turns > 1:
            judging = self._sampling(cast, self.judgements, self.temperature)
            exchange = Exchange(cast, student, teachers, settings, judging, self.choice)
            mine |= exchange.steps(labels, mine, self.turns, self.keep)
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
        for seen, written in self._written(parents):
            example = examples[seen.id]
            if seen.is_bypassed(self.shown):
                yield imitate(task, example, seen.demonstration())
            elif (text := self.learnt(task, example, seen, written)) is not None:
                yield Target(seen.id, ask(task.prompt(example)), text)

    def _written(self, parents: Mapping[str, Path]) -> Iterator[tuple[Told, list[Response]]]:
        """Yield every question to which a supervisor gave an answer, with what the student wrote: all its rewrites, or
        its final answer after several turns; nothing where it was not asked."""
        if self.turns > 1:
            replies = final_proposals(parents, self.turns, self.keep)
        else:
            replies = read_responses(parents["rewrites"])
        for seen in told(parents, self.shown):
            id, written = seen.id, list[Response]()
            if self.turns > 1 or (seen.heard and not seen.is_bypassed(self.shown)):
                id, written = next(replies, ("nothing", []))
            if id != seen.id:
                raise DataError(f"The rewrites answer {id!r} where the labels speak of {seen.id!r}.")
            if seen.heard:
                yield seen, written

    def learnt(self, task: Task, example: Example, seen: Told, written: Sequence[Response]) -> str | None:
        """Return the text to learn on one question, of what was `written`; None where there is none that
        may be learnt."""
        if self.select == "rewrite":
            chosen = self.choice.of(task, example, written, seen.text)
            return None if chosen is None else chosen.text
        return selected(task, example, seen, written, self.choice, split=self.select == "votes")


def _name(student: Node) -> str:
    return Path(student.ref.config.path).name
