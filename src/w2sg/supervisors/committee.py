"""Teachers that differ by chance alone, as one model: the controls of boosting, at the same cost."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from w2sg.config import added
from w2sg.ensemble.config import EXPERTS, BoostingConfig, Unit
from w2sg.errors import ConfigError
from w2sg.models.base import Mixture
from w2sg.models.fit_config import FitConfig
from w2sg.recipes.gold import gold_targets
from w2sg.steps.average import average_step
from w2sg.steps.base import Step
from w2sg.steps.boost import expert_seed
from w2sg.steps.cast import Cast
from w2sg.steps.ensemble import ensemble_step
from w2sg.steps.fit import fit_step
from w2sg.steps.model import Node
from w2sg.supervisors.base import Writer
from w2sg.supervisors.boosted import rounds_of


class Committee(Writer):
    """Teachers tuned on the gold of `supervise`, all with the same weight."""

    kind: Literal["committee"] = "committee"
    experts: int = Field(EXPERTS, ge=1, le=999)
    """How many there are."""
    differ: Literal["seed", "texts", "tokens"] = "seed"
    """In what: in the seed of their training, the first being the experiment's teacher; or also in what they learn, as
    many texts or answer tokens as there are, drawn with replacement (bagging)."""
    mixture: Mixture = "probability"
    """How their next-token distributions are mixed."""
    fit: FitConfig | None = None
    """How they are tuned; as the teacher when not given."""
    combine: Literal["answers", "weights"] = added("answers")
    """What is put together: their next-token distributions, or their weights, whose mean is one model that costs what
    one expert costs (adapters are merged into their base)."""
    longer: int = added(1, ge=1, le=999)
    """Tune each so many times as long: `fit`'s epochs times this."""
    wider: int = added(1, ge=1, le=999)
    """Give each adapter so many times the rank, and as many times the alpha, so that its updates keep their scale."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.combine == "weights" and self.mixture != "probability":
            raise ValueError("averaged weights are one model, with nothing to mix: leave mixture out")
        return self

    def made(self, cast: Cast) -> Node:
        base, name, fit = Node(cast.teacher), Path(cast.teacher.config.path).name, self._fit(cast)
        several = "s" * (self.experts > 1)
        if self.differ == "seed":
            experts, what = self._seeds(cast, base, fit), f"seed{several}"
        else:
            unit: Unit = "texts" if self.differ == "texts" else "tokens"
            boosting = BoostingConfig(draw="count", unit=unit, measured="out-of-bag", reweight=False)
            experts, what = rounds_of(cast, base, fit, boosting, self.experts), f"bag{several} of {self.differ}"
        if self.combine == "weights":
            return average_step(base, experts, cast.label(f"mean of the weights of {self.experts} {what}, {name}"))
        words = cast.label(f"ensemble of {self.experts} {what}, {name}")
        return ensemble_step(base, experts, self.mixture, "uniform", words)

    def _fit(self, cast: Cast) -> FitConfig:
        """Return how each is tuned.

        Raises:
            ConfigError: adapters are to be widened and there are none.
        """
        fit = self.fit or cast.teacher_fit
        if self.longer > 1:
            fit = fit.model_copy(update={"epochs": fit.epochs * self.longer})
        if self.wider == 1:
            return fit
        if fit.lora is None:
            raise ConfigError(
                f"An expert is to get an adapter of {self.wider} times the rank (wider), and its fit has no adapter: "
                "every weight is trained. Set lora in teacher_fit, or in the method's supervisor.fit, or leave the "
                "method out."
            )
        wide = {"rank": fit.lora.rank * self.wider, "alpha": fit.lora.alpha * self.wider}
        return fit.model_copy(update={"lora": fit.lora.model_copy(update=wide)})

    def _seeds(self, cast: Cast, base: Node, fit: FitConfig) -> list[Step]:
        targets = gold_targets(cast, "supervise", base)
        experts: list[Step] = []
        how = f", {self.longer} times as long" if self.longer > 1 else ""
        how += f", {self.wider} times the rank" if self.wider > 1 else ""
        for number in range(1, self.experts + 1):
            words = cast.label("tune the teacher" + how + (f", expert {number}" if number > 1 else ""))
            tuned = fit_step(base, targets, fit, expert_seed(cast.seed, number), words).tuned
            assert tuned is not None
            experts.append(tuned)
        return experts
