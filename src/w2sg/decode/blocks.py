"""What one model has read of many texts, and how it reads on: any number of tokens of any of them in one pass.

Keys and values stand at their positions, so that a text is taken back to an earlier place by reading on from there.
Texts that begin alike are read once up to where they part, when they are read from their start. All matrix products are
over the tokens alone, without padding; only attention is over rectangles. Where models have their first layers in
common, one of them leaves in a `Trunk` what it made of each token there, and the others begin with that. Which tokens
are read is left to `decode.speculative`, the layers to `decode.llama`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from w2sg.decode.llama import LlamaForward

Places = tuple[Tensor, Tensor]
"""Tokens: the rows of their texts, and their positions."""

_ALL_ROWS_SHARE = 0.5
"""From this share of the texts on, attention is over all of them: picking some copies their keys and values."""
_SCORES = 1 << 22
"""Attention scores held at once, or those of one text where that has more. They are written out, which for short texts
takes a third of the time of torch's fused attention."""


class Trunk:
    """What the first layers that several models have in common made of the texts' tokens.

    Args:
        forward: one of the models.
        depth: how many layers.
        rows: how many texts.
    """

    def __init__(self, forward: LlamaForward, depth: int, rows: int) -> None:
        self.depth = depth
        self._states = torch.zeros(rows, 0, forward.width, dtype=forward.dtype, device=forward.device)

    def reserve(self, length: int) -> None:
        """Make room for so many tokens of each text."""
        if length > self._states.shape[1]:
            self._states = F.pad(self._states, (0, 0, 0, length - self._states.shape[1]))

    def put(self, places: Places, states: Tensor) -> None:
        """Keep what was made of tokens, (token, width)."""
        self._states[places] = states

    def copy(self, places: Places, sources: Places) -> None:
        """Keep for tokens what is kept for others."""
        self._states[places] = self._states[sources]

    def get(self, places: Places) -> Tensor:
        """Return what is kept for tokens."""
        return self._states[places]

    def select(self, rows: Tensor) -> None:
        """Keep the given texts, in that order."""
        self._states = self._states[rows]


