"""The parts of `results.json` about ensembles that are made in rounds: what each round measured, where the weight went,
and how alike the experts' errors are."""

from __future__ import annotations

from typing import Literal

from w2sg.ensemble.config import Errors, Measured
from w2sg.report.schema import Part


class SeedRound(Part):
    """One round with one seed: the weights that its expert was trained under, and what the expert made of them."""

    seed: int | None
    """The seed."""
    number: int
    """Which round, counted from 1."""
    kept: bool
    """Whether its expert is a member of the ensemble; one that is no better than the prior is dropped."""
    error: float
    """The expert's weighted error (epsilon), where errors are measured."""
    prior: float
    """The error that it had to beat."""
    alpha: float
    """The expert's weight in the ensemble, after shrinkage."""
    normaliser: float
    """The sum of all weights after the update, before it was brought back (Z); 1 where nothing is reweighted."""
    effective_size: float
    """Effective sample size of the round's weights, 1 / sum D^2, as a share of the n answer tokens, or questions."""
    heaviest: float
    """Share of all weight on the heaviest 1 % of them."""
    final_answer: float | None
    """Share of all weight on the tokens of final answers; null where questions are weighed."""
    measured: int
    """Answer tokens, or questions, on which the error was measured."""
    mass: float
    """Their share of all weight."""


class RoundRow(Part):
    """One round, means over the seeds that came to it."""

    number: int
    """Which round, counted from 1."""
    seeds: int
    """Seeds in which an expert was trained in this round; boosting may end before."""
    kept: int
    """Seeds in which the expert was kept."""
    error: float
    """Mean of `error` in `by_seed`; so for the others."""
    prior: float
    """Mean prior error."""
    alpha: float
    """Mean weight of the expert."""
    normaliser: float
    """Mean normaliser (Z)."""
    effective_size: float
    """Mean effective sample size, as a share of n."""
    heaviest: float
    """Mean share of weight on the heaviest 1 %."""
    final_answer: float | None
    """Mean share of weight on final answers; null where questions are weighed."""
    mass: float
    """Mean share of weight on what the error was measured on."""
    by_seed: tuple[SeedRound, ...]
    """The seeds one by one."""


class PairRow(Part):
    """How alike two experts' errors on the gold's answer tokens, or questions, are; means over seeds."""

    first: int
    """The round of one."""
    second: int
    """The round of the other."""
    seeds: int
    """Seeds in which both were kept."""
    correlation: float | None
    """Pearson's correlation of the two rows of errors (phi), over all that is weighed; null where in every seed one of
    the two errs everywhere or nowhere."""
    unlearnt: float | None
    """The same over what neither was trained on; null also where that is nothing."""


class EndRow(Part):
    """How far the rounds came with one seed."""

    seed: int | None
    """The seed."""
    trained: int
    """Rounds in which an expert was trained."""
    why: str
    """Why boosting ended then; empty where all rounds that were asked for are made."""


class HeavyToken(Part):
    """One of the heaviest answer tokens, in its text; or one of the heaviest questions, with its whole gold answer as
    the token."""

    id: str
    """The question's id."""
    question: str
    """What the experts were asked, its end where it is long."""
    before: str
    """The gold answer before the token, its end where it is long."""
    token: str
    """The token."""
    after: str
    """The gold answer after it, its beginning where it is long."""
    weight: float
    """Its weight, in multiples of an equal one."""
    wrong: tuple[int, ...]
    """The rounds whose experts get it wrong."""


class PrefixRow(Part):
    """What the first few experts made of the questions of `validate`; means over the seeds that have so many."""

    experts: int
    """How many experts."""
    seeds: int
    """Seeds in which there are so many."""
    kept: int
    """Seeds in which so many were kept."""
    accuracy: float
    """Share of the questions answered correctly. The largest flatters: it was picked as such."""
    unparsed: float
    """Share of the answers that could not be read; they count as wrong."""


class KeptRow(Part):
    """How many experts were kept with one seed."""

    seed: int | None
    """The seed."""
    experts: int
    """How many of the first ones."""
    of: int
    """How many there were."""


class ChoiceRow(Part):
    """How many of an ensemble's first experts were kept, by what every first few made of `validate`."""

    used_by: tuple[str, ...]
    """The methods whose supervisor has the experts so chosen."""
    n: float
    """Questions of validate, mean over seeds."""
    kept: tuple[KeptRow, ...]
    """Seed by seed, how many were kept."""
    prefixes: tuple[PrefixRow, ...]
    """The first expert, the first two, and so on."""


class RoundsRow(Part):
    """The experts that were made in rounds for one ensemble, over all seeds."""

    task: str
    """The task's name."""
    used_by: tuple[str, ...]
    """The methods whose supervisor they are; those that use the first few of them say so."""
    model: str
    """The model that the experts were tuned from."""
    unit: Literal["tokens", "questions"] = "tokens"
    """What is weighed: answer tokens, or, by classifiers, questions."""
    measured: Measured
    """What errors were measured on: all that is weighed, what was not drawn for training, or a part left out of it."""
    errors: Errors
    """Which errors count: all, those on final answers, or those of whole answers generated freely."""
    reweighted: bool
    """Whether each round weighs the errors of the one before (boosting) or draws anew from equal weights (bagging)."""
    asked: int
    """Rounds asked for."""
    n: float
    """How many of them there are, mean over seeds."""
    final_tokens: float | None
    """The share of tokens that belongs to final answers; null where questions are weighed."""
    rounds: tuple[RoundRow, ...]
    """Round by round."""
    ends: tuple[EndRow, ...]
    """Seed by seed, how far the rounds came."""
    pairs: tuple[PairRow, ...]
    """Every two kept experts."""
    correlation: float | None
    """Mean of `pairs`; null where none has one."""
    heaviest_seed: int | None
    """The seed of `heaviest`."""
    heaviest_round: int
    """Its round: the last in which an expert was trained."""
    heaviest: tuple[HeavyToken, ...]
    """The heaviest tokens that this round's expert was trained under, one of each text; empty for equal weights."""
    choices: tuple[ChoiceRow, ...] = ()
    """Where the number of experts was chosen: how, once for each way of asking them."""
