"""What one model has read of many texts, and how it reads on: any number of tokens of any of them in one pass.

Keys and values stand at their positions, so that a text is taken back to an earlier place by reading on from there.
All matrix products are over the tokens alone, without padding; only attention is over rectangles. Which tokens are
read is left to `decode.speculative`, the layers to `decode.llama`.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from w2sg.decode.llama import LlamaForward

_ALL_ROWS_SHARE = 0.5
"""From this share of the texts on, attention is over all of them: picking some copies their keys and values."""
_SCORES = 1 << 22
"""Attention scores held at once."""


class Reader:
    """One model's keys and values of `rows` texts.

    Args:
        forward: a single model, or one expert.
        rows: how many texts.
    """

    def __init__(self, forward: LlamaForward, rows: int) -> None:
        self.forward = forward
        self.read = np.zeros(rows, dtype=np.int64)
        """How many tokens of each text are read."""
        shape = len(forward.layers), 2, rows, 0, forward.kv_heads, forward.head_dim
        self._cache = torch.zeros(shape, dtype=forward.dtype, device=forward.device)

    def advance(self, tokens: np.ndarray, rows: np.ndarray, ends: np.ndarray, wanted: np.ndarray) -> Tensor:
        """Read texts up to their ends, and return the final hidden states of the last tokens, text after text.

        Args:
            tokens: the tokens of all texts, of shape (text, position).
            rows: which texts to read, in rising order.
            ends: for each of them, how many of its tokens are to be read then; more than have been.
            wanted: for each of them, of how many last tokens the hidden states are wanted, of those read now.
        """
        starts = self.read[rows]
        counts = ends - starts
        own = np.repeat(np.arange(len(rows)), counts)
        offsets = np.arange(len(own)) - np.repeat(np.cumsum(counts) - counts, counts)
        positions = starts[own] + offsets
        self._reserve(int(ends.max()))
        attend = _Attention(self, rows, starts, own, offsets, int(counts.max()), int(ends.max()))
        last = offsets >= (counts - wanted)[own]
        kept = None if last.all() else self._put(np.flatnonzero(last))
        hidden = self.forward.extend(self._put(tokens[rows[own], positions]), self._put(positions), attend, kept)
        self.read[rows] = ends
        return hidden

    def select(self, rows: np.ndarray) -> None:
        """Keep the given texts, in that order; a text may be taken several times."""
        self.read = self.read[rows]
        self._cache = self._cache[:, :, self._put(rows)]

    def store(self, layer: int, slots: Tensor, k: Tensor, v: Tensor) -> None:
        """Put tokens' keys and values (token, head, dimension) in their `slots`: text times capacity plus position."""
        for kept, fresh in zip(self._cache[layer], (k, v), strict=True):
            kept.view(-1, *kept.shape[2:]).index_copy_(0, slots, fresh)

    def part(self, layer: int, longest: int) -> Tensor:
        """Return a layer's keys and values of the first positions, (2, text, head, position, dimension)."""
        return self._cache[layer, :, :, :longest].transpose(2, 3)

    @property
    def capacity(self) -> int:
        """For how many tokens of each text there is room."""
        return self._cache.shape[3]

    def _reserve(self, length: int) -> None:
        """Make room for texts of so many tokens."""
        if length > self.capacity:
            wider = max(length + 32, self.capacity * 3 // 2)
            self._cache = F.pad(self._cache, (0, 0, 0, 0, 0, wider - self.capacity))

    def _put(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(self.forward.device)


class _Attention:
    """One pass's attention: where its tokens stand, and what they may see."""

    def __init__(
        self,
        reader: Reader,
        rows: np.ndarray,
        starts: np.ndarray,
        own: np.ndarray,
        offsets: np.ndarray,
        width: int,
        longest: int,
    ) -> None:
        self._reader, self._width, self._longest = reader, width, longest
        texts = len(reader.read)
        self._rows = None if len(rows) > _ALL_ROWS_SHARE * texts else torch.from_numpy(rows).to(reader.forward.device)
        places, first = own, starts
        if self._rows is None:
            places, first = rows[own], np.zeros(texts, dtype=np.int64)
            first[rows] = starts
        self._count = len(first)
        device, dtype = reader.forward.device, reader.forward.dtype
        slots = places * width + offsets
        self._slots = None if len(slots) == self._count * width else torch.from_numpy(slots).to(device)
        self._stored = torch.from_numpy(rows[own] * reader.capacity + starts[own] + offsets).to(device)
        seen = torch.from_numpy(first[:, None] + np.arange(width)).to(device)
        beyond = torch.arange(longest, device=device) > seen[..., None]
        mask = torch.zeros(beyond.shape, dtype=dtype, device=device).masked_fill_(beyond, -torch.inf)
        self._shared = reader.forward.heads // reader.forward.kv_heads
        self._mask = mask.repeat(1, self._shared, 1)[:, None]

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Store the tokens' keys and values, and return what they attend to."""
        forward = self._reader.forward
        self._reader.store(layer, self._stored, k, v)
        cached = self._reader.part(layer, self._longest)
        keys, values = cached if self._rows is None else cached[:, self._rows]
        flat = q.reshape(len(q), -1)
        if self._slots is not None:
            flat = flat.new_zeros(self._count * self._width, flat.shape[1]).index_copy_(0, self._slots, flat)
        asked = flat.view(self._count, self._width, forward.kv_heads, self._shared, forward.head_dim)
        asked = asked.permute(0, 2, 3, 1, 4).reshape(self._count, forward.kv_heads, -1, forward.head_dim)
        drawn = self._drawn(asked, keys, values).view(
            self._count, forward.kv_heads, self._shared, self._width, forward.head_dim
        )
        drawn = drawn.permute(0, 3, 1, 2, 4).reshape(self._count * self._width, -1)
        return drawn if self._slots is None else drawn[self._slots]

    def _drawn(self, asked: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Return what queries draw from values, all of shape (text, head, query or position, dimension)."""
        scale, (texts, heads, queries, _) = self._reader.forward.scale, asked.shape
        if texts * heads * queries * self._longest > _SCORES:
            return F.scaled_dot_product_attention(asked, keys, values, attn_mask=self._mask, scale=scale)
        # Of short texts written out, at a third of the time.
        scores = torch.matmul(asked * scale, keys.transpose(2, 3))
        return torch.matmul(scores.add_(self._mask).softmax(-1), values)
