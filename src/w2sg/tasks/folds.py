"""Folds: rows dealt out in parts, so that each can be judged by a model that saw none of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from w2sg.errors import DataError
from w2sg.records import ROLES, TaskRow
from w2sg.seeding import derive
from w2sg.tasks.duplicates import LookAlikes
from w2sg.tasks.splits import components


@dataclass(frozen=True)
class Fold:
    """One part (`held`), the rows that its judge may learn from (`learnt`), and how many rows of other parts it may
    not, because they ask nearly what a held one asks."""

    held: list[TaskRow]
    learnt: list[TaskRow]
    near: int


def fold_numbers(rows: Sequence[TaskRow], count: int, seed: int) -> list[int]:
    """Return the part, counted from 0, of each row. Rows of one group, and rows that ask the same, share a part; these
    are dealt out in the order of a hash of their names, so that the order of the rows does not matter.

    Raises:
        DataError: there are fewer groups than parts.
    """
    component, names = components(rows)
    order = sorted(names, key=lambda number: (derive(seed, "fold", names[number]), names[number]))
    if len(order) < count:
        raise DataError(
            f"There are {len(order)} questions with gold that have nothing to do with one another, and {count} folds. "
            "Lower the number of folds, or give more questions."
        )
    place = {number: position % count for position, number in enumerate(order)}
    return [place[number] for number in component]


def fold_of(rows: Sequence[TaskRow], number: int, count: int, seed: int, *, drop_near: bool) -> Fold:
    """Return part `number` of `count`, and what its judge may learn from.

    Args:
        drop_near: leave out of the learnt rows those that are nearly like a held one (`tasks.duplicates`).

    Raises:
        DataError: there are fewer groups than parts, or nothing is left to learn from.
    """
    parts = fold_numbers(rows, count, seed)
    held = [row for row, part in zip(rows, parts, strict=True) if part == number]
    others = [row for row, part in zip(rows, parts, strict=True) if part != number]
    learnt = others
    if drop_near:
        index, as_held = LookAlikes(row.example for row in rows), ROLES[:1]
        for row in held:
            index.add(row.example, as_held[0])
        learnt = [row for row in others if index.find(row.example, as_held) is None]
    if not learnt:
        raise DataError(
            "Every question of the other parts asks nearly what a question to be rated asks, so there is nothing to "
            "learn from. Set split.near_duplicates to 'exact' where questions resemble each other by design."
        )
    return Fold(held, learnt, len(others) - len(learnt))
