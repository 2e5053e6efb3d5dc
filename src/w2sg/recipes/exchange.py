"""Several turns of Alice: the student answers, its supervisor judges by how its own vote moves, and so on.

An exchange is written out in the plan, turn by turn; on a question on which the two agree it stands still. After the
iterative exchange that Wu et al. (2025, appendix C) name as the ideal and leave open. What a turn asks is in
`steps.rewrite` (the student) and `steps.judge` (the supervisor).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from w2sg.decode.config import SamplingConfig
from w2sg.records import Response
from w2sg.seeding import derive
from w2sg.steps.base import Step
from w2sg.steps.cast import Cast
from w2sg.steps.inputs import read_responses
from w2sg.steps.judge import Judgement, JudgeSettings, judge_step, read_judgements
from w2sg.steps.model import Node
from w2sg.steps.propose import Choice, ProposeSettings, propose_step
from w2sg.steps.rewrite import RewriteSettings, label_parts, rewrite_step

Keep = Literal["judged", "last"]

PROPOSALS = "proposals"
"""The part that the student's answers after a turn play among the parents of its targets: `proposals-1`, ..."""
JUDGED = "judged"
"""The part of a supervisor's judgement of them: `judged-1`, ...; of the second supervisor `judged-1-2`, ..."""


@dataclass(frozen=True)
class Exchange:
    """Who takes part in an exchange, and how they speak: `rewriting` is how the student answered in the first turn,
    `judging` how supervisors are sampled, `choice` which rewrite the student stands by."""

    cast: Cast
    student: Node
    teachers: Sequence[Node]
    rewriting: RewriteSettings
    judging: SamplingConfig
    choice: Choice

    def steps(self, labels: Mapping[str, Step], begun: Mapping[str, Step], turns: int, keep: Keep) -> dict[str, Step]:
        """Return the student's answers after every turn and their judgements, which `final_proposals` reads.

        Args:
            labels: every supervisor's, by their parts; `teachers` are in the same order.
            begun: the student's `rewrites` of the first turn, and its `attempts`, if any.
        """
        cast, shown = self.cast, self.rewriting.shown
        said, answers, rewrites = dict(labels), begun.get("attempts"), begun["rewrites"]
        found: dict[str, Step] = {}
        for turn in range(1, turns + 1):
            where = f"turn {turn} of {turns}"
            before = {"task": cast.task, **said, **({} if answers is None else {"attempts": answers})}
            if turn > 1:
                again = shown.model_copy(update={"settled": "skip", "bypass": False})
                settings = self.rewriting.model_copy(update={"shown": again, "seed": self._seed("rewrite", turn)})
                rewrites = rewrite_step(self.student, before, settings, cast.label(f"student answers again, {where}"))
            proposing = ProposeSettings(choice=self.choice, bypass=shown.bypass and turn == 1)
            words = cast.label(f"student's answers, {where}")
            answers = propose_step({**before, "rewrites": rewrites}, proposing, words)
            found[f"{PROPOSALS}-{turn}"] = answers
            if turn < turns or keep == "judged":
                said = self._judged(said, answers, turn, where)
                numbered = zip(label_parts(said), _judged_parts(turn, len(said)), strict=True)
                found |= {part: said[labelled] for labelled, part in numbered}
        return found

    def _judged(self, said: Mapping[str, Step], answers: Step, turn: int, where: str) -> dict[str, Step]:
        judged: dict[str, Step] = {}
        for number, (part, teacher) in enumerate(zip(label_parts(said), self.teachers, strict=True), start=1):
            seed = self._seed("judge", turn, number)
            listing = self.rewriting.shown.listing
            settings = JudgeSettings(model=teacher.ref, sampling=self.judging, seed=seed, listing=listing)
            parents = {"task": self.cast.task, "labels": said[part], "attempts": answers}
            who = self.cast.label(f"supervisor ({part}) judges, {where}")
            judged[part] = judge_step(teacher, parents, settings, who)
        return judged

    def _seed(self, what: str, turn: int, supervisor: int = 1) -> int:
        return derive(self.cast.draws(supervisor), what, turn) if self.judging.temperature > 0 else 0


def final_proposals(parents: Mapping[str, Path], turns: int, keep: Keep) -> Iterator[tuple[str, list[Response]]]:
    """Yield, question by question in the order of the labels, the one answer that the student learns.

    It is the one on which supervisors and student agreed; without agreement the last one, or (`judged`) the one that
    most of the supervisors' samples gave after they had been shown it, the later of equals.
    """
    proposals = [read_responses(parents[f"{PROPOSALS}-{turn}"]) for turn in range(1, turns + 1)]
    if keep == "last":
        yield from proposals[-1]
        return
    several = len(label_parts(parents))
    judgements = [
        zip(*(read_judgements(parents[part]) for part in _judged_parts(turn, several)), strict=True)
        for turn in range(1, turns + 1)
    ]
    for answers, judged in zip(zip(*proposals, strict=True), zip(*judgements, strict=True), strict=True):
        assert {id for id, _ in answers} == {one.id for turn in judged for one in turn}
        yield answers[best_turn(judged)]


def best_turn(judged: Sequence[Sequence[Judgement]]) -> int:
    """Return the place of the turn whose answer is kept, given all supervisors' judgements of one question by turn."""
    standing = [
        (all(one.agreed for one in turn), sum(one.support_after for one in turn), place)
        for place, turn in enumerate(judged)
    ]
    return max(standing)[-1]


def _judged_parts(turn: int, supervisors: int) -> list[str]:
    return [f"{JUDGED}-{turn}" if one == 1 else f"{JUDGED}-{turn}-{one}" for one in range(1, supervisors + 1)]