class Reader:
    """One model's keys and values of `rows` texts.

    Args:
        forward: a single model, or one expert.
        rows: how many texts.
        trunk: what it has in common with other models, if anything.
        leads: whether it is the one that fills the trunk. The others read only what it has read.
    """

    def __init__(self, forward: LlamaForward, rows: int, trunk: Trunk | None = None, leads: bool = False) -> None:
        self.forward = forward
        self.read = np.zeros(rows, dtype=np.int64)
        """How many tokens of each text are read."""
        self._trunk, self._leads = trunk, leads
        self._first = 0 if trunk is None or leads else trunk.depth
        """The first layer that is its own to compute."""
        shape = len(forward.layers) - self._first, 2, rows, forward.kv_heads, 0, forward.head_dim
        self._cache = torch.zeros(shape, dtype=forward.dtype, device=forward.device)

    def advance(self, tokens: np.ndarray, rows: np.ndarray, ends: np.ndarray, wanted: np.ndarray) -> Tensor:
        """Read texts up to their ends, and return the final hidden states of the last tokens, text after text.

        Args:
            tokens: the tokens of all texts, of shape (text, position).
            rows: which texts to read, in rising order.
            ends: for each of them, how many of its tokens are to be read then; more than have been.
            wanted: for each of them, of how many last tokens the hidden states are wanted, of those read now.
        """
        self._reserve(int(ends.max()))
        starts = self.read[rows]
        shared = None if len(rows) == 1 or starts.any() else _Shared.of(tokens[rows, : ends.max()], ends)
        if shared is None:
            found = self._pass(tokens, _Span(rows, starts, ends), None, *_last(ends, wanted))
        else:
            texts, places = _last(ends, wanted)
            texts = np.argsort(shared.order)[texts]
            span = _Span(rows[shared.order], shared.begins, ends[shared.order])
            found = self._pass(tokens, span, shared.owners, shared.owners[texts, places], places)
        self.read[rows] = ends
        return found

    def select(self, rows: np.ndarray) -> None:
        """Keep the given texts, in that order; a text may be taken several times."""
        self.read = self.read[rows]
        self._cache = self._cache[:, :, self.put(rows)]
        if self._trunk is not None and self._leads:
            self._trunk.select(self.put(rows))

    def layer(self, number: int) -> Tensor:
        """Return a layer's keys and values, of shape (2, text, head, position, dimension)."""
        return self._cache[number - self._first]

    @property
    def capacity(self) -> int:
        """For how many tokens of each text there is room."""
        return self._cache.shape[4]

    def put(self, array: np.ndarray) -> Tensor:
        """Return the array where the model is."""
        return torch.from_numpy(array).to(self.forward.device)

    def slots(self, texts: np.ndarray, positions: np.ndarray) -> Tensor:
        """Return where tokens' keys and values stand among all of a layer, one place for each token and head."""
        heads = np.arange(self.forward.kv_heads)
        return self.put(((texts[:, None] * len(heads) + heads) * self.capacity + positions[:, None]).reshape(-1))

    def _reserve(self, length: int) -> None:
        """Make room for texts of so many tokens."""
        if length > self.capacity:
            wider = max(length, self.capacity * 3 // 2, self.capacity + 32)
            self._cache = F.pad(self._cache, (0, 0, 0, wider - self.capacity))
            if self._trunk is not None:
                self._trunk.reserve(wider)

    def _pass(
        self, tokens: np.ndarray, span: _Span, owners: np.ndarray | None, texts: np.ndarray, places: np.ndarray
    ) -> Tensor:
        """Read the span, and return the final hidden states at `places` of the span's `texts`."""
        firsts = np.cumsum(span.counts) - span.counts
        kept, order = np.unique(firsts[texts] + places - span.begins[texts], return_inverse=True)
        some = None if len(kept) == len(span.own) else self.put(kept)
        positions, attend, trunk = self.put(span.positions), _Attention(self, span, owners), self._trunk
        where, layers = (self.put(span.rows[span.own]), positions), len(self.forward.layers)
        if trunk is not None and not self._leads:
            x, begun = trunk.get(where), trunk.depth
        else:
            x, begun = self.forward.embedded(self.put(tokens[span.rows[span.own], span.positions])), 0
        if trunk is not None and self._leads:
            x, begun = self.forward.extend(x, positions, attend, range(trunk.depth)), trunk.depth
            trunk.put(where, x)
            if owners is not None:
                lent, sources = span.lent(owners)
                offsets = self.put(lent.offsets)
                trunk.copy((self.put(span.rows[lent.own]), offsets), (self.put(sources), offsets))
        hidden = self.forward.extend(x, positions, attend, range(begun, layers), some)
        return hidden if np.array_equal(order, np.arange(len(hidden))) else hidden[self.put(order)]


class _Span:
    """Which tokens of which texts are read: those from `begins` to `ends`."""

    def __init__(self, rows: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> None:
        self.rows, self.begins, self.ends = rows, begins, ends
        self.counts = ends - begins

    @cached_property
    def own(self) -> np.ndarray:
        """For each token, the number of its text."""
        return np.repeat(np.arange(len(self.rows)), self.counts)

    @cached_property
    def offsets(self) -> np.ndarray:
        """For each token, its place among those of its text that are read."""
        firsts = np.cumsum(self.counts) - self.counts
        offsets: np.ndarray = np.arange(len(self.own)) - firsts[self.own]
        return offsets

    @cached_property
    def positions(self) -> np.ndarray:
        """For each token, its place in its text."""
        positions: np.ndarray = self.begins[self.own] + self.offsets
        return positions

    def lent(self, owners: np.ndarray) -> tuple[_Span, np.ndarray]:
        """Return the tokens before those that are read, and for each the row of the text that they are owned by."""
        before = _Span(self.rows, np.zeros_like(self.begins), self.begins)
        return before, self.rows[owners[before.own, before.offsets]]


@dataclass(frozen=True)
class _Shared:
    """What texts have in common."""

    order: np.ndarray
    """The texts as a dictionary has them."""
    begins: np.ndarray
    """Up to where each text, in that order, is like one before it."""
    owners: np.ndarray
    """For each text and position, the first text, in that order, that is the same up to there."""

    @classmethod
    def of(cls, tokens: np.ndarray, ends: np.ndarray) -> _Shared | None:
        """Return what texts, of shape (text, position) with their ends, have in common; None if that is nothing."""
        order = np.lexsort((ends, *tokens.T[::-1]))
        sorted_, ends = tokens[order], ends[order]
        begins = np.zeros(len(order), dtype=np.int64)
        alike = np.cumprod(sorted_[1:] == sorted_[:-1], axis=1).sum(1)
        begins[1:] = np.minimum(alike, np.minimum(ends[1:], ends[:-1]))
        if not begins.any():
            return None
        own = begins[:, None] <= np.arange(tokens.shape[1])
        return cls(order, begins, np.maximum.accumulate(np.where(own, np.arange(len(order))[:, None], 0)))


def _last(ends: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the texts and positions of the last tokens of each text."""
    texts = np.repeat(np.arange(len(ends)), wanted)
    return texts, np.arange(len(texts)) - np.repeat(np.cumsum(wanted) - ends, wanted)


class _Attention:
    """One pass's attention: where its tokens stand, and what they may see.

    Args:
        reader: whose keys and values they add to.
        span: the tokens.
        owners: where texts begin alike, for each text and position the text whose keys and values are also its own.
    """

    def __init__(self, reader: Reader, span: _Span, owners: np.ndarray | None) -> None:
        forward = reader.forward
        self._reader, self._longest = reader, int(span.ends.max())
        rows, own, first, width = span.rows, span.own, span.begins, int(span.counts.max())
        self._stored = reader.slots(rows[own], span.positions)
        self._borrowed = None
        if owners is not None:
            lent, sources = span.lent(owners)
            self._borrowed = reader.slots(rows[lent.own], lent.offsets), reader.slots(sources, lent.offsets)
        self._rows: slice | Tensor = reader.put(rows)
        places, texts = own, len(reader.read)
        if len(rows) > _ALL_ROWS_SHARE * texts:
            self._rows, places, first = slice(None), rows[own], np.zeros(texts, dtype=np.int64)
            first[rows] = span.begins
        self._shape = len(first), forward.kv_heads, forward.heads // forward.kv_heads * width, forward.head_dim
        self._asked, self._drawn = self._arranged(places * width + span.offsets, width)
        seen = reader.put(first[:, None] + np.arange(width))
        beyond = torch.arange(self._longest, device=forward.device) > seen[..., None]
        mask = torch.zeros(beyond.shape, dtype=forward.dtype, device=forward.device).masked_fill_(beyond, -torch.inf)
        texts, _, queries, _ = self._shape
        step = max(1, _SCORES // (forward.kv_heads * queries * self._longest))
        self._blocks = [slice(start, start + step) for start in range(0, texts, step)]
        self._masks = mask if len(self._blocks) > 1 else self._for_heads(mask)

    def _arranged(self, slots: np.ndarray, width: int) -> tuple[Tensor | None, Tensor | None]:
        """Return, for tokens at the slots of a rectangle (text, width), which of their heads' queries stands where in
        (text, kv head, query head of that, place), and the way back; None where it is the order that they are in."""
        texts, kv_heads, shared, _ = self._shape
        heads = kv_heads * shared // width
        if width == 1 and len(slots) == texts:
            return None, None
        token = np.zeros(texts * width, dtype=np.int64)  # padding asks what the first token asks, and is not heard
        token[slots] = np.arange(len(slots))
        asked = token.reshape(texts, 1, width) * heads + np.arange(heads)[:, None]
        text, place = slots // width, slots % width
        drawn = (text[:, None] * heads + np.arange(heads)) * width + place[:, None]
        return self._reader.put(asked.reshape(-1)), self._reader.put(drawn.reshape(-1))

    def _for_heads(self, masks: Tensor) -> Tensor:
        """Return the masks of texts (text, place, position) for each of their heads (text x head, query, position)."""
        _, kv_heads, queries, _ = self._shape
        if masks.shape[1] > 1:  # one place's is broadcast
            masks = masks.repeat(1, queries // masks.shape[1], 1)
        return masks.repeat_interleave(kv_heads, 0)

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Store the tokens' keys and values, and return what they attend to."""
        count, dimension, kept = len(q), self._shape[-1], self._reader.layer(layer)
        for cached, fresh in zip(kept, (k, v), strict=True):
            flat = cached.view(-1, dimension)
            flat.index_copy_(0, self._stored, fresh.reshape(-1, dimension))
            if self._borrowed is not None:
                flat.index_copy_(0, self._borrowed[0], flat[self._borrowed[1]])
        keys, values = kept[:, self._rows, :, : self._longest]
        queries = q.reshape(-1, dimension)
        queries = queries if self._asked is None else queries.index_select(0, self._asked)
        drawn = self._attended(queries.view(self._shape), keys, values).reshape(-1, dimension)
        return (drawn if self._drawn is None else drawn.index_select(0, self._drawn)).view(count, -1)

    def _attended(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Return what queries draw from values, all of shape (text, head, query or position, dimension)."""
        if len(self._blocks) == 1:
            return self._weighed(queries, keys, values, self._masks)
        parts = [
            self._weighed(queries[some], keys[some], values[some], self._for_heads(self._masks[some]))
            for some in self._blocks
        ]
        return torch.cat(parts)

    def _weighed(self, queries: Tensor, keys: Tensor, values: Tensor, masks: Tensor) -> Tensor:
        asked, known = queries.flatten(0, 1), keys.flatten(0, 1).transpose(1, 2)
        scores = torch.baddbmm(masks, asked, known, alpha=self._reader.forward.scale)
        return torch.bmm(scores.softmax(-1), values.flatten(0, 1))
