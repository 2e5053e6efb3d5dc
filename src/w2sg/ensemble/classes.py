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
from w2sg.ensemble.draws import Drawn, draw
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
    weights = equal_weights(len(gold))
    experts: list[Expert] = []
    verdicts: list[Verdict] = []
    for number in range(1, rounds + 1):
        drawn = drawn_items(config, weights, number=number, seed=seed)
        expert = train(drawn.weights, number)
        wrong = np.asarray(answers(expert)) != gold
        verdict = judge_items(config, weights, drawn, wrong, base_wrong=base_wrong)
        verdicts.append(verdict)
        if verdict.kept:
            experts.append(expert)
        if verdict.ends:
            break
        weights = verdict.weights
    return Boosted(experts, [verdict.alpha for verdict in verdicts if verdict.kept], verdicts)


def drawn_items(config: BoostingConfig, weights: Floats, *, number: int, seed: int) -> Drawn:
    """Return what the expert of round `number`, counted from 1, learns under the items' weights."""
    return draw(weights, _ones(weights), config.draw, config.unit, stream(seed, "boost-draw", number))


def judge_items(
    config: BoostingConfig,
    weights: Floats,
    drawn: Drawn,
    wrong: Bits,
    *,
    base_wrong: Bits | None = None,
    classes: float | None = None,
) -> Verdict:
    """Return the verdict on an expert that learnt `drawn` under `weights` and is `wrong` on these items.

    Args:
        base_wrong: where the untrained base errs, for the priors that ask for it.
        classes: how many classes there are to guess among, in place of the setting's number (`effective_classes`).

    Raises:
        DataError: nothing is measured.
    """
    return judge(
        config,
        weights,
        _ones(weights),
        wrong=wrong,
        base_wrong=np.zeros_like(wrong) if base_wrong is None else base_wrong,
        measured=drawn.spared if config.measured == "out-of-bag" else np.ones_like(wrong),
        chances=drawn.chances,
        classes=classes,
    )


def effective_classes(counts: Integers) -> float:
    """Return K such that a guess is right with probability 1 / K, for items of these numbers of classes: their harmonic
    mean; K itself where all have K."""
    return float(len(counts) / (1 / counts).sum())


def _ones(weights: Floats) -> Integers:
    return np.ones(len(weights), dtype=np.int64)
