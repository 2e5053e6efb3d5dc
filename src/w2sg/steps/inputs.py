"""How steps read what their parents wrote: the task's items and gold, responses, labels, targets.

File names are agreed here, once; the files themselves are written by the steps named beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from w2sg.errors import DataError
from w2sg.records import Example, Item, ItemScore, LabelScore, Response, RewriteScore, Role, Target, WeakLabel
from w2sg.storage import read_lines, read_rows

ITEMS = "items.jsonl"  # steps.task
RESPONSES = "responses.jsonl"  # steps.sample
LABELS = "weak_labels.jsonl"  # steps.label
TARGETS = "targets.jsonl"  # steps.targets
MODEL = "model"  # steps.fit: a folder that from_pretrained loads
SCORES = "scores.jsonl"  # steps.score
LABEL_SCORES = "label_scores.jsonl"  # steps.label_score
REWRITE_SCORES = "rewrite_scores.jsonl"  # steps.rewrite_score
SEALED_ACCESS = "sealed-access.jsonl"  # whoever opens sealed gold leaves a line here


def read_items(folder: Path, roles: Iterable[Role]) -> list[Item]:
    """Return the items of the given roles, in the task's order."""
    wanted = set(roles)
    return [item for item in read_rows(folder / ITEMS, Item) if item.role in wanted]


def read_examples(folder: Path, roles: Iterable[Role]) -> list[Example]:
    """Return the examples of the given roles, in the task's order."""
    return [item.example for item in read_items(folder, roles)]


class Examples:
    """The examples of some roles by id, read from a task's folder whenever they are asked for and not held, so that
    memory does not grow with their number.

    Asked for in the task's order, as responses and labels are kept, they cost one reading of the file; an id that
    stands before the last one found costs another.
    """

    def __init__(self, folder: Path, roles: Iterable[Role]) -> None:
        self._folder, self._roles = folder, frozenset(roles)
        self._ahead: Iterator[Example] = iter(())
        self._found: Example | None = None

    def __iter__(self) -> Iterator[Example]:
        """Yield every example, in the task's order."""
        for row in read_lines(self._folder / ITEMS):
            if row["role"] in self._roles:
                yield Item.from_dict(row).example

    def __len__(self) -> int:
        return sum(row["role"] in self._roles for row in read_lines(self._folder / ITEMS))

    def __getitem__(self, id: str) -> Example:
        """Return the example called `id`.

        Raises:
            DataError: the task has none in these roles.
        """
        if self._found is not None and self._found.id == id:
            return self._found
        for _ in range(2):
            for example in self._ahead:
                if example.id == id:
                    self._found = example
                    return example
            self._ahead = iter(self)
        raise DataError(
            f"The question {id!r} is answered, and the task in {str(self._folder)!r} has none of this name among its "
            f"questions of {', '.join(sorted(self._roles))}. The steps of the store do not belong together: delete the "
            "folder with the answers and run again."
        )


def read_responses(folder: Path) -> Iterator[tuple[str, list[Response]]]:
    """Yield (id, all responses to it) question by question, without holding the whole file."""
    rows = (Response.from_dict(row) for row in read_lines(folder / RESPONSES))
    for id, group in groupby(rows, key=lambda row: row.id):
        yield id, list(group)


def read_labels(folder: Path) -> Iterator[WeakLabel]:
    """Yield the weak labels of a label step, one by one, in the order in which the questions were answered."""
    return (WeakLabel.from_dict(row) for row in read_lines(folder / LABELS))


def read_targets(folder: Path) -> list[Target]:
    """Return the training texts of a targets step."""
    return read_rows(folder / TARGETS, Target)


def read_scores(folder: Path) -> list[ItemScore]:
    """Return the grades of a score step."""
    return read_rows(folder / SCORES, ItemScore)


def read_label_scores(folder: Path) -> list[LabelScore]:
    """Return the grades of a label-score step."""
    return read_rows(folder / LABEL_SCORES, LabelScore)


def read_rewrite_scores(folder: Path) -> list[RewriteScore]:
    """Return the grades of a rewrite-score step."""
    return read_rows(folder / REWRITE_SCORES, RewriteScore)
