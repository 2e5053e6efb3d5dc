"""Mixing experts' distributions: worked by hand, and the cases in which nothing is left to mix."""

from __future__ import annotations

import math

import pytest
import torch

from w2sg.models.base import Mixture
from w2sg.models.mixture import doubt, log_mixture, sampling_logits

MIXTURES: tuple[Mixture, ...] = ("probability", "log-linear")


def test_the_weighted_mean_of_probabilities_by_hand() -> None:
    logits = torch.tensor([[0.8, 0.2], [0.1, 0.9]]).log()
    found = log_mixture(logits, torch.tensor([3.0, 1.0]), "probability").exp()
    assert found.tolist() == pytest.approx([(3 * 0.8 + 0.1) / 4, (3 * 0.2 + 0.9) / 4])


def test_the_weighted_geometric_mean_by_hand() -> None:
    logits = torch.tensor([[0.8, 0.2], [0.1, 0.9]]).log() + torch.tensor([[5.0], [-2.0]])  # logits need no scale
    left, right = 0.8**0.75 * 0.1**0.25, 0.2**0.75 * 0.9**0.25
    found = log_mixture(logits, torch.tensor([3.0, 1.0]), "log-linear").exp()
    assert found.tolist() == pytest.approx([left / (left + right), right / (left + right)], rel=1e-5)


def test_the_two_means_differ_in_what_they_choose() -> None:
    """One sure expert wins the arithmetic mean; in the geometric mean the other's near-zero is a veto."""
    logits = torch.tensor([[0.9, 0.1], [0.001, 0.999]]).log()
    weights = torch.tensor([1.3, 1.0])
    assert log_mixture(logits, weights, "probability").argmax() == 0
    assert log_mixture(logits, weights, "log-linear").argmax() == 1


@pytest.mark.parametrize("mixture", MIXTURES)
def test_only_the_ratios_of_weights_matter(mixture: Mixture) -> None:
    logits, weights = torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(0)), torch.tensor([0.2, 1.0, 2.5])
    found = log_mixture(logits, weights, mixture)
    assert found.exp().sum(-1).tolist() == pytest.approx([1.0] * 5)
    assert torch.allclose(log_mixture(logits, 40 * weights, mixture), found, atol=1e-6)


@pytest.mark.parametrize("mixture", MIXTURES)
def test_equal_experts_are_each_of_them(mixture: Mixture) -> None:
    logits = torch.randn(1, 4, 9, generator=torch.Generator().manual_seed(1)).expand(3, 4, 9)
    found = log_mixture(logits, torch.tensor([0.3, 7.0, 1.0]), mixture)
    assert torch.allclose(found, logits[0].log_softmax(-1), atol=1e-6)


def test_what_one_expert_excludes_the_mean_keeps() -> None:
    logits = torch.tensor([[0.0, -math.inf], [0.0, 0.0]])
    assert log_mixture(logits, torch.ones(2), "probability").exp().tolist() == pytest.approx([0.75, 0.25])
    assert log_mixture(logits, torch.ones(2), "log-linear").exp().tolist() == [1.0, 0.0]


@pytest.mark.parametrize("mixture", MIXTURES)
def test_sampling_mixes_alike(mixture: Mixture) -> None:
    logits = 5 * torch.randn(3, 5, 7, generator=torch.Generator().manual_seed(0))
    weights = torch.tensor([0.2, 1.0, 2.5], dtype=torch.float64)
    found = sampling_logits(logits, weights, mixture)
    assert torch.allclose(found, log_mixture(logits, weights, mixture), atol=1e-5)


def test_sampling_has_a_least_probability() -> None:
    """What no expert thinks possible stays a number, far below all that is ever drawn."""
    logits = torch.tensor([[0.0, -math.inf], [0.0, -500.0]])
    found = sampling_logits(logits, torch.ones(2), "probability")
    assert found.tolist() == pytest.approx([0.0, math.log(torch.finfo(torch.float32).tiny)])
    assert bool(sampling_logits(logits * math.nan, torch.ones(2), "probability").isnan().all())


def test_half_precision_is_mixed_in_float32() -> None:
    assert log_mixture(torch.zeros(2, 3, dtype=torch.bfloat16), torch.ones(2), "probability").dtype == torch.float32


def test_doubt_by_hand() -> None:
    """Two experts who are sure of different tokens, and two who agree that they do not know."""
    logits = torch.tensor([[[1.0, 0.0], [0.5, 0.5]], [[0.0, 1.0], [0.5, 0.5]]]).log()
    found = doubt(logits, torch.tensor([3.0, 1.0]), "probability")
    half = 0.75 * math.log(4 / 3) + 0.25 * math.log(4)
    assert found.entropy.tolist() == pytest.approx([half, math.log(2)])
    assert found.divergence.tolist() == pytest.approx(
        [half, 0.0], abs=1e-6
    )  # the sure experts have no entropy of their own
    assert found.dissent.tolist() == pytest.approx([0.25, 0.0])


def test_divergence_is_the_entropy_that_the_experts_lack() -> None:
    logits = torch.randn(3, 6, 8, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    weights = torch.tensor([0.5, 2.0, 1.0], dtype=torch.float64)
    own = torch.distributions.Categorical(logits=logits).entropy()
    found = doubt(logits, weights, "probability")
    assert torch.allclose(found.divergence, found.entropy - (own * weights[:, None]).sum(0) / weights.sum())


@pytest.mark.parametrize("mixture", MIXTURES)
def test_equal_experts_do_not_disagree(mixture: Mixture) -> None:
    logits = torch.randn(1, 4, 9, generator=torch.Generator().manual_seed(1)).expand(2, 4, 9)
    found = doubt(logits, torch.tensor([0.3, 7.0]), mixture)
    assert found.divergence.tolist() == pytest.approx([0.0] * 4, abs=1e-6)
    assert found.dissent.tolist() == [0.0] * 4
