"""An ensemble of experts that are made one after the other, each trained on the answer tokens that those before it got
wrong: EnsemW2S (Agrawal et al. 2024, arXiv 2410.04571, section 3)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from w2sg.config import added
from w2sg.decode.config import SamplingConfig
from w2sg.ensemble.config import EXPERTS, BoostingConfig
from w2sg.errors import ConfigError
from w2sg.models.base import Mixture, ModelConfig
from w2sg.models.fit_config import FitConfig
from w2sg.recipes.gold import gold_targets
from w2sg.seeding import derive
from w2sg.steps.answer_tokens import answer_tokens_step
from w2sg.steps.base import Step
from w2sg.steps.boost import BoostSettings, boost_step, expert_seed
from w2sg.steps.cast import Cast
from w2sg.steps.choose import choose_step
from w2sg.steps.ensemble import Weights, ensemble_step
from w2sg.steps.model import ModelRef, Node
from w2sg.steps.sample import sample_step
from w2sg.steps.task import laid_out
from w2sg.supervisors.base import Writer


class Boosted(Writer):
    """Experts boosted on the gold of `supervise`, as one model. Fewer experts are the first of more, and cost nothing
    once those are made."""

    kind: Literal["boosted"] = "boosted"
    experts: int = Field(EXPERTS, ge=1, le=999)
    """The most experts; there are fewer when boosting ends before."""
    boosting: BoostingConfig = BoostingConfig()
    """How errors decide what counts."""
    weights: Weights = "alpha"
    """How experts count: by their weights from boosting, or all the same (`uniform`)."""
    mixture: Mixture = "probability"
    """How the experts' next-token distributions are mixed."""
    model: ModelConfig | None = None
    """The base of the experts; the experiment's teacher when not given."""
    fit: FitConfig | None = None
    """How experts are tuned (with `lora`: adapters on one base); as the teacher when not given."""
    warm: bool = False
    """Train every expert from the one before it, instead of from the base."""
    choose: Literal["all", "validate"] = added("all")
    """How many of the experts answer: all, or as many first ones as get the most questions of `validate` right (of
    equals the fewest)."""
    retries: int = added(0, ge=0, le=999)
    """How many experts, in all, may turn out no better than the prior before boosting ends; each is replaced by one
    from another seed."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self.boosting.reweight and (self.weights == "alpha" or self.warm):
            raise ValueError("without reweighting experts are made apart and count the same: set weights to 'uniform'")
        if self.choose == "validate" and self.answers != "text":
            raise ValueError(
                "how many experts to keep is chosen by what they write, and here they choose among options (answers): "
                "set choose to 'all', or answers to 'text'"
            )
        if self.retries and not self.boosting.reweight:
            raise ValueError("without reweighting every expert is kept, so there is nothing to retry: set retries to 0")
        if self.retries and self.warm:
            raise ValueError("after a failed expert there is none to train from: set warm to false, or retries to 0")
        return self

    def made(self, cast: Cast) -> Node:
        ref = cast.teacher
        if self.model is not None:
            ref = ModelRef.of(self.model, cast.teacher.content.get("dtype", "auto"))
        base, fit = Node(ref), self.fit or cast.teacher_fit
        rounds = rounds_of(cast, base, fit, self.boosting, self.experts, self.warm, self.retries)
        what = f"{self.experts} boosted expert{'s' * (self.experts > 1)}, {Path(ref.config.path).name}"
        whole = ensemble_step(base, rounds, self.mixture, self.weights, cast.label(f"ensemble of {what}"))
        if self.choose == "all" or self.experts == 1:
            return whole
        if laid_out(cast.task).config.split.validate == 0:
            raise ConfigError(
                f"How many experts to keep is to be chosen on validate, and the task {cast.name!r} sets "
                "split.validate to 0. Give it a size, or keep all experts (choose: all)."
            )
        greedy = SamplingConfig(max_new_tokens=cast.max_new_tokens, chunk=cast.chunk)
        return choose_step(whole, cast.task, greedy, cast.label(f"how many of {what}, by validate"))


def rounds_of(
    cast: Cast,
    base: Node,
    fit: FitConfig,
    boosting: BoostingConfig,
    count: int,
    warm: bool = False,
    retries: int = 0,
) -> list[Step]:
    """Return the rounds that make `count` experts of `base`: one resting on the other, or, where nothing is reweighted,
    side by side. With `retries` there are as many more; they do nothing unless experts before them failed.

    Raises:
        ConfigError: the base is an ensemble.
    """
    if base.ref.is_ensemble:
        raise ConfigError(
            f"The model {base.ref.config.path!r} is an ensemble, and experts are made from one model. Name one as the "
            "teacher, or use the ensemble as it is (supervisor: teacher)."
        )
    name = Path(base.ref.config.path).name
    targets = gold_targets(cast, "supervise", base)
    sampling, greedy = None, None
    if boosting.errors == "generations":
        sampling = SamplingConfig(max_new_tokens=cast.max_new_tokens, chunk=cast.chunk)
        words = cast.label(f"{name} answers supervise, untuned")
        greedy = sample_step(base, cast.task, ("supervise",), sampling, 0, words)
    words = cast.label(f"{name} reads the answers of supervise")
    answers = answer_tokens_step(base, targets, cast.task, fit.max_length, words, greedy)
    rounds: list[Step] = []
    for number in range(1, count + retries + 1):
        settings = BoostSettings(
            model=base.ref,
            fit=fit,
            seed=expert_seed(cast.seed, number),
            boosting=boosting,
            number=number,
            drawing=derive(cast.seed, "boost"),
            sampling=sampling,
            warm=warm,
            retries=retries if rounds else 0,
            spare=max(0, number - count),
        )
        parents = {"task": cast.task, "targets": targets, "answers": answers}
        if rounds and boosting.reweight:
            parents["previous"] = rounds[-1]
        words = cast.label(f"{name}, {'boosted' if boosting.reweight else 'bagged'} expert {number}")
        rounds.append(boost_step(base, parents, settings, words))
    return rounds
