"""What every elicitor does, and the tally of parsed answers that several share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from w2sg.config import Part
from w2sg.decode.config import SamplingConfig
from w2sg.records import Example, Response, WeakLabel
from w2sg.tasks.base import Task


class Elicitor(Part):
    """Base of the elicitors."""

    @abstractmethod
    def sampling(self, max_new_tokens: int) -> SamplingConfig:
        """Return how the supervisor is sampled."""

    @abstractmethod
    def label(self, task: Task, example: Example, responses: list[Response]) -> WeakLabel:
        """Return the weak label that the responses to one question amount to."""


@dataclass(frozen=True)
class Cluster:
    """Responses that give the same final answer; `members` are positions in the list that was clustered."""

    answer: str
    members: tuple[int, ...]


def cluster_by_answer(task: Task, answers: Sequence[str | None]) -> list[Cluster]:
    """Group equal parsed answers, largest group first, ties by first appearance; None belongs to no group."""
    leaders: list[str] = []
    members: list[list[int]] = []
    for position, answer in enumerate(answers):
        if answer is None:
            continue
        for leader, group in zip(leaders, members, strict=True):
            if answer == leader or task.same(answer, leader):
                group.append(position)
                break
        else:
            leaders.append(answer)
            members.append([position])
    clusters = [Cluster(leader, tuple(group)) for leader, group in zip(leaders, members, strict=True)]
    return sorted(clusters, key=lambda cluster: (-len(cluster.members), cluster.members[0]))
