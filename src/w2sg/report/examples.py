"""Test items shown with every method's answer: which to show, and their file beside the page.

The texts come from whoever can open the predictions and the test gold; the page only shows them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from w2sg.records import ItemScore, Row, by_id
from w2sg.report.arms import ArmResult
from w2sg.seeding import derive
from w2sg.storage import read_rows, write_rows

EXAMPLES = "examples.jsonl"


@dataclass(frozen=True, slots=True)
class MethodAnswer(Row):
    """What one arm said to one item; `answer` is the parsed answer, None where none could be read."""

    method: str
    seed: int | None
    text: str
    answer: str | None
    correct: bool


@dataclass(frozen=True, slots=True)
class ItemExample(Row):
    """A test item with its gold answer and what every arm said; `why` says what it was chosen to show."""

    task: str
    id: str
    stratum: str
    question: str
    gold: str
    answers: tuple[MethodAnswer, ...]
    choices: tuple[str, ...] = ()
    difficulty: float | None = None
    why: str = ""

    @classmethod
    def _revive(cls, key: str, value: Any) -> Any:
        if key == "answers":
            return tuple(MethodAnswer.from_dict(answer) for answer in value)
        return tuple(value) if key == "choices" else value


def choose_items(arms: Sequence[ArmResult], task: str, count: int = 6) -> dict[str, str]:
    """Return the ids of up to `count` items of a task that show how teacher and methods differ, and why each does.

    One kind after the other in turn, within a kind in an order that depends on the ids alone; nothing is chosen to
    flatter. Arms of the first seed decide.
    """
    first: dict[str, Mapping[str, ItemScore]] = {}
    controls = {arm.method for arm in arms if arm.task == task and arm.control}
    for arm in arms:
        if arm.task == task and arm.method not in first:
            first[arm.method] = by_id(arm.scores, "scores")
    if not first:
        return {}
    teacher = first.get("teacher", {})
    methods = {name: scores for name, scores in first.items() if name not in controls} or first
    ids = sorted(next(iter(first.values())), key=lambda id: derive(0, task, id))
    kinds = [_chosen(ids, teacher, scores, name) for name, scores in methods.items()]
    shown: dict[str, str] = {}
    for pair in chain.from_iterable(zip_longest(*chain.from_iterable(kinds))):
        if pair is not None and len(shown) < count:
            shown.setdefault(*pair)
    return shown


def _chosen(
    ids: list[str], teacher: Mapping[str, ItemScore], mine: Mapping[str, ItemScore], name: str
) -> list[Iterator[tuple[str, str]]]:
    known = [id for id in ids if id in teacher and id in mine]
    wrong = [id for id in known if not teacher[id].correct]
    copied = [id for id in wrong if mine[id].answer is not None and mine[id].answer == teacher[id].answer]
    return [
        ((id, f"the teacher is wrong and {name} is right") for id in wrong if mine[id].correct),
        ((id, f"{name} repeats the teacher's mistake") for id in copied),
        ((id, f"the teacher is right and {name} is wrong") for id in known if teacher[id].correct > mine[id].correct),
        ((id, "any item") for id in ids),
    ]


def save_examples(examples: Sequence[ItemExample], folder: Path) -> None:
    """Write the examples into a run's folder, where the page looks for them."""
    write_rows(folder / EXAMPLES, examples)


def load_examples(folder: Path) -> list[ItemExample]:
    """Read the examples of a run's folder; none where none were saved."""
    path = folder / EXAMPLES
    return read_rows(path, ItemExample) if path.is_file() else []
