"""Leader clustering of responses by what their texts say (Wu et al. 2025, arXiv 2504.07316; after SaySelf, Xu et al.
2024): for answers that no grader can compare.

Texts become vectors in `elicit.embedding`; clustering by the final answer is in `elicit.clusters`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from w2sg.elicit.clusters import Cluster, Clustering, cluster_by_answer, drawn, in_order
from w2sg.elicit.embedding import AnyEmbedder, Encoder, Tfidf
from w2sg.records import Example
from w2sg.tasks.base import Task

_DIGITS = 9  # what lies beyond is rounding, and must not decide on which side of the threshold a cosine ends


class Embeddings(Clustering):
    """The first response that is still free leads, and takes all free ones whose cosine with it is above the
    threshold; and so on until none is free. How many clusters there are follows from the threshold.

    A response without a readable answer stands for its cluster only where no member has one, and clusters whose
    leaders give the same answer are one: they are no sign of doubt about it.
    """

    kind: Literal["embedding"] = "embedding"
    embedder: AnyEmbedder = Tfidf()
    """What turns texts into vectors: `tfidf` (over characters), or `sentence-transformers`."""
    threshold: float | None = Field(None, ge=-1, lt=1)
    """The cosine above which a response joins its leader; not given, 0.9 for a sentence model (the published value)
    and 0.5 under `tfidf`, where only nearly equal texts reach 0.9."""
    leader: Literal["first", "medoid", "random"] = "medoid"
    """Which response stands for its cluster: the one that led it, the one most alike to all others, or one drawn."""
    singletons: Literal["keep", "drop"] = "keep"
    """Whether a response that is like no other is a cluster of its own, or nothing."""
    answers_first: bool = True
    """Group by the final answer where any response has a readable one, and by text only where none has."""

    def clusters(
        self, task: Task, example: Example, texts: Sequence[str], answers: Sequence[str | None]
    ) -> list[Cluster]:
        if self.answers_first and any(answer is not None for answer in answers):
            found = cluster_by_answer(task, answers)
            if self.singletons == "drop":
                found = [cluster for cluster in found if len(cluster.members) > 1]
            return found if self.leader != "random" else [drawn(cluster, example) for cluster in found]
        return self._by_text(task, example, texts, answers)

    def _by_text(
        self, task: Task, example: Example, texts: Sequence[str], answers: Sequence[str | None]
    ) -> list[Cluster]:
        places = [place for place, text in enumerate(texts) if text.strip()]
        if not places:
            return []
        spoken = [texts[place] for place in places]
        alike = similarities(spoken, self.embedder.encoder(list(dict.fromkeys(spoken)), example.question))

        def said(place: int) -> str:
            answer = answers[place]
            return " ".join(texts[place].split()) if answer is None else answer

        threshold = self.embedder.alike if self.threshold is None else self.threshold
        found = []
        for group in leader_groups(alike, threshold):
            if len(group) == 1 and self.singletons == "drop":
                continue
            members = tuple(places[number] for number in group)
            fit = [number for number in group if answers[places[number]] is not None] or group
            cluster = Cluster(said(members[0]), members, places[fit[0]])
            if self.leader == "random":
                chosen = drawn(replace(cluster, members=tuple(places[number] for number in fit)), example)
                cluster = replace(cluster, leader=chosen.leader)
            elif self.leader == "medoid":
                cluster = replace(cluster, leader=places[medoid(alike, group, fit)])
            found.append(replace(cluster, answer=said(cluster.leader)))
        return joined(task, found, answers)


def joined(task: Task, clusters: Sequence[Cluster], answers: Sequence[str | None]) -> list[Cluster]:
    """Return the clusters with those of one answer made one, led by the largest of them, in order.

    Readable answers are compared by the task; a leader without one says what its text says, to the letter.
    """
    kept: list[Cluster] = []
    for cluster in in_order(clusters):
        for place, other in enumerate(kept):
            readable = answers[cluster.leader] is not None and answers[other.leader] is not None
            if cluster.answer == other.answer or (readable and task.same(cluster.answer, other.answer)):
                kept[place] = replace(other, members=tuple(sorted((*other.members, *cluster.members))))
                break
        else:
            kept.append(cluster)
    return in_order(kept)


def similarities(texts: Sequence[str], encode: Encoder) -> NDArray[np.float64]:
    """Return the cosine of every two texts, (texts, texts), each different text embedded once.

    Equal texts have cosine 1, whatever their vectors.
    """
    place = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    vectors = encode(list(place))
    product: Any = vectors @ vectors.T
    cosines = np.asarray(product.todense() if hasattr(product, "todense") else product, dtype=np.float64)
    cosines = cosines.round(_DIGITS)
    np.fill_diagonal(cosines, 1.0)
    which = np.array([place[text] for text in texts])
    expanded: NDArray[np.float64] = cosines[np.ix_(which, which)]
    return expanded


def leader_groups(alike: NDArray[np.float64], threshold: float) -> list[tuple[int, ...]]:
    """Return the groups of leader clustering on cosines `alike` (texts, texts), as positions, in the order of their
    leaders, each group's first being its leader."""
    free = np.ones(len(alike), dtype=bool)
    groups = []
    for lead in range(len(alike)):
        if free[lead]:
            group = np.flatnonzero(free & (alike[lead] > threshold))
            free[group] = False
            groups.append(tuple(group.tolist()))
    return groups


def medoid(alike: NDArray[np.float64], group: Sequence[int], among: Sequence[int] | None = None) -> int:
    """Return the member of `group` (or the one `among` some of its members) with the highest sum of cosines with the
    others; of equals the first."""
    chosen = group if among is None else among
    return chosen[int(np.argmax(alike[np.ix_(chosen, group)].sum(axis=1).round(_DIGITS)))]
