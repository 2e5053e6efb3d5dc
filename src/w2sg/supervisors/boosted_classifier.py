"""An ensemble of classifiers that are made one after the other, each trained more on the questions that those before it
got wrong: the form of EnsemW2S for questions with options (Agrawal et al. 2024, arXiv 2410.04571, section 2)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from w2sg.ensemble.class_config import ClassBoostingConfig
from w2sg.ensemble.config import EXPERTS
from w2sg.errors import ConfigError
from w2sg.models.base import ModelConfig
from w2sg.models.fit_config import FitConfig
from w2sg.recipes.gold import GoldTargets
from w2sg.seeding import derive
from w2sg.steps.base import Step
from w2sg.steps.boost import expert_seed
from w2sg.steps.boost_classes import ClassBoostSettings, class_boost_step
from w2sg.steps.cast import Cast
from w2sg.steps.ensemble import Weights, ensemble_step
from w2sg.steps.model import Combine, ModelRef, Node
from w2sg.supervisors.base import Supervisor, check_options


class BoostedClassifier(Supervisor):
    """Experts that choose among a question's options by their likelihood, boosted on the gold of `supervise`. They
    learn bare answers, without reasoning. Fewer experts are the first of more, and cost nothing once those are made."""

    kind: Literal["boosted-classifier"] = "boosted-classifier"
    experts: int = Field(EXPERTS, ge=1, le=999)
    """The most experts; there are fewer when boosting ends before."""
    boosting: ClassBoostingConfig = ClassBoostingConfig()
    """How errors decide what counts."""
    weights: Weights = "alpha"
    """How experts count: by their weights from boosting, or all the same (`uniform`)."""
    combine: Combine = "probability"
    """What is summed up over the experts: their probabilities of each option, or their votes."""
    model: ModelConfig | None = None
    """The base of the experts; the experiment's teacher when not given."""
    fit: FitConfig | None = None
    """How experts are tuned (with `lora`: adapters on one base); as the teacher when not given."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.boosting.reweight and self.weights == "alpha":
            raise ValueError("without reweighting experts are made apart and count the same: set weights to 'uniform'")
        return self

    def node(self, cast: Cast) -> Node:
        """Return the ensemble.

        Raises:
            ConfigError: the task's questions have no options, or the base is an ensemble.
        """
        check_options(cast, "Use the supervisor 'boosted', which boosts on answer tokens")
        ref = cast.teacher
        if self.model is not None:
            ref = ModelRef.of(self.model, cast.teacher.content.get("dtype", "auto"))
        if ref.is_ensemble:
            raise ConfigError(
                f"The model {ref.config.path!r} is an ensemble, and experts are made from one model. Name one as the "
                "teacher, or use the ensemble as it is (supervisor: teacher)."
            )
        base, name = Node(ref), Path(ref.config.path).name
        words = cast.label(f"ensemble of {self.experts} boosted classifier{'s' * (self.experts > 1)}, {name}")
        ensemble = ensemble_step(base, self._rounds(cast, base, name), "probability", self.weights, words)
        return replace(ensemble, classifies=self.combine)

    def _rounds(self, cast: Cast, base: Node, name: str) -> list[Step]:
        """Return the rounds, one resting on the other, or, where nothing is reweighted, side by side."""
        gold = GoldTargets(role="supervise", reasoning=False)
        targets = Step("targets", gold, {"task": cast.task}, f"{cast.name} · bare gold of supervise")
        rounds: list[Step] = []
        for number in range(1, self.experts + 1):
            settings = ClassBoostSettings(
                model=base.ref,
                fit=self.fit or cast.teacher_fit,
                seed=expert_seed(cast.seed, number),
                boosting=self.boosting,
                number=number,
                drawing=derive(cast.seed, "boost"),
            )
            parents = {"task": cast.task, "targets": targets}
            if rounds and self.boosting.reweight:
                parents["previous"] = rounds[-1]
            words = cast.label(f"{name}, {'boosted' if self.boosting.reweight else 'bagged'} classifier {number}")
            rounds.append(class_boost_step(base, parents, settings, words))
        return rounds
