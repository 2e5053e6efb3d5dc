"""What sampling asks of an engine, the part that computes tokens: `decode.branching` or `decode.generic`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from w2sg.decode.config import SamplingConfig
from w2sg.models.base import RuntimeConfig

if TYPE_CHECKING:
    from w2sg.models.hf import LanguageModel


@dataclass(frozen=True, eq=False)
class Branch:
    """One response to be sampled: the prompt's ids, how many tokens it may have, and one uniform number in [0, 1)
    for each of them (none for greedy decoding). Responses to one question share the very same `prompt`."""

    prompt: Sequence[int]
    limit: int
    uniforms: np.ndarray


Tick = Callable[[int, int], None]
"""Called by an engine with (responses finished, tokens sampled) since its last call."""

Engine = Callable[["LanguageModel", Sequence[Branch], SamplingConfig, RuntimeConfig, Tick], list[list[int]]]
"""Samples the tokens of every branch, the stop token included where there is one."""
