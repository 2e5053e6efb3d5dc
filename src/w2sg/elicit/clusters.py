"""Groups of responses that say the same: what a clustering gives, and clustering by the final answer.

Clustering by what the texts mean is in `clusters_embedding`; what a supervisor's clusters amount to, in `alice`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from w2sg.config import Part
from w2sg.records import Example
from w2sg.registry import Registry
from w2sg.seeding import stream
from w2sg.tasks.base import Task

CLUSTERINGS = Registry(
    "clusterings",
    {
        "answers": "w2sg.elicit.clusters:Answers",
        "embedding": "w2sg.elicit.clusters_embedding:Embeddings",
    },
)
"""The ways to tell which responses say the same, by the `kind` of their settings."""


@dataclass(frozen=True)
class Cluster:
    """Responses that say the same.

    `answer` is what they say: their final answer, or, of responses without a readable one, the leader's text on one
    line. `members` are positions in the list that was clustered, in order; `leader` is the one among them that stands
    for all (`members[0]` unless the clustering chooses otherwise).
    """

    answer: str
    members: tuple[int, ...]
    leader: int


class Clustering(Part):
    """Base of the clusterings."""

    @abstractmethod
    def clusters(
        self, task: Task, example: Example, texts: Sequence[str], answers: Sequence[str | None]
    ) -> list[Cluster]:
        """Group the responses to one question, largest group first, ties by first appearance.

        A response belongs to one cluster at most; one that says nothing belongs to none.

        Args:
            texts: the responses, in sampling order.
            answers: `task.parse` of each, None where it gives no readable answer.
        """


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
    return in_order(Cluster(leader, tuple(group), group[0]) for leader, group in zip(leaders, members, strict=True))


def in_order(clusters: Iterable[Cluster]) -> list[Cluster]:
    """Return the clusters, largest first, ties by first appearance."""
    return sorted(clusters, key=lambda cluster: (-len(cluster.members), cluster.members[0]))


def wordings(task: Task, example: Example, texts: Sequence[str], clusters: Sequence[Cluster]) -> tuple[str, ...]:
    """Return each cluster's answer as its leader wrote it; nothing where all are written as they are compared."""
    written = tuple(task.written(texts[cluster.leader], example) or cluster.answer for cluster in clusters)
    return () if written == tuple(cluster.answer for cluster in clusters) else written


class Answers(Clustering):
    """Responses with the same final answer, after the task's own normalising; unreadable ones belong nowhere."""

    kind: Literal["answers"] = "answers"
    leader: Literal["first", "random"] = "first"
    """Which response stands for its cluster: the first sampled (a fair draw already), or one drawn."""
    singletons: Literal["keep", "drop"] = "keep"
    """Whether a response that nothing else agrees with is a cluster of its own, or nothing."""

    def clusters(
        self, task: Task, example: Example, texts: Sequence[str], answers: Sequence[str | None]
    ) -> list[Cluster]:
        found = cluster_by_answer(task, answers)
        if self.singletons == "drop":
            found = [cluster for cluster in found if len(cluster.members) > 1]
        return found if self.leader == "first" else [drawn(cluster, example) for cluster in found]


def drawn(cluster: Cluster, example: Example) -> Cluster:
    """Return the cluster with one of its members drawn as leader; the draw is named by question and answer."""
    place = int(stream(0, "leader", example.id, cluster.answer).integers(len(cluster.members)))
    return replace(cluster, leader=cluster.members[place])
