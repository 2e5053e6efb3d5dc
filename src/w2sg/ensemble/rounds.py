"""One round of boosting after its expert is trained: from its errors to its weight, and to the next round's weights.

Where errors come from is the caller's: answer tokens (`steps.boost`) or whole items (`ensemble.classes`).
"""

from __future__ import annotations

from dataclasses import dataclass

from w2sg.ensemble.config import BoostingConfig
from w2sg.ensemble.distribution import Bits, Floats, Integers, capped, effective_size, heaviest_share, windowed
from w2sg.ensemble.expert_weight import expert_weight, prior_error, standing_for, weighted_error, within_limits
from w2sg.ensemble.update import normaliser, updated
from w2sg.errors import DataError


@dataclass(frozen=True)
class Verdict:
    """What a round amounts to.

    `error` and `prior` are weighted errors on what is `measured` (a count; `mass` is its share of all weight); `alpha`
    is the expert's weight after shrinkage, `step` what the weights of wrong tokens were multiplied by (its logarithm),
    `normaliser` their sum afterwards. `effective_size` (a share of n) and `heaviest` (the weight on the top 1 %) tell
    how uneven the round's own weights were. An expert that is not `kept` is no better than the prior; `ends` says why
    no round can follow, and is empty otherwise. `weights` are those of the next round.
    """

    error: float
    prior: float
    alpha: float
    step: float
    normaliser: float
    measured: int
    mass: float
    effective_size: float
    heaviest: float
    kept: bool
    ends: str
    weights: Floats


def judge(
    config: BoostingConfig,
    weights: Floats,
    lengths: Integers,
    *,
    wrong: Bits,
    base_wrong: Bits,
    measured: Bits,
    chances: Floats | None = None,
    vocabulary: int | None = None,
    classes: float | None = None,
) -> Verdict:
    """Return the verdict on an expert that was trained under `weights`.

    Args:
        lengths: tokens per text, in the order of the weights.
        wrong: where the expert errs.
        base_wrong: where the base model errs, for the priors that ask for it.
        measured: where errors count in this round.
        chances: with which probability each token was to be spared, for the setting `corrected`.
        vocabulary: how many tokens there are, for the prior `vocabulary`.
        classes: how many classes there are, for the prior `classes`; the setting's number when not given.

    Raises:
        DataError: nothing is measured.
    """
    if not (weights[measured] > 0).any():
        raise DataError(
            "Errors cannot be measured in this round: every token was drawn, or there is none of the kind that counts. "
            "Measure them in-sample, use fewer folds, or give more gold."
        )
    scales = standing_for(chances) if config.corrected and chances is not None else None
    error = weighted_error(weights if scales is None else weights * scales, wrong, measured)
    prior = prior_error(
        config.prior,
        weights=weights,
        base_wrong=base_wrong,
        measured=measured,
        scales=scales,
        classes=config.classes if classes is None else classes,
        vocabulary=vocabulary,
    )
    alpha = config.shrinkage * expert_weight(within_limits(error), prior)
    kept = alpha > config.least_gain or not config.reweight
    step = alpha if config.largest_step is None else min(alpha, config.largest_step)
    ends, after = "", weights
    if not config.reweight:
        step = 0.0
    elif not kept:
        ends = f"the expert's weighted error {error:.4f} is no better than the prior's {prior:.4f}"
    elif not (measured & wrong).any() and config.measured == "in-sample":
        ends = "the expert made no error that another could learn from"
    else:
        after = windowed(updated(weights, wrong, step, measured), lengths, config.window)
        after = after if config.largest_weight is None else capped(after, config.largest_weight)
    return Verdict(
        error=error,
        prior=prior,
        alpha=alpha,
        step=step,
        normaliser=normaliser(error, step),
        measured=int(measured.sum()),
        mass=float(weights[measured].sum() / weights.sum()),
        effective_size=effective_size(weights) / len(weights),
        heaviest=heaviest_share(weights),
        kept=kept,
        ends=ends,
        weights=after,
    )
