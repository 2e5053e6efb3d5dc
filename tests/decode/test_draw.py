"""Drawing tokens from logits, with probabilities chosen by hand."""

from __future__ import annotations

import pytest
import torch

from w2sg.decode.config import SamplingConfig
from w2sg.decode.draw import pick, pick_rows

LOGITS = torch.tensor([0.2, 0.5, 0.0001, 0.2999]).log()


def drawn(uniforms: list[float], **settings: float) -> list[int]:
    config = SamplingConfig(**{"temperature": 1.0, **settings})  # type: ignore[arg-type]
    return pick(LOGITS.repeat(len(uniforms), 1), torch.tensor(uniforms), config).tolist()


def test_the_cumulative_distribution_runs_in_the_order_of_ids() -> None:
    assert drawn([0.0, 0.19, 0.21, 0.69, 0.70005, 0.71, 0.999]) == [0, 0, 1, 1, 2, 3, 3]


def test_the_last_number_below_one_draws_a_token_that_can_be_drawn() -> None:
    tail = torch.tensor([[0.5, 0.5, 0.0, 0.0]]).log()
    last = torch.tensor([1 - 2**-53], dtype=torch.float64)  # 1.0 in float32
    assert pick(tail, last, SamplingConfig(temperature=1.0)).tolist() == [1]


def test_greedy_takes_the_first_of_equals() -> None:
    assert pick(torch.tensor([[0.0, 2.0, 2.0]]), torch.zeros(1), SamplingConfig()).tolist() == [1]


def test_top_k_leaves_the_most_probable() -> None:
    # 0.5 and 0.2999 remain, 0.625 and 0.375 of their sum
    assert drawn([0.0, 0.62, 0.63, 0.99], top_k=2) == [1, 1, 3, 3]
    assert drawn([0.0, 0.99], top_k=1) == [1, 1]
    assert drawn([0.0, 0.999], top_k=100) == [0, 3]


def test_top_p_leaves_the_fewest_that_reach_the_sum() -> None:
    assert drawn([0.0, 0.99], top_p=0.5) == [1, 1]
    assert drawn([0.0, 0.62, 0.63], top_p=0.51) == [1, 1, 3]
    assert drawn([0.0, 0.21, 0.99], top_p=0.9) == [0, 1, 3]


def test_temperature_sharpens() -> None:
    # at temperature 0.5 the shares are squares: .04, .25, 0, .08994 of .37994
    assert drawn([0.104, 0.106, 0.762, 0.764], temperature=0.5) == [0, 1, 1, 3]


@pytest.mark.parametrize("block", [1, 7, 100])
def test_blocks_of_rows_change_nothing(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    hidden, uniforms = torch.randn(23, 5), torch.rand(23)
    config = SamplingConfig(temperature=1.0)
    whole = pick(hidden, uniforms, config)
    monkeypatch.setattr("w2sg.decode.draw._BLOCK_ELEMENTS", 5 * block)
    assert torch.equal(pick_rows(lambda rows: rows, hidden, uniforms, config), whole)
