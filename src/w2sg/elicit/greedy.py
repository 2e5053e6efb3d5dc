"""The supervisor's single most likely response, taken as it is."""

from __future__ import annotations

from typing import Literal

from w2sg.config import added
from w2sg.decode.config import SamplingConfig
from w2sg.elicit.base import Elicitor
from w2sg.errors import DataError
from w2sg.metrics.certainty import Measure
from w2sg.records import Example, Response, WeakLabel
from w2sg.tasks.base import Task


class Greedy(Elicitor):
    """One greedy response per question, and if asked for, how sure the supervisor's distributions say it is."""

    kind: Literal["greedy"] = "greedy"
    confidence: Literal["none", Measure] = added("none")
    """What the labels' confidence is: there is none; or the `likelihood` of the response, the geometric mean of its
    tokens' probabilities; or the `agreement` of an ensemble's experts, the mean share of their weights whose most
    probable token is the ensemble's."""

    @property
    def measure(self) -> Measure | None:
        return None if self.confidence == "none" else self.confidence

    @property
    def states_confidence(self) -> bool:
        return self.measure is not None

    def sampling(self, max_new_tokens: int) -> SamplingConfig:
        return SamplingConfig(samples=1, temperature=0.0, max_new_tokens=max_new_tokens)

    def label(self, task: Task, example: Example, responses: list[Response]) -> WeakLabel:
        if len(responses) != 1:
            raise DataError(f"A greedy label needs one response, and {example.id!r} has {len(responses)}.")
        text = responses[0].text
        answer = task.parse(text, example)
        histogram = () if answer is None else ((answer, 1),)
        return WeakLabel(example.id, text, answer, histogram, unparsed=int(answer is None))
