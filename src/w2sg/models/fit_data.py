"""Training texts as token ids with their weights, the order of batches, and the tensors of a micro-batch.

Batches follow from the settings, the seed and the texts alone: how a batch is cut for memory or shared among
processes is decided later and changes nothing but float rounding. The gradient loop is `models.fit_trainer`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.utils.data

from w2sg.errors import DataError, ModelError
from w2sg.models.fit_config import FitConfig
from w2sg.models.hf import LanguageModel
from w2sg.records import SoftTargets, Target
from w2sg.seeding import stream

POOL = 32
"""Batches whose texts are sorted by length together."""


@dataclass(frozen=True)
class TrainingText:
    """One text as ids. `weights` has one number per response token; `soft` replaces the one-hot targets: token ids and
    probabilities, both (response tokens, K), rows with fewer than K entries filled up with probability 0."""

    id: str
    ids: list[int]
    prompt_length: int
    weights: list[float]
    soft: tuple[np.ndarray, np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class TrainingTexts:
    """All texts that train something, and what was left out: `truncated` responses were cut at the length limit,
    `too_long` texts have a prompt that leaves no room for a response, `weightless` ones weigh nothing."""

    texts: list[TrainingText]
    truncated: int
    too_long: int
    weightless: int


@dataclass(frozen=True)
class MicroBatch:
    """B texts of T tokens, padded on the right: no mask is needed, as a causal model never looks right.

    Packed texts stand in one row (B = 1), one after the other, with `positions` (1, T) that begin anew at each text:
    from those attention knows the borders, and no text sees another.

    `places` are the N flat positions (row * T + column) whose next token carries loss; `token_ids` and
    `probabilities` are their targets (N, K), K = 1 for one-hot ones; `weights` (N).
    """

    ids: torch.Tensor
    places: torch.Tensor
    token_ids: torch.Tensor
    probabilities: torch.Tensor | None
    weights: torch.Tensor
    positions: torch.Tensor | None = None

    def to(self, device: torch.device) -> MicroBatch:
        """Return the batch on `device`."""
        probabilities = None if self.probabilities is None else self.probabilities.to(device, non_blocking=True)
        moved = (self.ids, self.places, self.token_ids, self.weights)
        ids, places, token_ids, weights = (tensor.to(device, non_blocking=True) for tensor in moved)
        positions = None if self.positions is None else self.positions.to(device, non_blocking=True)
        return MicroBatch(ids, places, token_ids, probabilities, weights, positions)


def encode(model: LanguageModel, targets: Sequence[Target], config: FitConfig) -> TrainingTexts:
    """Turn targets into ids and weights, cut at the length limit.

    Raises:
        DataError: there are no targets, all weigh nothing, or one has weights or soft targets that do not fit.
        ModelError: no prompt leaves room for a response.
    """
    if not targets:
        raise DataError("There is nothing to train on: the list of training texts is empty.")
    limit = min(config.max_length, model.max_length)
    vocabulary = model.model.get_input_embeddings().weight.shape[0]
    texts: list[TrainingText] = []
    truncated = too_long = weightless = 0
    for target in targets:
        prompt, response = model.prompt_ids(target.prompt), model.response_ids(target.response)
        weights = _weights(target, len(response))
        soft = None if target.soft is None else _soft_arrays(target.id, target.soft, len(response), vocabulary)
        room = limit - len(prompt)
        if room < 1 or not prompt:
            too_long += 1
        elif not any(weights[:room]):
            weightless += 1
        else:
            truncated += len(response) > room
            texts.append(TrainingText(target.id, (prompt + response)[:limit], len(prompt), weights[:room], soft))
    if not texts and too_long:
        raise ModelError(
            f"None of the {len(targets)} training texts fits: with the limit of {limit} tokens, {too_long} prompts "
            "leave no room for a response. Raise max_length, or choose a model that reads longer texts."
        )
    if not texts:
        raise DataError(f"There is nothing to train on: all {len(targets)} training texts have weight 0.")
    return TrainingTexts(texts, truncated, too_long, weightless)


def _weights(target: Target, length: int) -> list[float]:
    """Return the weight of each response token."""
    own = target.token_weights
    if own and len(own) != length:
        raise DataError(
            f"The training text {target.id!r} has {len(own)} token weights, but its response has {length} tokens "
            "(end token included) under the model's tokenizer. Compute the weights with the student's tokenizer."
        )
    weights = [target.weight * weight for weight in own] if own else [target.weight] * length
    if not all(math.isfinite(weight) and weight >= 0 for weight in weights):
        raise DataError(f"The training text {target.id!r} has a weight that is negative or not a number.")
    return weights


def _soft_arrays(id: str, soft: SoftTargets, length: int, vocabulary: int) -> tuple[np.ndarray, np.ndarray]:
    if len(soft.token_ids) != length or len(soft.probabilities) != length:
        raise DataError(
            f"The training text {id!r} has soft targets for {len(soft.token_ids)} tokens, but its response has "
            f"{length} (end token included) under the model's tokenizer. Compute them with the student's tokenizer."
        )
    widest = max(map(len, soft.token_ids))
    all_ids, all_chances = np.zeros((length, widest), dtype=np.int64), np.zeros((length, widest), dtype=np.float32)
    for place, (ids, probabilities) in enumerate(zip(soft.token_ids, soft.probabilities, strict=True)):
        fits = len(ids) == len(probabilities) and all(0 <= token < vocabulary for token in ids)
        if not fits or min(probabilities, default=-1.0) < 0 or abs(sum(probabilities) - 1) > 1e-3:
            raise DataError(
                f"The training text {id!r} has soft targets at response token {place} that are no distribution over "
                f"the model's {vocabulary} tokens (they sum to {sum(probabilities):.4g})."
            )
        all_ids[place, : len(ids)], all_chances[place, : len(ids)] = ids, probabilities
    return all_ids, all_chances


def batches(lengths: Sequence[int], config: FitConfig, seed: int, epoch: int) -> list[list[int]]:
    """Return the texts' positions, batch by batch, for one pass; every text once, the last batch may be short.

    With `group_by_length`, pools of `POOL` shuffled batches are sorted by length before they are cut, and the
    batches are shuffled again.
    """
    order = stream(seed, "fit-order", epoch).permutation(len(lengths)).tolist()
    size = config.batch_size
    if not config.group_by_length:
        return [order[start : start + size] for start in range(0, len(order), size)]
    cut: list[list[int]] = []
    for start in range(0, len(order), size * POOL):
        pool = sorted(order[start : start + size * POOL], key=lambda place: lengths[place])
        cut += [pool[first : first + size] for first in range(0, len(pool), size)]
    return [cut[place] for place in stream(seed, "fit-batches", epoch).permutation(len(cut)).tolist()]


def schedule(lengths: Sequence[int], config: FitConfig, seed: int) -> list[list[int]]:
    """Return the batches of all epochs, one per optimiser step."""
    per_epoch = math.ceil(len(lengths) / config.batch_size)
    steps = max(1, round(config.epochs * per_epoch))
    found: list[list[int]] = []
    for epoch in range(math.ceil(steps / per_epoch)):
        found += batches(lengths, config, seed, epoch)
    return found[:steps]


def cut(lengths: Sequence[int], sequences: int, tokens: int) -> list[slice]:
    """Cut texts (given longest first) into micro-batches of at most `sequences` texts and `tokens` padded tokens."""
    slices: list[slice] = []
    start = 0
    while start < len(lengths):
        count = max(1, min(sequences, tokens // lengths[start]))
        slices.append(slice(start, min(start + count, len(lengths))))
        start = slices[-1].stop
    return slices


def collate(texts: Sequence[TrainingText], pad_id: int, packed: bool = False) -> MicroBatch:
    """Pad texts on the right, or pack them into one row, and gather the places, targets and weights of their loss.

    The last token predicts nothing and is left out; so are places of weight 0.
    """
    lengths = [len(text) - 1 for text in texts]
    width = max(lengths)
    starts = np.cumsum([0, *lengths[:-1]]) if packed else np.arange(len(texts)) * width
    ids = np.full(sum(lengths) if packed else len(texts) * width, pad_id, dtype=np.int64)
    places: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    next_ids: list[np.ndarray] = []
    kept: list[np.ndarray] = []
    for start, length, text in zip(starts, lengths, texts, strict=True):
        ids[start : start + length] = text.ids[:-1]
        weight = np.asarray(text.weights)
        keep = np.flatnonzero(weight)
        kept.append(keep)
        places.append(start + text.prompt_length - 1 + keep)
        weights.append(weight[keep])
        next_ids.append(np.asarray(text.ids[text.prompt_length :], dtype=np.int64)[keep])
    token_ids = torch.from_numpy(np.concatenate(next_ids))[:, None]
    probabilities = None
    if any(text.soft is not None for text in texts):
        token_ids, probabilities = _soft(texts, kept, token_ids)
    return MicroBatch(
        torch.from_numpy(ids.reshape(1 if packed else len(texts), -1)),
        torch.from_numpy(np.concatenate(places)),
        token_ids,
        probabilities,
        torch.from_numpy(np.concatenate(weights)).float(),
        torch.from_numpy(np.concatenate([np.arange(length) for length in lengths]))[None] if packed else None,
    )


def _soft(
    texts: Sequence[TrainingText], kept: Sequence[np.ndarray], hard: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return targets (N, K) and their probabilities; texts without soft targets keep their token with probability 1."""
    widest = max(text.soft[0].shape[1] for text in texts if text.soft is not None)
    token_ids = hard.repeat(1, widest)
    probabilities = torch.zeros(len(hard), widest)
    probabilities[:, 0] = 1.0
    first = 0
    for text, keep in zip(texts, kept, strict=True):
        rows = slice(first, first + len(keep))
        if text.soft is not None:
            ids, chances = (torch.from_numpy(part[keep]) for part in text.soft)
            token_ids[rows, : ids.shape[1]] = ids
            probabilities[rows] = 0.0
            probabilities[rows, : ids.shape[1]] = chances
        first = rows.stop
    return token_ids, probabilities


