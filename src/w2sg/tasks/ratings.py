"""Ratings: how hard each question of a task is, as a file that says what was rated, by whom and how.

Who rates is `steps.difficulty`; what a split makes of it is `splits`. A rating belongs to a question with its options
and its gold answer: where one of them has changed, it no longer counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from w2sg.config import Config, canonical
from w2sg.errors import ConfigError, DataError, StoreError
from w2sg.records import TaskRow, by_id
from w2sg.storage import read_json, write_json
from w2sg.tasks.sources import checked_file

Measure = Literal["options", "samples"]
"""How the chance of the right answer is found: exactly, over all options of a choice; or as its share among sampled
answers, where answers are free."""


class Rating(Config):
    """One question's difficulty."""

    id: str
    """The question's id."""
    difficulty: float = Field(ge=0, le=1)
    """1 less the chance that the rater gives the right answer."""
    content: str
    """Digest of the question, its options and its gold answer."""
    fold: int
    """The part of the data, counted from 0, that it lies in: its rater learnt from the others alone."""


class Ratings(Config):
    """What a file of ratings holds."""

    version: Literal[1] = 1
    """The version of this file's form."""
    task: str
    """The kind of the task."""
    measure: Measure
    """How the chance of the right answer was found."""
    rater: str
    """The model that rated, as it was named."""
    rater_content: dict[str, Any]
    """What identifies that model: digests of its files, or Hub id and revision."""
    settings: dict[str, Any]
    """How it was tuned and asked: number of folds, seed, training settings."""
    data: str
    """SHA-256 of all ids and digests."""
    ratings: tuple[Rating, ...]
    """One for every question with gold."""

    def told(self) -> str:
        """Return in a sentence where the difficulties come from."""
        how = "among all options" if self.measure == "options" else "by the share of its sampled answers"
        return (
            f"Difficulty is 1 less the chance of the right answer ({how}) of {self.rater}, tuned on the other parts of "
            f"{self.settings.get('folds')} of the data."
        )


def content_of(row: TaskRow) -> str:
    """Return 16 hexadecimal digits that stand for what is rated: question, options and gold answers."""
    assert row.gold is not None
    parts = [row.example.question, list(row.example.choices), row.gold.answer, list(row.gold.aliases)]
    return hashlib.sha256(canonical(parts).encode("utf-8", "replace")).hexdigest()[:16]


def data_digest(contents: Iterable[tuple[str, str]]) -> str:
    """Return the SHA-256 of (id, digest) pairs, whatever their order."""
    return hashlib.sha256(canonical(sorted(map(list, contents))).encode("utf-8", "replace")).hexdigest()


def write_ratings(path: Path, ratings: Ratings) -> None:
    """Write a file of ratings, atomically."""
    write_json(path, ratings.model_dump(mode="json"))


def read_ratings(path: Path) -> Ratings:
    """Read a file of ratings.

    Raises:
        DataError: it is missing, is no such file, or was changed by hand.
    """
    try:
        found = Ratings.parse(read_json(checked_file(path)), f"The file of ratings {str(path)!r}")
    except (StoreError, ConfigError) as error:
        raise DataError(
            f"The file {str(path)!r} holds no ratings as `w2sg difficulty` writes them: {error} Make it anew, or name "
            "another file in `difficulty_from`."
        ) from None
    if data_digest((rating.id, rating.content) for rating in found.ratings) != found.data:
        raise DataError(
            f"The ratings in {str(path)!r} are not those that were written there: ids or digests were changed. Make "
            "the file anew with `w2sg difficulty`."
        )
    return found


def with_ratings(rows: Sequence[TaskRow], ratings: Ratings, path: Path) -> list[TaskRow]:
    """Return the rows with their rated difficulty in place of their own; rows without gold are left without any.

    Args:
        path: the file of the ratings, for the error's sake.

    Raises:
        DataError: a row with gold has no rating, or its question, options or answer changed since it was rated.
    """
    known = by_id(ratings.ratings, "ratings")
    rated = [row for row in rows if row.gold is not None]
    missing = [row.example.id for row in rated if row.example.id not in known]
    if missing:
        raise DataError(
            f"The ratings in {str(path)!r} know nothing of {len(missing):,} of {len(rated):,} questions, first "
            f"{missing[0]!r}; they are of {len(known):,} questions of the task {ratings.task!r}. Rate this task anew "
            "with `w2sg difficulty`, or name the ratings that belong to it in `difficulty_from`."
        )
    changed = [row.example.id for row in rated if content_of(row) != known[row.example.id].content]
    if changed:
        raise DataError(
            f"{len(changed):,} of {len(rated):,} questions are not as they were when {str(path)!r} was made, first "
            f"{changed[0]!r}: the question, its options or its answer changed. Rate the task anew "
            "with `w2sg difficulty`."
        )

    def difficulty(row: TaskRow) -> float | None:
        return None if row.gold is None else known[row.example.id].difficulty

    return [replace(row, example=replace(row.example, difficulty=difficulty(row))) for row in rows]
