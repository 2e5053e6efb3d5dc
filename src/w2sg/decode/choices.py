"""How likely a model, or an ensemble, finds each of a question's options, as whole responses: a language model as a
classifier.

An ensemble's distributions are mixed token by token, as it is sampled, and an option's score is the sum of the
mixture's log-probabilities: sum_j ln p(c_j | x, c_<j). Mixing what experts hold of whole options is left to
`steps.classify`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from w2sg.models.base import Progress, RuntimeConfig, silent
from w2sg.models.scripted import ScriptedModel
from w2sg.records import Prompt

if TYPE_CHECKING:
    from w2sg.decode.score import TextScore
    from w2sg.models.hf import LanguageModel

_AT_ONCE = 64

Question = tuple[Prompt, Sequence[str]]
"""A prompt, and the responses that stand for its options."""
Normalisation = Literal["none", "tokens", "prior"]
"""What an option's score is: the logarithm of its probability; that divided by the number of its tokens; or that less
the logarithm of its probability after a prompt that does not ask, so that none is favoured for being common."""


def option_probabilities(
    model: LanguageModel | ScriptedModel,
    questions: Sequence[Question],
    runtime: RuntimeConfig,
    progress: Progress = silent,
    normalise: Normalisation = "none",
    prior: Prompt | None = None,
) -> list[NDArray[np.float64]]:
    """Return for each question the probability of each option, given that one of them is the response: p(c | x) over
    the sum of all options' p, where p is the product of the response's token probabilities, the end token's included,
    or what `normalise` makes of it. A script that gives none of them finds all alike.

    Args:
        prior: the prompt that does not ask, for `normalise` of that name.

    Raises:
        ModelError: a text does not fit the model's context, or the memory runs out.
        ValueError: `prior` is to be used and not given.
    """
    if normalise == "prior" and prior is None:
        raise ValueError("scores less those of a prior need the prompt of the prior")
    found: list[NDArray[np.float64]] = []
    for start in range(0, len(questions), _AT_ONCE):
        block = questions[start : start + _AT_ONCE]
        logs = _log_probabilities(model, block, runtime, normalise == "tokens")
        if prior is not None and normalise == "prior":
            unasked = _log_probabilities(model, [(prior, options) for _, options in block], runtime, False)
            logs = [_less(*pair) for pair in zip(logs, unasked, strict=True)]
        found += [normalised(row) for row in logs]
        progress(len(found), len(questions), "scoring options")
    return found


def _less(asked: Sequence[float], unasked: Sequence[float]) -> list[float]:
    """Return the differences of two rows of logarithms; what is impossible when asked stays so."""
    return [one if one == -np.inf else one - other for one, other in zip(asked, unasked, strict=True)]


def normalised(log_probabilities: Sequence[float]) -> NDArray[np.float64]:
    """Return probabilities that sum to 1, in the ratios that their logarithms tell; equal ones where all are 0."""
    logs = np.asarray(log_probabilities, dtype=np.float64)
    if np.isneginf(logs).all():
        return np.full(len(logs), 1 / len(logs))
    shares = np.exp(logs - logs.max())
    result: NDArray[np.float64] = shares / shares.sum()
    return result


def _log_probabilities(
    model: LanguageModel | ScriptedModel, questions: Sequence[Question], runtime: RuntimeConfig, by_token: bool
) -> list[list[float]]:
    """Return the logarithms of the options' probabilities, question by question; with `by_token` their means over the
    tokens, a script's responses being of one."""
    if isinstance(model, ScriptedModel):
        with np.errstate(divide="ignore"):
            return [
                [float(np.log(chances.get(option, 0.0))) for option in options]
                for chances, options in ((model.distribution(prompt), options) for prompt, options in questions)
            ]
    from w2sg.decode.score import score

    scores = iter(score(model, [(prompt, option) for prompt, options in questions for option in options], runtime))
    return [[_value(next(scores), by_token) for _ in options] for _, options in questions]


def _value(found: TextScore, by_token: bool) -> float:
    return found.mean if by_token else found.total
