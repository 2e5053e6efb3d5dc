"""What a pretraining step reads: documents of the corpus as token ids, packed into rows that two fixed shapes hold.

Most documents are short, and attention costs grow with the width of a row, so the short ones lie in narrow rows and
the few long ones in wide rows, whose ends short ones fill. Both shapes are the same at every step, so that a compiled
step compiles twice and no more. The step itself is left to `models.pretrain`.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.utils.data import Dataset

from w2sg.models.tokenizer import recipe_of
from w2sg.tasks.world import corpus

USER_LOSS_EVERY = 32
"""One document in this many is also trained on its user turn, whose numbers and names nobody could predict."""
WIDTHS = (128, 256)
"""Tokens in a narrow and in a wide row; longer documents are left out."""
_STEPS_PACKED = 16
"""Steps whose documents are packed together: the more, the nearer each lot comes to the mean and the fewer find no
place."""
_FILLED = 0.975
"""How full rows are meant to be: short documents are placed last, so without slack only they would be left out."""
_SURVEY = 4000
"""Documents, spread over the later half (the first ones of the corpus are not like the others), that are packed
beforehand to learn how many rows of each width a step should have."""

Tokens = tuple[list[int], list[bool]]


class Steps(Dataset[list[dict[str, torch.Tensor]]]):
    """The micro-batches of every optimizer step, one of narrow and one of wide rows, made when asked for.

    Args:
        tokenizer: a tokenizer of the zoo.
        seed: seed of the corpus.
        documents: how many to draw over all steps.
        places: token places in a step, padding included.
        first: the number of the first document.
    """

    def __init__(self, tokenizer: Any, seed: int, documents: int, places: int, first: int = 0) -> None:
        self.tokenizer, self.seed, self.first = tokenizer, seed, first
        narrow, wide = WIDTHS
        surveyed = self._encode(range(first + documents // 2, first + documents, math.ceil(documents / 2 / _SURVEY)))
        found = fill([len(ids) for ids, _ in surveyed])
        taken = sum(width for width, _ in found)
        self.drawn = max(1, round(_FILLED * places * len(surveyed) / taken))
        share = sum(width == wide for width, _ in found) * wide / taken
        wide_rows = math.ceil(places * share / wide)
        self.rows = (max(1, round((places - wide * wide_rows) / narrow)), wide_rows)
        self.steps = max(1, documents // self.drawn)
        self._packed: tuple[int, list[list[dict[str, torch.Tensor]]]] = (-1, [])

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> list[dict[str, torch.Tensor]]:
        lot, place = divmod(step, _STEPS_PACKED)
        if self._packed[0] != lot:
            each = _STEPS_PACKED * self.drawn
            documents = self.encode(self.first + lot * each, self.first + (lot + 1) * each)
            self._packed = (lot, pack(documents, self.rows, _STEPS_PACKED, self.tokenizer.pad_token_id))
        return self._packed[1][place]

    def encode(self, first: int, last: int) -> list[Tokens]:
        """Return the documents from `first` up to `last`: token ids and which of them the loss falls on."""
        return self._encode(range(first, last))

    def _encode(self, numbers: range) -> list[Tokens]:
        documents = [corpus.document(self.seed, number) for number in numbers]
        inner = self.tokenizer.backend_tokenizer
        texts = [part.text for document in documents for part in document]
        encoded = iter(inner.encode_batch_fast(texts, add_special_tokens=False))
        marks = {
            turn: [inner.encode(text, add_special_tokens=False).ids for text in around]
            for turn, around in recipe_of(self.tokenizer).marks.items()
        }
        found = []
        for number, document in zip(numbers, documents, strict=True):
            ids, counts = [self.tokenizer.bos_token_id], [False]
            for part in document:
                opener, closer = marks[part.turn]
                said = next(encoded).ids + closer
                ids += opener + said
                counts += [True] * len(opener)
                counts += [part.turn != "user" or number % USER_LOSS_EVERY == 0] * len(said)
            found.append(([*ids, self.tokenizer.eos_token_id], [*counts, True]))
        return found


def fill(lengths: list[int], rows: tuple[int, int] | None = None) -> list[tuple[int, list[int]]]:
    """Return rows as (width, numbers of the documents in it): longest first, each into the first row with room.

    Wide rows come before narrow ones. With `rows`, as many of each width as it says (narrow, wide), and documents
    that find no room are left out; without, as many as are needed.
    """
    narrow, wide = WIDTHS
    widths = [wide] * rows[1] + [narrow] * rows[0] if rows else []
    room = list(widths)
    held: list[list[int]] = [[] for _ in widths]
    first = [0] * (wide + 1)  # no row before this one has room for a document of that length
    for number in sorted(range(len(lengths)), key=lambda number: -lengths[number]):
        size = lengths[number]
        if size > wide:
            continue
        row = first[size]
        while row < len(room) and room[row] < size:
            row += 1
        first[size] = row
        if row == len(room):
            if rows:
                continue
            widths.append(wide if size > narrow else narrow)
            room.append(widths[-1])
            held.append([])
        room[row] -= size
        held[row].append(number)
    return list(zip(widths, held, strict=True))


def pack(texts: list[Tokens], rows: tuple[int, int], steps: int, pad: int) -> list[list[dict[str, torch.Tensor]]]:
    """Return the micro-batches of each step, of `rows` narrow and wide rows, from all documents of these steps.

    Rows are dealt out in turn, so that each step gets long and short documents alike.
    """
    found = fill([len(ids) for ids, _ in texts], (rows[0] * steps, rows[1] * steps))
    split = rows[1] * steps
    dealt = [(found[split + step :: steps], found[step:split:steps]) for step in range(steps)]
    return [
        [
            batch([[texts[number] for number in held] for _, held in part], width, pad)
            for part, width in zip(parts, WIDTHS, strict=True)
            if part
        ]
        for parts in dealt
    ]


def batch(rows: list[list[Tokens]], width: int, pad: int) -> dict[str, torch.Tensor]:
    """Return packed rows as tensors: ids, labels and positions of shape (rows, width), and the mask that keeps
    documents apart, (rows, 1, width, width), to be added to the scores of attention. Positions start anew with each
    document; the label is -100 where no loss falls.
    """
    ids, labels, positions, document = [], [], [], []
    for texts in rows:
        ids.append([id for tokens, _ in texts for id in tokens])
        labels.append([id if said else -100 for text in texts for id, said in zip(*text, strict=True)])
        positions.append([place for tokens, _ in texts for place in range(len(tokens))])
        document.append([number for number, (tokens, _) in enumerate(texts) for _ in tokens])
        left = width - len(ids[-1])
        for values, blank in ((ids, pad), (labels, -100), (positions, 0), (document, -1)):
            values[-1] += [blank] * left
    number = torch.tensor(document)
    seen = (number[:, :, None] == number[:, None, :]) & torch.ones(width, width, dtype=torch.bool).tril()
    mask = torch.zeros(len(rows), 1, width, width).masked_fill_(~seen[:, None], -1e4)
    found = {"input_ids": torch.tensor(ids), "labels": torch.tensor(labels), "position_ids": torch.tensor(positions)}
    return {**found, "attention_mask": mask}
