"""The majority vote over sampled responses (self-consistency, Wang et al. 2022), with the vote's histogram."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from w2sg.config import added
from w2sg.decode.config import SamplingConfig
from w2sg.elicit.base import Elicitor
from w2sg.elicit.clusters import cluster_by_answer, wordings
from w2sg.elicit.stopping import STOPPINGS, Never, Stopping
from w2sg.records import Example, Response, WeakLabel
from w2sg.tasks.base import Task

if TYPE_CHECKING:
    from w2sg.elicit.stopping import Stopping as AnyStopping
else:
    AnyStopping = STOPPINGS.union()


class Vote(Elicitor):
    """Sample, group equal final answers, and take the first response of the largest group as the label.

    The confidence is the largest group's share of all samples, unparseable ones included, so that a
    supervisor that rarely gives an answer is never counted as sure.
    """

    kind: Literal["vote"] = "vote"
    samples: int = Field(16, ge=1)
    """Responses sampled per question."""
    temperature: float = Field(0.9, gt=0)
    """Sampling temperature."""
    top_p: float = Field(0.95, gt=0, le=1)
    """Nucleus of the sampling distribution."""
    stopping: AnyStopping = added(Never())
    """When a question has fewer samples, because its vote is settled."""

    @property
    def stops(self) -> Stopping:
        return self.stopping

    def sampling(self, max_new_tokens: int) -> SamplingConfig:
        return SamplingConfig(
            samples=self.samples, temperature=self.temperature, top_p=self.top_p, max_new_tokens=max_new_tokens
        )

    def label(self, task: Task, example: Example, responses: list[Response]) -> WeakLabel:
        answers = [task.parse(response.text, example) for response in responses]
        clusters = cluster_by_answer(task, answers)
        unparsed = sum(answer is None for answer in answers)
        if not clusters:
            return WeakLabel(example.id, responses[0].text, None, (), unparsed, 0.0)
        best = clusters[0]
        return WeakLabel(
            example.id,
            responses[best.leader].text,
            best.answer,
            tuple((cluster.answer, len(cluster.members)) for cluster in clusters),
            unparsed,
            len(best.members) / len(responses),
            wordings=wordings(task, example, [response.text for response in responses], clusters),
        )
