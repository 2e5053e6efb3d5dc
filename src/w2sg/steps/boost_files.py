"""What the steps of boosting write: a row per text with the place of its answer tokens, arrays over all answer tokens,
and a round's verdict. Tokens stand text after text, in the order of the rows.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from w2sg.errors import StoreError
from w2sg.records import Row
from w2sg.storage import read_json, read_rows, write_atomic, write_json

ANSWERS = "answers.jsonl"  # steps.answer_tokens
ARRAYS = "arrays.npz"  # steps.answer_tokens, steps.boost
ROUND = "round.json"  # steps.boost


@dataclass(frozen=True, slots=True)
class Answer(Row):
    """The answer of one training text, in tokens, the end token included.

    `tokens` is how many there are, `counted` how many lie within the length limit (the others are not learnt, and have
    no weight), `before` how many of those come before the final answer, `right` whether the base model's own greedy
    answer is right (None where it was not asked).
    """

    id: str
    tokens: int
    counted: int
    before: int
    right: bool | None = None


def read_answer_rows(folder: Path) -> list[Answer]:
    """Return the rows of an answer-tokens step."""
    return read_rows(folder / ANSWERS, Answer)


def final_answers(rows: Sequence[Answer]) -> NDArray[np.bool_]:
    """Return which of the counted tokens of all texts belong to a final answer."""
    return np.concatenate([np.arange(row.counted) >= row.before for row in rows])


def write_arrays(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write the arrays, atomically and to the same bytes each time."""
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    write_atomic(folder / ARRAYS, content.getvalue())


def read_arrays(folder: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays that a step wrote.

    Raises:
        StoreError: the file is missing or damaged.
    """
    path = folder / ARRAYS
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError) as error:
        raise StoreError(
            f"The arrays {str(path)!r} cannot be read: {error}. Delete their folder and run again."
        ) from None


def write_round(folder: Path, verdict: Mapping[str, Any]) -> None:
    """Write a round's verdict."""
    write_json(folder / ROUND, dict(verdict))


def read_round(folder: Path) -> dict[str, Any]:
    """Return a round's verdict: the fields of `ensemble.rounds.Verdict` but the weights, `number`, whether it is beyond
    the experts asked for (`spare`), whether it had nothing to do (`idle`; then of the verdict only `kept`, `ends` and
    `alpha`), and how many experts had failed in the end (`failures`)."""
    found: dict[str, Any] = read_json(folder / ROUND)
    return found


def is_round(folder: Path) -> bool:
    """Whether the folder is that of a round of boosting."""
    return (folder / ROUND).is_file()
