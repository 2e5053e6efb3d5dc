"""The settings of boosting, light enough to be read without numpy. What they do is in the modules beside this one."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from w2sg.config import Config, added

Draw = Literal["mask", "count", "weight"]
Unit = Literal["tokens", "texts"]
Prior = Literal["none", "classes", "vocabulary", "pretrained", "pretrained-reweighted"]
Errors = Literal["all", "critical", "generations"]
Measured = Literal["in-sample", "out-of-bag", "held-out"]

EXPERTS = 5
"""How many experts an ensemble has where nobody says; what controls at equal cost are measured by."""

PUBLISHED = {"draw": "mask", "errors": "all", "measured": "in-sample", "prior": "pretrained", "largest_step": None}
"""The settings of EnsemW2S as far as its sources tell them. That the prior is the base model's error is our reading."""


class BoostingConfig(Config):
    """How an expert's errors decide its weight and what the next expert learns (EnsemW2S, Agrawal et al. 2024). The
    defaults are ours: on small models the published ones end after a round, or leave nothing to weight after three."""

    draw: Draw = "mask"
    """From weights on answer tokens to a loss: as many tokens as there are, drawn with replacement, each drawn one
    counts once (`mask`) or as often as drawn (`count`); or the weights themselves (`weight`), without chance."""
    unit: Unit = "tokens"
    """What is drawn: single tokens, or whole texts by their tokens' mean weight."""
    window: int = Field(1, ge=0)
    """A token's weight is the mean over this many tokens around it in its answer: 1 = its own, 0 = the whole answer."""
    errors: Errors = "all"
    """Where errors count: on all answer tokens after the gold ones before them, on those of the final answer alone
    (`critical`), or on whole answers that the expert generates freely (`generations`)."""
    measured: Measured = "held-out"
    """On what errors are measured: on all that there is, on what was not drawn (`out-of-bag`; heavy tokens seldom are
    not, so that after the first round they count for less than their weight, and errors come out too low), or on a part
    that is left out of the round's training (`held-out`, another part every round, whatever its weights). What is not
    measured keeps its weight."""
    corrected: bool = added(False)
    """Out of bag: let each token stand for as many of its weight as were likely drawn (Hajek 1971), so that heavy ones
    count for their weight in the error. One with a chance below 1 % to be spared stands for a hundred."""
    folds: int = Field(5, ge=2)
    """Into how many parts the texts are cut for `held-out`."""
    prior: Prior = "none"
    """The error that an expert has to beat, and with it its weight: 1/2 (`none`), that of a guess among `classes` or
    among the vocabulary (SAMME), or the base model's own, under equal weights (`pretrained`) or under those of the
    round (`pretrained-reweighted`)."""
    classes: int | None = Field(None, ge=2)
    """How many classes there are, for the prior of that name."""
    shrinkage: float = Field(1.0, gt=0, le=1)
    """Experts' weights, and the steps of the tokens' weights with them, are multiplied by this."""
    largest_step: float | None = Field(1.0, gt=0)
    """The most by which the logarithm of a wrong token's weight grows in a round, before all are normalised; none: as
    much as the expert weighs."""
    largest_weight: float | None = Field(None, ge=1)
    """No token weighs more than this many times the mean."""
    least_gain: float = Field(0.001, ge=0)
    """An expert whose weight is not above this is dropped, and boosting ends."""
    reweight: bool = True
    """Off: every round draws anew from equal weights and every expert is kept, which is bagging."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.corrected and self.measured != "out-of-bag":
            raise ValueError("only errors out of bag are measured by chance: leave corrected out")
        if (self.prior == "classes") != (self.classes is not None):
            raise ValueError("the prior 'classes', and no other, needs the number of `classes`")
        if self.measured == "out-of-bag" and self.draw == "weight":
            raise ValueError("with draw 'weight' every token is learnt, so none is out of bag; use mask or count")
        if self.errors == "generations" and self.measured == "out-of-bag" and self.unit == "tokens":
            raise ValueError(
                "generations are out of bag where whole texts are: set unit to 'texts', or measure them held-out"
            )
        if not self.reweight and self.draw == "weight":
            raise ValueError("without reweighting and without drawing all experts learn the same; use mask or count")
        if self.errors == "generations" and self.prior == "vocabulary":
            raise ValueError("the prior 'vocabulary' is a guess among tokens, and generations are whole answers")
        return self
