"""How likely a model finds each of a question's options, as whole responses: a language model as a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from w2sg.models.base import Progress, RuntimeConfig, silent
from w2sg.models.scripted import ScriptedModel
from w2sg.records import Prompt

if TYPE_CHECKING:
    from w2sg.models.hf import LanguageModel

_AT_ONCE = 64

Question = tuple[Prompt, Sequence[str]]
"""A prompt, and the responses that stand for its options."""


def option_probabilities(
    model: LanguageModel | ScriptedModel,
    questions: Sequence[Question],
    runtime: RuntimeConfig,
    progress: Progress = silent,
) -> list[NDArray[np.float64]]:
    """Return for each question the probability of each option, given that one of them is the response: p(c | x) over
    the sum of all options' p, where p is the product of the response's token probabilities, the end token's included.
    A script that gives none of them finds all alike.

    Raises:
        ModelError: a text does not fit the model's context, or the memory runs out.
    """
    found: list[NDArray[np.float64]] = []
    for start in range(0, len(questions), _AT_ONCE):
        block = questions[start : start + _AT_ONCE]
        found += [normalised(logs) for logs in _log_probabilities(model, block, runtime)]
        progress(len(found), len(questions), "scoring options")
    return found


def normalised(log_probabilities: Sequence[float]) -> NDArray[np.float64]:
    """Return probabilities that sum to 1, in the ratios that their logarithms tell; equal ones where all are 0."""
    logs = np.asarray(log_probabilities, dtype=np.float64)
    if np.isneginf(logs).all():
        return np.full(len(logs), 1 / len(logs))
    shares = np.exp(logs - logs.max())
    result: NDArray[np.float64] = shares / shares.sum()
    return result


def _log_probabilities(
    model: LanguageModel | ScriptedModel, questions: Sequence[Question], runtime: RuntimeConfig
) -> list[list[float]]:
    if isinstance(model, ScriptedModel):
        with np.errstate(divide="ignore"):
            return [
                [float(np.log(chances.get(option, 0.0))) for option in options]
                for chances, options in ((model.distribution(prompt), options) for prompt, options in questions)
            ]
    from w2sg.decode.score import score

    scores = iter(score(model, [(prompt, option) for prompt, options in questions for option in options], runtime))
    return [[next(scores).total for _ in options] for _, options in questions]
