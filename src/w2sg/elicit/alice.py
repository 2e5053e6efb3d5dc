"""Alice's elicitation: many samples, their clusters, how sure the supervisor is, and its doubt in words.

After Wu et al. (2025), "Alice: Proactive Learning with Teacher's Demonstrations for Weak-to-Strong Generalization"
(arXiv 2504.07316), section 3.2. How texts are grouped is left to `clusters`, how doubt is worded to `statements`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from w2sg.config import added
from w2sg.decode.config import SamplingConfig
from w2sg.elicit.base import Elicitor
from w2sg.elicit.clusters import CLUSTERINGS, Answers, wordings
from w2sg.elicit.statements import WRITERS, Doubt, Template, Written
from w2sg.elicit.stopping import STOPPINGS, Never, Stopping
from w2sg.metrics.calibration import Method
from w2sg.records import Example, Response, WeakLabel
from w2sg.tasks.base import Task

if TYPE_CHECKING:
    from w2sg.elicit.clusters import Clustering as AnyClustering
    from w2sg.elicit.statements import StatementWriter as AnyWriter
    from w2sg.elicit.stopping import Stopping as AnyStopping
else:
    AnyClustering, AnyWriter, AnyStopping = CLUSTERINGS.union(), WRITERS.union(), STOPPINGS.union()

VARIANTS = 8
"""Whole responses kept with a label, one for each of its first answers, for writers that read them."""


class Alice(Elicitor):
    """Sample, group, and take the largest group's leader as the demonstration.

    The confidence is the largest group's share of all samples, unreadable ones included, and then calibrated. A
    question without any group has a label without an answer, which nothing learns from.
    """

    version: ClassVar[int] = 3
    kind: Literal["alice"] = "alice"
    samples: int = Field(32, ge=1)
    """Responses sampled per question."""
    temperature: float = Field(0.9, gt=0)
    """Sampling temperature."""
    top_p: float = Field(0.95, gt=0, le=1)
    """Nucleus of the sampling distribution."""
    clustering: AnyClustering = Answers()
    """Which responses say the same, and which of them stands for the others."""
    statement: AnyWriter = Template()
    """Who puts the doubt into words."""

    calibration: Literal["none", "isotonic", "platt", "temperature"] = "platt"
    """How the confidence becomes a chance of being right, by samples of `validate`, whose gold is open. It is for the
    report's reliability figures alone: the student is shown counts and words, so `none` saves these samples and changes
    nothing that is learnt (later steps get other names all the same)."""
    stopping: AnyStopping = added(Never())
    """When a question has fewer samples, because its vote is settled. The confidence is then a share of those drawn;
    a vote that stops early is a little too sure of itself, which the calibration, sampled alike, takes back."""

    @model_validator(mode="after")
    def _votes_on_answers(self) -> Self:
        if self.stopping.more(0) is not None and not isinstance(self.clustering, Answers):
            raise ValueError(
                "stopping looks at final answers, and clustering groups responses otherwise: let clustering be "
                "answers, or stopping none"
            )
        return self

    def sampling(self, max_new_tokens: int) -> SamplingConfig:
        return SamplingConfig(
            samples=self.samples, temperature=self.temperature, top_p=self.top_p, max_new_tokens=max_new_tokens
        )

    @property
    def stops(self) -> Stopping:
        return self.stopping

    @property
    def writer(self) -> AnyWriter:
        return self.statement

    @property
    def calibrator(self) -> Method | None:
        return None if self.calibration == "none" else self.calibration

    def label(self, task: Task, example: Example, responses: list[Response]) -> WeakLabel:
        texts = [response.text for response in responses]
        answers = [task.parse(text, example) for text in texts]
        clusters = self.clustering.clusters(task, example, texts, answers)
        # A sample in no group was drawn all the same: left out, a rare answer would be told as a unanimous one.
        ungrouped = len(responses) - sum(len(cluster.members) for cluster in clusters)
        if not clusters:
            return WeakLabel(example.id, texts[0], None, (), ungrouped, 0.0)
        best = clusters[0]
        label = WeakLabel(
            example.id,
            texts[best.leader],
            answers[best.leader],
            tuple((cluster.answer, len(cluster.members)) for cluster in clusters),
            ungrouped,
            len(best.members) / len(responses),
            variants=tuple(texts[cluster.leader] for cluster in clusters[:VARIANTS]),
            wordings=wordings(task, example, texts, clusters),
        )
        if isinstance(self.statement, Written):
            return replace(label, statement=self.statement.statement(task, Doubt.of(example, label)))
        return label
