"""Boosting of classifiers: one weight per item, the same arithmetic as on tokens.

With two classes and the prior `none` it is AdaBoost (Freund and Schapire 1997) as EnsemW2S, section 2, uses it; with
the prior `classes` it is SAMME (Zhu et al. 2009).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from w2sg.ensemble.config import BoostingConfig
from w2sg.ensemble.distribution import Bits, Floats, Integers, equal_weights
from w2sg.ensemble.draws import draw
from w2sg.ensemble.rounds import Verdict, judge
from w2sg.errors import ConfigError
from w2sg.seeding import stream

Expert = TypeVar("Expert")


@dataclass(frozen=True)
class Boosted(Generic[Expert]):
    """The experts that were kept, their weights, and the verdict on every round, a dropped one's included."""

    experts: list[Expert]
    weights: list[float]
    rounds: list[Verdict]


def boost(
    train: Callable[[Floats, int], Expert],
    answers: Callable[[Expert], Integers],
    gold: Integers,
    config: BoostingConfig,
    *,
    rounds: int,
    seed: int,
    base_wrong: Bits | None = None,
) -> Boosted[Expert]:
    """Return up to `rounds` boosted classifiers.

    Args:
        train: from one weight per item (mean 1 before drawing) and the round's number, counted from 1, to an expert.
        answers: from an expert to its class for each item.
        gold: the right class of each item.
        base_wrong: where the untrained base errs, for the priors that ask for it.

    Raises:
        ConfigError: errors are to be measured on what only generated text has, or the prior asks for a base.
    """
    if config.errors != "all" or config.measured == "held-out" or config.prior == "vocabulary":
        raise ConfigError(
            "Boosted classifiers have one error per item: set errors to all, measure them in-sample or out-of-bag, and "
            "use a prior other than the vocabulary's."
        )
    if base_wrong is None and config.prior.startswith("pretrained"):
        raise ConfigError(f"The prior {config.prior!r} asks for the errors of a base, and there are none.")
    weights, lengths = equal_weights(len(gold)), np.ones(len(gold), dtype=np.int64)
    experts: list[Expert] = []
    verdicts: list[Verdict] = []
    for number in range(1, rounds + 1):
        drawn = draw(weights, lengths, config.draw, config.unit, stream(seed, "boost-draw", number))
        expert = train(drawn.weights, number)
        wrong = np.asarray(answers(expert)) != gold
        verdict = judge(
            config,
            weights,
            lengths,
            wrong=wrong,
            base_wrong=np.zeros_like(wrong) if base_wrong is None else base_wrong,
            measured=drawn.spared if config.measured == "out-of-bag" else np.ones_like(wrong),
        )
        verdicts.append(verdict)
        if verdict.kept:
            experts.append(expert)
        if verdict.ends:
            break
        weights = verdict.weights
    return Boosted(experts, [verdict.alpha for verdict in verdicts if verdict.kept], verdicts)
