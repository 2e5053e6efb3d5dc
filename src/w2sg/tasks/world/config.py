"""The world's three tasks as the rest of the package sees them: settings, rows, graders.

How questions are made is in `maths`, `logic` and `knowledge`. Every row of a task is reserved for tasks, so no model
of the zoo met it in pretraining, whatever the seed.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import ClassVar, Literal

from pydantic import field_validator

from w2sg.config import fingerprint
from w2sg.errors import DataError
from w2sg.records import Example, Gold, TaskRow
from w2sg.tasks.base import Size, SplitConfig, Task, TaskConfig
from w2sg.tasks.grading.base import Grader, grader
from w2sg.tasks.revision import Answers, Demonstration, Order
from w2sg.tasks.world import knowledge, threads
from w2sg.tasks.world.problem import ANSWER, Kind, Problem, randomness
from w2sg.tasks.world.subjects import SUBJECTS

__all__ = ["KnowledgeConfig", "LogicConfig", "MathsConfig", "WorldConfig", "WorldSplit", "WorldTask"]

_KINDS: dict[str, Kind] = {"world-knowledge": "knowledge", "world-maths": "maths", "world-logic": "logic"}
_VOTES, _ANSWERS = 16, 3  # about as much as a thread of the corpus tells; rounding may make a tie of 5 against 4
_GRADERS: dict[Kind, str] = {"maths": "numeric", "logic": "truth", "knowledge": "short"}

with warnings.catch_warnings():
    # pydantic warns of the name of its deprecated class method, which nothing here uses.
    warnings.filterwarnings("ignore", message='Field name "validate"')

    class WorldSplit(SplitConfig):
        """How many questions each role gets; the world makes as many as are asked for, so all sizes are counts."""

        supervise: Size = 400
        """Easy questions with open gold that train the weak side."""
        validate: Size = 150
        """Easy questions with open gold that fit calibrators and pick settings."""
        transfer: Size = 400
        """Questions whose gold is sealed and that train the student, the same number of every difficulty."""
        test_id: Size = 300
        """Sealed easy questions."""
        test_ood: Size = 300
        """Sealed harder questions."""
        easy_up_to: float | None = 2
        """Easy questions take at most this many steps, deductions or hops."""
        near_duplicates: Literal["drop", "report", "exact"] = "exact"
        """Generated questions resemble each other by design, so only equal ones count as duplicates."""

        @field_validator("supervise", "validate", "transfer", "test_id", "test_ood")
        @classmethod
        def _count(cls, size: Size) -> Size:
            if not isinstance(size, int):
                raise ValueError("the world makes as many questions as asked for, so this must be a count")
            return size


class WorldConfig(TaskConfig):
    """What the three kinds share."""

    seed: int = 0
    """Decides which questions are made."""
    split: WorldSplit = WorldSplit()
    """How many questions each role gets."""

    def build(self) -> WorldTask:
        """Return the task."""
        return WorldTask(self)


class KnowledgeConfig(WorldConfig):
    """Facts of a fictional world, one to three hops."""

    kind: Literal["world-knowledge"] = "world-knowledge"
    """This task."""


class MathsConfig(WorldConfig):
    """Word problems of one to six steps."""

    kind: Literal["world-maths"] = "world-maths"
    """This task."""


class LogicConfig(WorldConfig):
    """Rule chaining of one to six deductions: true, false or unknown."""

    kind: Literal["world-logic"] = "world-logic"
    """This task."""


class WorldTask(Task):
    """One kind of the world's questions. `config` is a `WorldConfig`."""

    version: ClassVar[int] = 4
    mark: ClassVar[str] = ANSWER
    gold_reasons: ClassVar[bool] = True
    config: WorldConfig

    def __init__(self, config: WorldConfig) -> None:
        super().__init__(config)
        self.subject: Kind = _KINDS[config.kind]

    @cached_property
    def _grader(self) -> Grader:
        return grader(_GRADERS[self.subject])

    @property
    def grader(self) -> Grader:
        return self._grader

    def load(self) -> list[TaskRow]:
        """Make just as many questions of every difficulty as the split asks for.

        Raises:
            DataError: more knowledge questions are asked for than there are facts.
        """
        return [_row(id, problem) for id, problem in self.problems().items()]

    def problems(self) -> dict[str, Problem]:
        """Return what the rows of `load` are made from, by id: measurements make wrong solutions of it.

        Raises:
            DataError: as `load`.
        """
        found: list[Problem] = []
        for side in self._sides():
            wanted = sum(side.values())
            made: list[Problem] = []
            spare: list[Iterator[Problem]] = []
            for level, count in side.items():
                source = _reserved(self.subject, level, self.config.seed)
                made += islice(source, count)
                spare.append(source)
            for source in spare:  # a finite kind may have too few of one difficulty: others make up for it
                made += islice(source, wanted - len(made))
            if len(made) < wanted:
                levels = ", ".join(map(str, side))
                raise DataError(
                    f"The split of {self.name!r} asks for {wanted:,} questions of difficulty {levels}, and the world "
                    f"has only {len(made):,} of them for tasks. Lower the counts in `split`."
                )
            found += made
        return {f"{one.kind}-{one.difficulty}-{fingerprint(one.key)[:12]}": one for one in found}

    def revise_prompt(
        self,
        example: Example,
        *,
        attempt: str = "",
        others: Sequence[Demonstration] = (),
        order: Order = "own-first",
        heads: bool = True,
    ) -> str:
        """Return the request in the form of the corpus's threads, which is what models of the zoo have read.

        A thread always shows one's own try first and one other person. To change the order the two trade places, and
        then what else is known of the other is left out, as it is for `blind`. Of several others the solutions stand
        one below another and the counts are added up.
        """
        demonstration = "\n".join(other.text for other in others if other.text)
        if order == "other-first" or (order == "blind" and not heads):
            attempt, demonstration = demonstration, attempt
        if order != "own-first":
            return threads.revise(self.prompt(example), attempt=attempt, demonstration=demonstration)
        return threads.revise(
            self.prompt(example),
            attempt=attempt,
            demonstration=demonstration,
            answers=_as_in_threads(others, randomness(self.config.seed, "order", example.id)),
            doubt=" ".join(dict.fromkeys(other.statement for other in others if other.statement)),
        )

    def doubt_in_words(self, example: Example, answers: Answers, unparsed: int) -> str:
        share = answers[0][1] / (sum(count for _, count in answers) + unparsed)
        return threads.doubt(share, randomness(self.config.seed, "doubt", example.id))

    def _sides(self) -> list[dict[int, int]]:
        """How many questions of every difficulty are needed, on the easy and on the hard side."""
        split = self.config.split
        levels = range(1, SUBJECTS[self.subject].HARDEST + 1)
        limit = split.easy_up_to if split.easy_up_to is not None else levels[-1]
        easy, hard = [k for k in levels if k <= limit], [k for k in levels if k > limit]
        transfer = {"all": [*easy, *hard], "easy": easy, "hard": hard}[split.transfer_from]
        need = dict.fromkeys(levels, 0)
        for count, place in (
            (int(split.supervise) + int(split.validate) + int(split.test_id), easy),
            (int(split.test_ood), hard),
            (int(split.transfer), transfer),
        ):
            if count and not place:
                raise DataError(
                    f"The split of {self.name!r} has `easy_up_to` {split.easy_up_to:g}, which leaves no difficulty "
                    f"(1 to {levels[-1]}) for one of its roles. Choose another value."
                )
            for position, level in enumerate(place):
                need[level] += count // len(place) + (position < count % len(place))
        return [{level: need[level] for level in side} for side in (easy, hard) if side]


