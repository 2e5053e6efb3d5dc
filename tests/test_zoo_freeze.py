"""World, corpus, tokenizers and weights are those that every published figure was measured on."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

from w2sg import tasks
from w2sg.models import pretrain, pretrain_data, pretrain_start, zoo
from w2sg.runs.zoo_check import KINDS
from w2sg.storage import hash_file, read_json
from w2sg.tasks.revision import Demonstration, Order
from w2sg.tasks.splits import split
from w2sg.tasks.world import corpus

FROZEN_AS: dict[str, dict[str, str]] = {
    "zoo-2": {
        "file": "442d60e7e32978dda96b311604174c83c977cc716472ae3406fc5433424e045c",
        "documents": "a8926495ab14111e4c132e0dc5b83b374ad8f8a2fd64de94cb8b52a0b5902686",
        "recipe": "c1dd08e39bb5e2c2413850025ecfe8eaea2d3905761a5a82b5bff8468de27434",
        "settings": "8993c9fc6c65b613689d0f36f576fbb4900c59f9c8db86667e46b2463c8b5394",
        "world-knowledge": "fd293f2f26ec6f5bb452507a934a9f26c8fcf373e7979eddd458dc2ee6ff3210",
        "world-maths": "c5694a028c324e97b45f760bb34f6779deb9afecb4ea58cde7afcefc14b8004c",
        "world-logic": "e14bae36abceb3003ee63e1d608514fc2fcb7df69abbfae1cd6e739e92e41232",
    }
}
"""SHA-256 by version: of `frozen.json` itself, and of what it leaves out."""


@pytest.fixture
def freeze(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "scripts")
    return import_module("zoo_freeze")


def test_everything_is_as_it_was_frozen(freeze: ModuleType) -> None:
    assert freeze.differences(read_json(freeze.FROZEN), freeze.now()) == []


def test_a_difference_is_told_with_its_place(freeze: ModuleType) -> None:
    frozen = {"a": {"b": 1, "c": 2}, "d": 3}
    assert freeze.differences(frozen, {"a": {"b": 1, "c": 4}, "e": 3}) == [
        "a/c: frozen 2, now 4",
        "d: frozen 3, now None",
        "e: frozen None, now 3",
    ]


def test_another_question_or_document_is_another_hash(freeze: ModuleType) -> None:
    assert freeze.digest([["a", 1]]) != freeze.digest([["a", 2]])
    assert freeze.digest([["a"], ["b"]]) != freeze.digest([["b"], ["a"]])


def test_a_frozen_version_is_never_written_anew(freeze: ModuleType) -> None:
    """`--write` under the old version would make every other test here agree with whatever there is."""
    assert hash_file(freeze.FROZEN) == FROZEN_AS[freeze.VERSION]["file"]


@pytest.mark.parametrize("kind", KINDS)
def test_roles_requests_and_grades_are_as_they_were_frozen(freeze: ModuleType, kind: str) -> None:
    assert freeze.digest(behaviour(kind)) == FROZEN_AS[freeze.VERSION][kind]


def test_the_end_of_the_primer_and_later_documents_are_as_they_were_frozen(freeze: ModuleType) -> None:
    numbers = [*range(corpus.PRIMER - 40, corpus.PRIMER + 40), *range(10_000, 500_000, 4_900)]
    numbers += range(corpus.READING + 3_000, corpus.READING + 120_000, 2_900)
    found = freeze.digest(corpus.document(pretrain.SEED, number) for number in numbers)
    assert found == FROZEN_AS[freeze.VERSION]["documents"]


def test_how_members_end_a_reply_is_as_it_was_frozen(freeze: ModuleType) -> None:
    files = [
        (name, file, hash_file(zoo.home() / name / file))
        for name in zoo.manifest()
        for file in ("generation_config.json", "tokenizer_config.json")
    ]
    assert freeze.digest(files) == FROZEN_AS[freeze.VERSION]["settings"]


def test_the_recipe_of_members_is_as_it_was_frozen(freeze: ModuleType) -> None:
    """Numbers of the code that made the weights; changed, members could not be made again."""
    modules = (pretrain, pretrain_data, pretrain_start)
    numbers = [
        [module.__name__, name, value]
        for module in modules
        for name, value in sorted(vars(module).items())
        if name.isupper() and isinstance(value, int | float | tuple)
    ]
    members = [[getattr(member, key) for key in member.__slots__] for member in zoo.MEMBERS.values()]
    assert len(numbers) > 10
    assert freeze.digest([*numbers, *members]) == FROZEN_AS[freeze.VERSION]["recipe"]


def behaviour(kind: str) -> Iterator[list[object]]:
    """Yield which role every question gets, and for some of them what is asked and how replies are graded."""
    config = tasks.task_config(kind)
    task = tasks.build(config)
    placed = split(task.load(), config.split).rows
    yield from ([row.example.id, row.role, row.stratum] for row in placed)
    for row in placed[::150]:
        example, gold = row.example, row.gold
        assert gold
        shown = task.gold_response(example, gold)
        other = Demonstration(shown, ((gold.answer, 9), ("7", 5), ("true", 4), ("cat", 3)), "They are sure.")
        yield [task.prompt(example), shown, task.doubt_in_words(example, other.answers, 2)]
        for order in get_args(Order):
            for heads in (True, False):
                yield [task.revise_prompt(example, attempt="Answer: 7", others=(other,), order=order, heads=heads)]
        for reply in (shown, f"Answer: {gold.answer}.", gold.answer, "Answer: 7", "Answer: not true", "cat", ""):
            answer = task.parse(reply, example)
            yield [answer, task.correct(answer, example, gold)]
