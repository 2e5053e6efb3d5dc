"""When a question has been sampled enough: rules that say whether the vote of its samples so far is settled.

A rule sees the answers alone, in sampling order. Drawing in rounds until a rule is content is `steps.rounds`'.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from w2sg.config import Part
from w2sg.elicit.clusters import Cluster, cluster_by_answer
from w2sg.registry import Registry
from w2sg.tasks.base import Task

STOPPINGS = Registry(
    "stopping-rules",
    {
        "none": "w2sg.elicit.stopping:Never",
        "posterior": "w2sg.elicit.stopping:Posterior",
        "top-two": "w2sg.elicit.stopping:TopTwo",
    },
)
"""The rules that stop sampling, by the `kind` of their settings."""


class Stopping(Part):
    """Base of the rules."""

    def more(self, drawn: int) -> int | None:
        """Return how many samples are drawn before the next decision, when `drawn` are there; None where there is
        nothing to decide, so that all are drawn at once."""
        return None

    def looks(self, samples: int) -> Iterator[int]:
        """Yield how many samples there are at every decision, `samples` the last."""
        drawn = 0
        while drawn < samples:
            drawn = min(drawn + (self.more(drawn) or samples), samples)
            yield drawn

    @abstractmethod
    def settled(self, task: Task, answers: Sequence[str | None], samples: int) -> bool:
        """Whether the vote needs no more samples.

        Args:
            answers: `task.parse` of each sample, in sampling order; None where it cannot be read.
            samples: how many there may be.
        """


class Never(Stopping):
    """Draw all samples of every question."""

    kind: Literal["none"] = "none"

    def settled(self, task: Task, answers: Sequence[str | None], samples: int) -> bool:
        return len(answers) >= samples


class Sequential(Stopping):
    """Base of the rules that look at the vote after every round and stop at a stated risk. A vote without a single
    readable answer is never settled, as one more sample could decide it."""

    error: float = Field(0.02, ge=0, lt=0.5)
    """The risk at which a question is settled."""
    round: int = Field(4, ge=1)
    """Samples drawn before the first decision, and between two; a quarter of those there are, where that is more, so
    that few rounds are spent on the last questions."""

    def more(self, drawn: int) -> int:
        return max(self.round, drawn // 4)

    @abstractmethod
    def risk(self, clusters: Sequence[Cluster], drawn: int, samples: int) -> float:
        """Return the chance, in [0, 1], that the leader of a vote is not the one to settle on.

        Args:
            clusters: the samples so far by answer, as `cluster_by_answer` gives them, at least one.
            drawn: how many samples there are, unreadable ones included.
            samples: how many there may be.
        """

    def settled(self, task: Task, answers: Sequence[str | None], samples: int) -> bool:
        if len(answers) >= samples:
            return True
        clusters = cluster_by_answer(task, answers)
        return bool(clusters) and self.risk(clusters, len(answers), samples) <= self.error


class Posterior(Sequential):
    """Stop when the leader so far will lead the vote of all `samples`, but for the chance `error`.

    For every rival the shares of leader, rival and all else have a uniform (Dirichlet) prior, the samples so far make
    it the posterior, and the samples left are drawn from that; the chances that a rival ends ahead are added up, and
    so bound the chance that any does. Answers not seen yet are one rival with no vote, ahead of each of them. Equal
    counts go to the answer seen first, as in the vote. The chance is one over questions under that prior, not a bound
    for each question. With the error 0 a question ends only where the samples left cannot change the leader.
    """

    kind: Literal["posterior"] = "posterior"

    def risk(self, clusters: Sequence[Cluster], drawn: int, samples: int) -> float:
        leader, *rivals = clusters
        votes, left = len(leader.members), samples - drawn
        chances = [chance_ahead(votes, 0, drawn - votes, left, wins_ties=False)]
        for rival in rivals:
            count = len(rival.members)
            first = rival.members[0] < leader.members[0]
            chances.append(chance_ahead(votes, count, drawn - votes - count, left, wins_ties=first))
        return min(1.0, sum(chances))


class TopTwo(Sequential):
    """Stop when the most frequent answer is also the most probable one, against the second most frequent alone, but
    for the chance `error`: the stopping rule of adaptive consistency (Aggarwal et al. 2023, "Let's Sample Step by
    Step", section 3, with the Beta distribution), whose authors take 0.05.

    It asks for the model's likeliest answer, not for the vote of all `samples`, and other rivals are not counted.
    """

    kind: Literal["top-two"] = "top-two"
    error: float = Field(0.05, ge=0, lt=0.5)
    """The risk at which a question is settled."""

    def risk(self, clusters: Sequence[Cluster], drawn: int, samples: int) -> float:
        first, second = (len(cluster.members) for cluster in (*clusters, Cluster("", (), 0))[:2])
        return chance_less_probable(first, second)


@lru_cache(maxsize=1 << 16)
def chance_less_probable(first: int, second: int) -> float:
    """Return the posterior probability that an answer given `first` times is less probable than one given `second`
    times, of two whose shares have a uniform prior: the Beta(first + 1, second + 1) distribution up to 1/2."""
    from scipy.special import betainc

    return float(betainc(first + 1, second + 1, 0.5))


@lru_cache(maxsize=1 << 16)
def chance_ahead(leader: int, rival: int, rest: int, left: int, *, wins_ties: bool) -> float:
    """Return the posterior predictive probability that `rival` has more votes than `leader` after `left` more samples,
    or as many, where it `wins_ties`.

    The shares of leader, rival and the rest have a uniform prior and multinomial counts, so that the votes among the
    `left` samples that fall to either of the two are beta-binomial, and of those again the rival's.

    Args:
        leader, rival, rest: samples so far that gave the leader's answer, the rival's, and neither.
    """
    if not left:
        return float(rival > leader or (wins_ties and rival == leader))
    either = np.arange(left + 1)[:, None]  # of the samples left, how many fall to leader or rival
    gained = np.arange(left + 1)[None, :]  # of these, how many to the rival
    margin = rival + gained - (leader + either - gained)
    ahead = (gained <= either) & ((margin >= 0) if wins_ties else (margin > 0))
    if not ahead.any():
        return 0.0
    weight = _beta_binomial(np.full_like(either, left), either, leader + rival + 2, rest + 1)
    share = _beta_binomial(either, np.minimum(gained, either), rival + 1, leader + 1)
    return float((weight * np.where(ahead, share, 0.0)).sum())


def _beta_binomial(trials: NDArray[np.int64], hits: NDArray[np.int64], a: float, b: float) -> NDArray[np.float64]:
    """Return the probability of `hits` in `trials`, when each is a hit with a chance that is Beta(a, b)."""
    from scipy.special import betaln, gammaln

    ways = gammaln(trials + 1) - gammaln(hits + 1) - gammaln(trials - hits + 1)
    probability: NDArray[np.float64] = np.exp(ways + betaln(hits + a, trials - hits + b) - betaln(a, b))
    return probability
