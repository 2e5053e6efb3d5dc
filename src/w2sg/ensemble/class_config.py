"""The settings of boosting of classifiers, light enough to be read without numpy. What they do is in
`ensemble.classes`; those of boosting on answer tokens are in `ensemble.config`."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from w2sg.config import Config, added
from w2sg.ensemble.config import BoostingConfig, Draw

PUBLISHED_CLASSES = {"draw": "count", "measured": "in-sample", "largest_step": None}
"""The settings of the authors' code of EnsemW2S. Its switch for weighted losses has no effect, so that it resamples."""


class ClassBoostingConfig(Config):
    """How an expert's errors on whole questions decide its weight and what the next expert learns: SAMME (Zhu et al.
    2009), which with two options is AdaBoost (Freund and Schapire 1997) as EnsemW2S, section 2, has it. The error to
    beat is that of a guess among the options."""

    draw: Draw = "count"
    """From weights on questions to a loss: as many questions as there are, drawn with replacement, each learnt as often
    as drawn (`count`) or once (`mask`); or the weights themselves (`weight`), without chance."""
    measured: Literal["in-sample", "out-of-bag"] = "out-of-bag"
    """On what errors are measured: on all questions, or on those that were not drawn. What is not measured keeps its
    weight. In-sample, an expert that fits its own questions leaves nothing to learn but mistakes in gold."""
    corrected: bool = added(False)
    """Out of bag: let each question stand for as many of its weight as were likely drawn (Hajek 1971), so that heavy
    ones count for their weight in the error. One with a chance below 1 % to be spared stands for a hundred."""
    shrinkage: float = Field(1.0, gt=0, le=1)
    """Experts' weights, and the steps of the questions' weights with them, are multiplied by this."""
    largest_step: float | None = Field(1.0, gt=0)
    """The most by which the logarithm of a wrong question's weight grows in a round, before all are normalised; none:
    as much as the expert weighs."""
    largest_weight: float | None = Field(None, ge=1)
    """No question weighs more than this many times the mean."""
    least_gain: float = Field(0.001, ge=0)
    """An expert whose weight is not above this is dropped, and boosting ends."""
    reweight: bool = True
    """Off: every round draws anew from equal weights and every expert is kept, which is bagging."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.corrected and self.measured != "out-of-bag":
            raise ValueError("only errors out of bag are measured by chance: leave corrected out")
        if self.measured == "out-of-bag" and self.draw == "weight":
            raise ValueError("with draw 'weight' every question is learnt, so none is out of bag; use mask or count")
        if not self.reweight and self.draw == "weight":
            raise ValueError("without reweighting and without drawing all experts learn the same; use mask or count")
        return self

    def arithmetic(self, options: int) -> BoostingConfig:
        """Return the same settings in the form of the common arithmetic, for questions of so many options at most."""
        return BoostingConfig(prior="classes", classes=options, errors="all", **self.model_dump())
