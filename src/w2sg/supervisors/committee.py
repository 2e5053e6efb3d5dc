"""Teachers that differ by chance alone, as one model: the controls of boosting, at the same cost."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from w2sg.ensemble.config import BoostingConfig, Unit
from w2sg.models.base import Mixture
from w2sg.models.fit_config import FitConfig
from w2sg.recipes.gold import gold_targets
from w2sg.steps.base import Step
from w2sg.steps.boost import expert_seed
from w2sg.steps.cast import Cast
from w2sg.steps.ensemble import ensemble_step
from w2sg.steps.fit import fit_step
from w2sg.steps.model import Node
from w2sg.supervisors.base import Supervisor
from w2sg.supervisors.boosted import rounds_of


class Committee(Supervisor):
    """Teachers tuned on the gold of `supervise`, all with the same weight."""

    kind: Literal["committee"] = "committee"
    experts: int = Field(5, ge=1, le=999)
    """How many there are."""
    differ: Literal["seed", "texts", "tokens"] = "seed"
    """In what: in the seed of their training, the first being the experiment's teacher; or also in what they learn, as
    many texts or answer tokens as there are, drawn with replacement (bagging)."""
    mixture: Mixture = "probability"
    """How their next-token distributions are mixed."""
    fit: FitConfig | None = None
    """How they are tuned; as the teacher when not given."""

    def node(self, cast: Cast) -> Node:
        base, name, fit = Node(cast.teacher), Path(cast.teacher.config.path).name, self.fit or cast.teacher_fit
        if self.differ == "seed":
            experts, what = self._seeds(cast, base, fit), "seeds"
        else:
            unit: Unit = "texts" if self.differ == "texts" else "tokens"
            boosting = BoostingConfig(draw="count", unit=unit, reweight=False)
            experts, what = rounds_of(cast, base, fit, boosting, self.experts), f"bags of {self.differ}"
        words = cast.label(f"ensemble of {self.experts} {what}, {name}")
        return ensemble_step(base, experts, self.mixture, "uniform", words)

    def _seeds(self, cast: Cast, base: Node, fit: FitConfig) -> list[Step]:
        targets = gold_targets(cast, "supervise", base)
        experts = []
        for number in range(1, self.experts + 1):
            words = cast.label("tune the teacher" if number == 1 else f"tune the teacher, expert {number}")
            tuned = fit_step(base, targets, fit, expert_seed(cast.seed, number), words).tuned
            assert tuned is not None
            experts.append(tuned)
        return experts