@dataclass(frozen=True)
class StepBatches(torch.utils.data.Dataset[list[MicroBatch]]):
    """Optimiser step by optimiser step, one process's micro-batches of the step's batch.

    `steps` holds the batch of every step as positions in `texts`; a micro-batch has at most `sequences` texts and
    `tokens` padded tokens; process `rank` of `world` takes every `world`-th text.
    """

    texts: Sequence[TrainingText]
    steps: Sequence[Sequence[int]]
    pad_id: int
    sequences: int
    tokens: int
    rank: int = 0
    world: int = 1
    packed: bool = False

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, step: int) -> list[MicroBatch]:
        batch = sorted((self.texts[place] for place in self.steps[step]), key=lambda text: (-len(text), text.id))
        mine = batch[self.rank :: self.world]
        if not mine:  # a process without texts still takes part in the exchange of gradients, with weight 0
            idle = collate(batch[-1:], self.pad_id, self.packed)
            return [replace(idle, weights=torch.zeros_like(idle.weights))]
        parts = cut([len(text) for text in mine], self.sequences, self.tokens)
        return [collate(mine[part], self.pad_id, self.packed) for part in parts]

    def total_weight(self, step: int) -> float:
        """Return the sum of all token weights in a step's batch, over all processes."""
        return math.fsum(weight for place in self.steps[step] for weight in self.texts[place].weights)

    def tokens_up_to(self, step: int) -> int:
        """Return the real tokens of the first `step` steps, over all processes."""
        return sum(len(self.texts[place]) for batch in self.steps[:step] for place in batch)
