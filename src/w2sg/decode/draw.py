"""From logits to tokens: temperature, top-k, top-p, and the inverse of the cumulative distribution."""

from __future__ import annotations

from typing import Any

import torch

from w2sg.decode.config import SamplingConfig
from w2sg.errors import ModelError

_BLOCK_ELEMENTS = 1 << 26
"""Logits handled at once; a large vocabulary times many rows would otherwise take gigabytes."""


def pick(logits_BV: torch.Tensor, uniforms_B: torch.Tensor, config: SamplingConfig) -> torch.Tensor:
    """Return one token per row.

    Greedy (temperature 0): the most probable, of equals the first. Else the first token, in the order of ids, at
    which the cumulative probability exceeds the row's uniform number, after division by the temperature, then top-k,
    then top-p (tokens as probable as the last one kept are kept too).
    """
    if config.temperature == 0:
        return logits_BV.argmax(-1)
    probabilities = torch.softmax(logits_BV.to(_precise(logits_BV.dtype)) / config.temperature, -1)
    if 0 < config.top_k < probabilities.shape[-1]:
        least = probabilities.topk(config.top_k, dim=-1).values[:, -1:]
        probabilities = probabilities.masked_fill(probabilities < least, 0)
    if config.top_p < 1:
        falling = probabilities.sort(-1, descending=True).values
        before = falling.cumsum(-1) - falling
        kept = before < config.top_p * falling.sum(-1, keepdim=True)
        least = falling.masked_fill(~kept, torch.inf).amin(-1, keepdim=True)
        probabilities = probabilities.masked_fill(probabilities < least, 0)
    cumulative = probabilities.cumsum(-1)
    total = cumulative[:, -1:]
    # Rounding may lift u * total to the total itself, past the last token that can be drawn.
    reach = torch.minimum(uniforms_B[:, None].to(total) * total, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulative, reach, right=True).squeeze(-1)


def pick_rows(head: Any, hidden_BH: torch.Tensor, uniforms_B: torch.Tensor, config: SamplingConfig) -> torch.Tensor:
    """Return one token per row of final hidden states; `head(hidden)` gives logits, a block of rows at a time."""
    first = head(hidden_BH[:1])
    block = max(1, _BLOCK_ELEMENTS // first.shape[-1])
    if len(hidden_BH) <= block:
        return pick(head(hidden_BH), uniforms_B, config)
    starts = range(0, len(hidden_BH), block)
    return torch.cat([pick(head(hidden_BH[at : at + block]), uniforms_B[at : at + block], config) for at in starts])


def _precise(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def check_numbers(logits_BV: torch.Tensor) -> None:
    """Check the logits of fresh prompts, so that a model that training has ruined does not answer in silence.

    Raises:
        ModelError: a logit is not a number.
    """
    if bool(logits_BV.isnan().any()):
        raise ModelError(
            "The model's next-token scores hold a value that is not a number: its weights are damaged or its "
            "training diverged. Train again with a lower learning rate, or use another checkpoint."
        )
