"""What a model makes of given answers: how likely each token is after the right ones before it, and how many tokens it
holds more likely.

One forward pass over all texts, batched by length; errors of any kind (the most likely token is another one, the right
one is not among the k most likely) follow from the ranks without the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from w2sg.models.base import Progress, RuntimeConfig, silent
from w2sg.models.dialogue import Dialogue
from w2sg.models.fit_data import TrainingText, collate, cut
from w2sg.models.hf import LanguageModel
from w2sg.models.machine import enough_memory, threads
from w2sg.models.places import HeadAtPlaces

_TOKENS_AT_ONCE = {"cpu": 4096, "cuda": 16_384}
_LOGITS_AT_ONCE = 1 << 26


@dataclass(frozen=True)
class Reading:
    """One text's K answer tokens, the end token included: `ranks` (K) counts the tokens that stand before the right
    one in the order of their logits (of equals the first id stands before), so that 0 means that greedy decoding would
    take it; `log_probs` (K) are natural logarithms of the right tokens' probabilities."""

    ranks: NDArray[np.int32]
    log_probs: NDArray[np.float32]

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """Where another token is the most likely one, after the right ones before it."""
        return self.ranks > 0


@torch.inference_mode()
def read_answers(
    model: LanguageModel, texts: Sequence[TrainingText], runtime: RuntimeConfig, progress: Progress = silent
) -> list[Reading]:
    """Return the model's reading of each text's response, whatever the texts' weights are, in the order of the texts.

    Raises:
        ModelError: the memory runs out.
    """
    order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
    rows = [replace(texts[place], weights=[1.0] * _count(texts[place]), soft=None) for place in order]
    tokens = _TOKENS_AT_ONCE.get(model.device.type, _TOKENS_AT_ONCE["cpu"])
    parts = cut([len(row) for row in rows], runtime.micro_batch or len(rows), tokens)
    found: list[Reading | None] = [None] * len(texts)
    head = HeadAtPlaces(model.model)
    try:
        with threads(runtime.threads), enough_memory(f"reading answers with {model.config.path!r}"):
            for part in parts:
                batch = collate(rows[part], model.pad_id).to(model.device)
                logits_NV = head.logits(model.model, batch.ids, batch.places)
                ranks, log_probs = _read(logits_NV, batch.token_ids)
                ends = np.cumsum([0, *(_count(row) for row in rows[part])]).tolist()
                for place, (start, end) in zip(order[part], pairwise(ends), strict=True):
                    found[place] = Reading(ranks[start:end], log_probs[start:end])
                progress(part.stop, len(rows), "reading answers")
    finally:
        head.remove()
    return [reading for reading in found if reading is not None]


def _count(text: TrainingText) -> int:
    return len(text) - text.prompt_length


def _read(logits_NV: torch.Tensor, ids_N1: torch.Tensor) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return ranks and log-probabilities of the right tokens, some rows at a time: float32 logits of a large
    vocabulary are the most memory that the pass needs."""
    rows = max(1, _LOGITS_AT_ONCE // logits_NV.shape[1])
    order_V = torch.arange(logits_NV.shape[1], device=logits_NV.device)
    ranks, log_probs = [], []
    for logits, ids in zip(torch.split(logits_NV, rows), torch.split(ids_N1, rows), strict=True):
        logits = logits.float()
        own = logits.gather(1, ids)
        before = (logits > own) | ((logits == own) & (order_V < ids))
        ranks.append(before.sum(1).int().cpu().numpy())
        log_probs.append((own[:, 0] - logits.logsumexp(1)).cpu().numpy())
    return np.concatenate(ranks), np.concatenate(log_probs)


def tokens_before(dialogue: Dialogue, response: str, place: int) -> int:
    """Return how many of the response's tokens end at or before the character `place`, white space there left to what
    follows it (which many tokenizers put into the next token)."""
    whole, head = dialogue.response_ids(response), dialogue.response_ids(response[:place].rstrip())[:-1]
    same = (own == other for own, other in zip(head, whole, strict=False))
    return next((count for count, equal in enumerate(same) if not equal), len(head))
