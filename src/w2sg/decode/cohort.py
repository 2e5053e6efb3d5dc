"""A cohort: responses that started together, with the keys and values they attend to.

All rows of a cohort have the same age, so their caches are dense rectangles without padding or masks. The keys and
values of a prompt are held once and shared by all responses to it: their attention to the prompt is one product
over all of them. Rows that finish are replaced by the last ones, so that no work is spent on them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

_FIRST_CAPACITY = 32


class Cohort:
    """Rows of the same age over the prompts they continue.

    Args:
        prefix: keys and values of the prompts, of shape (layer, 2, prompt, kv head, position, dimension).
        lengths: tokens of each prompt.
        owners: for each row, the number of its prompt.
        names: for each row, what the caller calls it.
    """

    def __init__(self, prefix: Tensor, lengths: Sequence[int], owners: np.ndarray, names: np.ndarray) -> None:
        self._prefix = prefix
        self._lengths = np.asarray(lengths)
        self._owners, self.names = owners, names
        layers, _, _, kv_heads, _, dimension = prefix.shape
        self._suffix = prefix.new_empty(layers, 2, len(owners), kv_heads, _FIRST_CAPACITY, dimension)
        self.age = 0
        self._arrange()
        self._mask_padding()

    @property
    def rows(self) -> int:
        """How many responses are still being sampled."""
        return len(self._owners)

    @property
    def positions(self) -> np.ndarray:
        """The position of each row's next token."""
        positions: np.ndarray = self._lengths[self._owners] + self.age
        return positions

    def attend(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Store one token's keys and values per row, and return what its (scaled) query draws from prompt and
        response so far; all of shape (row, head, dimension), the result flattened to (row, head x dimension)."""
        rows, heads, dimension = q.shape
        kv_heads, seen = k.shape[1], self.age + 1
        suffix = self._suffix[layer]
        suffix[0, :rows, :, self.age] = k
        suffix[1, :rows, :, self.age] = v
        pairs, shared = rows * kv_heads, heads // kv_heads
        own_keys, own_values = suffix[:, :rows, :, :seen].reshape(2, pairs, seen, dimension)
        prefix = self._prefix[layer]
        width = prefix.shape[-2]
        prompt_keys, prompt_values = prefix.view(2, -1, width, dimension)

        q = q.reshape(pairs, shared * dimension)
        asked = self._spread(q).view(prompt_keys.shape[0], -1, dimension)
        to_prompt = torch.baddbmm(self._mask, asked, prompt_keys.transpose(1, 2))
        to_prompt = self._collect(to_prompt.view(-1, shared * width)).view(pairs, shared, width)
        to_own = torch.bmm(q.view(pairs, shared, dimension), own_keys.transpose(1, 2))
        weights = torch.softmax(torch.cat((to_prompt, to_own), -1), -1)

        asked = self._spread(weights[..., :width].reshape(pairs, shared * width))
        from_prompt = torch.bmm(asked.view(prompt_keys.shape[0], -1, width), prompt_values)
        drawn = self._collect(from_prompt.view(-1, shared * dimension)).view(pairs, shared, dimension)
        return drawn.baddbmm(weights[..., width:], own_values).view(rows, heads * dimension)

    def grow(self) -> None:
        """Count the token that every row was just fed."""
        self.age += 1
        capacity = self._suffix.shape[-2]
        if self.age == capacity:
            old = self._suffix[:, :, : self.rows]
            self._suffix = old.new_empty(*old.shape[:-2], 2 * capacity, old.shape[-1])
            self._suffix[..., :capacity, :] = old

    def drop(self, finished: np.ndarray) -> None:
        """Let go of the rows where `finished` is true; the last rows take their places."""
        if not finished.any():
            return
        left = int(len(finished) - finished.sum())
        holes = np.flatnonzero(finished[:left])
        movers = left + np.flatnonzero(~finished[left:])
        for hole, mover in zip(holes.tolist(), movers.tolist(), strict=True):
            self._suffix[:, :, hole, :, : self.age] = self._suffix[:, :, mover, :, : self.age]
        for array in (self._owners, self.names):
            array[holes] = array[movers]
        self._owners, self.names = self._owners[:left], self.names[:left]
        used = np.unique(self._owners)
        if len(used) <= 0.75 * len(self._lengths):
            self._prefix = self._prefix[:, :, torch.from_numpy(used).to(self._prefix.device)]
            self._lengths = self._lengths[used]
            self._owners = np.searchsorted(used, self._owners)
            self._mask_padding()
        if left:
            self._arrange()

    def _arrange(self) -> None:
        """Give every row its place in a rectangle of (prompt, kv head, row of that prompt)."""
        prompts, kv_heads = self._prefix.shape[2:4]
        order = np.argsort(self._owners, kind="stable")
        counts = np.bincount(self._owners, minlength=prompts)
        starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order)) - starts[self._owners[order]]
        widest = int(counts.max())
        places = (self._owners[:, None] * kv_heads + np.arange(kv_heads)) * widest + rank[:, None]
        self._slots = prompts * kv_heads * widest
        places = places.reshape(-1)
        self._in_order = len(places) == self._slots and bool((places == np.arange(self._slots)).all())
        self._places = torch.from_numpy(places).to(self._prefix.device)

    def _spread(self, rows: Tensor) -> Tensor:
        """Put the rows (one per row and kv head) in their places; places without a row hold zeros."""
        if self._in_order:
            return rows
        return rows.new_zeros(self._slots, rows.shape[-1]).index_copy_(0, self._places, rows)

    def _collect(self, places: Tensor) -> Tensor:
        """The inverse of `_spread`."""
        return places if self._in_order else places.index_select(0, self._places)

    def _mask_padding(self) -> None:
        """What is added to scores of prompt positions: nothing, or beyond the end of a prompt a very low number."""
        kv_heads, longest = self._prefix.shape[3:5]
        beyond = torch.from_numpy(np.arange(longest) >= self._lengths[:, None]).to(self._prefix.device)
        mask = self._prefix.new_zeros(beyond.shape).masked_fill_(beyond, torch.finfo(self._prefix.dtype).min)
        self._mask = mask.repeat_interleave(kv_heads, 0)[:, None]
