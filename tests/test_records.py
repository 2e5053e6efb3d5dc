"""The rows that cross layers: there and back, joined by id."""

from __future__ import annotations

import json

import pytest

from w2sg.errors import DataError
from w2sg.records import Example, Gold, Item, Message, SoftTargets, Target, WeakLabel, ask, by_id, join

ROWS = [
    Example("e", "why?", ("a", "b"), "g", 2.0),
    Gold("e", "b", ("B",), "since"),
    Item(Example("e", "why?"), "test", "ood"),
    WeakLabel("e", "text", "4", (("4", 3), ("5", 1)), 1, 0.6, "rather sure"),
    Target("e", (*ask("q"), Message("assistant", "a")), "r", 0.5, (1.0, 0.0), SoftTargets(((1, 2),), ((0.25, 0.75),))),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: type(row).__name__)
def test_a_row_survives_json(row: Example) -> None:
    assert type(row).from_dict(json.loads(json.dumps(row.to_dict()))) == row


def test_a_row_with_unknown_or_missing_keys_is_refused() -> None:
    with pytest.raises(DataError, match=r"unknown keys \['answer'\]"):
        Example.from_dict({"id": "e", "question": "q", "answer": "leak"})
    with pytest.raises(DataError, match="incomplete"):
        Example.from_dict({"id": "e"})


def test_joining_names_how_many_are_missing_and_the_first() -> None:
    index = by_id([Gold("a", "1"), Gold("b", "2")], "gold")
    assert [gold.answer for gold in join(["b", "a"], index, "gold")] == ["2", "1"]
    with pytest.raises(DataError, match="No gold for 2 of 3 examples, first 'x'"):
        join(["a", "x", "y"], index, "gold")


def test_an_id_may_not_occur_twice() -> None:
    with pytest.raises(DataError, match="hold the id 'a' twice"):
        by_id([Gold("a", "1"), Gold("a", "2")], "gold")