def _as_in_threads(others: Sequence[Demonstration], rng: random.Random) -> list[tuple[str, int]]:
    """Return what others answered as a thread tells it: at most three answers, the most frequent, of about sixteen
    votes in all, in an order that says nothing. Each is told at least once, so that the answers of somebody who never
    repeats one are seen too."""
    counts: dict[str, int] = {}
    for other in others:
        for answer, count in other.answers:
            counts[answer] = counts.get(answer, 0) + count
    votes = min(1.0, _VOTES / max(1, sum(counts.values())))
    first = sorted(counts.items(), key=lambda pair: -pair[1])[:_ANSWERS]
    rng.shuffle(first)
    return [(answer, max(1, round(votes * count))) for answer, count in first]


def _reserved(kind: Kind, level: int, seed: int) -> Iterator[Problem]:
    """Yield different questions reserved for tasks; of maths and logic without end."""
    rng = randomness(seed, "task", kind, level)
    if kind == "knowledge":
        yield from _all_paths(level, rng)
        return
    seen = set[str]()
    while True:
        problem = SUBJECTS[kind].draw(rng, level)
        if problem.reserved and problem.key not in seen:
            seen.add(problem.key)
            yield problem


def _all_paths(level: int, rng: random.Random) -> Iterator[Problem]:
    paths = list(knowledge.paths(level))
    rng.shuffle(paths)
    for path in paths:
        problem = knowledge.problem(path, rng)
        if problem.reserved:
            yield problem


def _row(id: str, problem: Problem) -> TaskRow:
    example = Example(id, problem.question, group=problem.key, difficulty=float(problem.difficulty))
    return TaskRow(example, Gold(id, problem.solution.answer, rationale=problem.solution.rationale))
