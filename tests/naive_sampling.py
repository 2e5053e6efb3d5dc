"""Drawing one token from logits, written from the definition; engines are pinned to it."""

from __future__ import annotations

import numpy as np

from w2sg.decode.config import SamplingConfig


def draw(logits: np.ndarray, uniform: float, config: SamplingConfig) -> int:
    if config.temperature == 0:
        return int(np.argmax(logits))
    scaled = logits / config.temperature
    weights = np.exp(scaled - scaled.max())
    order = np.argsort(-weights, kind="stable")
    kept = order[: config.top_k] if config.top_k else order
    shares = weights[kept] / weights[kept].sum()
    kept = kept[np.concatenate(([0.0], np.cumsum(shares)[:-1])) < config.top_p]
    only = np.zeros_like(weights)
    only[kept] = weights[kept]
    return int(np.searchsorted(np.cumsum(only), uniform * only.sum(), side="right"))
