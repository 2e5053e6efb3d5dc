"""Look-alikes: found when most word triples are shared, verified by the true similarity, missed by none."""

from __future__ import annotations

import random

import pytest

from w2sg.records import ROLES, Example, Gold, TaskRow
from w2sg.tasks import SplitConfig, split
from w2sg.tasks.duplicates import ALIKE, LookAlikes, exact_key, jaccard, shingles


def test_shingles_by_hand() -> None:
    assert len(shingles(Example("a", "one two three four"))) == 2
    assert shingles(Example("a", "One  TWO three")) == shingles(Example("b", "one two three"))
    assert len(shingles(Example("a", "one"))) == 1
    assert jaccard(frozenset({1, 2, 3}), frozenset({2, 3, 4})) == pytest.approx(0.5)
    assert jaccard(frozenset(), frozenset()) == 1.0


def test_exact_key_ignores_case_space_and_order_of_options() -> None:
    assert exact_key(Example("a", "Which  ONE?", ("x", "y"))) == exact_key(Example("b", "which one?", ("Y", "x")))
    assert exact_key(Example("a", "5 + 3")) != exact_key(Example("a", "5 - 3"))
    assert exact_key(Example("a", "x", ("y",))) != exact_key(Example("a", "x y"))


def test_finds_only_true_look_alikes_of_the_asked_roles() -> None:
    words = [f"word{number}" for number in range(40)]
    first = Example("a", " ".join(words))
    changed = Example("b", " ".join([*words[:-1], "other"]))
    half = Example("c", " ".join([*words[:20], *(f"new{number}" for number in range(20))]))
    table = LookAlikes([first, changed, half])
    assert table.find(first, ROLES) is None
    table.add(first, "test")
    like = table.find(changed, ("test",))
    assert like is not None
    assert (like.id, like.role) == ("a", "test")
    assert like.similarity == pytest.approx(37 / 39)  # 38 triples each, 37 shared
    assert table.find(changed, ("supervise",)) is None
    assert table.find(half, ROLES) is None


def test_finds_what_comparing_every_pair_finds() -> None:
    """Rows of a template with few fillings, of many lengths: similarities from 0 to 1, many of them just at 0.8."""
    rng = random.Random(3)
    examples = []
    for number in range(300):
        words = [f"word{place}" for place in range(rng.randrange(1, 40))]
        for _ in range(rng.randrange(4)):
            words[rng.randrange(len(words))] = f"other{rng.randrange(4)}"
        examples.append(Example(str(number), " ".join(words)))
    table = LookAlikes(examples)
    for number, example in enumerate(examples):
        best = max((jaccard(shingles(example), shingles(earlier)) for earlier in examples[:number]), default=0.0)
        like = table.find(example, ("test", "transfer"))
        assert (like is not None) == (best >= ALIKE)
        if like is not None:
            alike = jaccard(shingles(example), shingles(examples[int(like.id)]))
            assert ALIKE <= like.similarity == pytest.approx(alike)
        table.add(example, ("test", "transfer")[number % 2])


def test_every_row_of_a_crowded_template_is_found() -> None:
    """120 test rows that all resemble each other, and 120 training rows that each resemble one of them alone."""
    words = [f"word{place}" for place in range(30)]

    def templated(name: int, thing: int) -> str:
        return " ".join([*words[:8], f"name{name}", *words[9:20], f"thing{thing}", *words[21:]])

    tests = [TaskRow(Example(f"t{n}", templated(n, 0)), Gold(f"t{n}", "1"), "test") for n in range(120)]
    twins = [TaskRow(Example(f"s{n}", templated(n, n + 1)), Gold(f"s{n}", "1")) for n in range(120)]
    others = [
        TaskRow(Example(f"o{n}", f"Something else about {n} and no template."), Gold(f"o{n}", "1")) for n in (1, 2)
    ]
    assert jaccard(shingles(tests[5].example), shingles(twins[5].example)) == pytest.approx(25 / 31)
    assert jaccard(shingles(tests[5].example), shingles(twins[6].example)) < ALIKE
    config = SplitConfig(supervise=1, validate=0, transfer="rest", test_id="rest")
    report = split([*tests, *twins, *others], config)
    assert {entry.id: entry.like for entry in report.dropped} == {f"s{n}": f"t{n}" for n in range(120)}
    assert {row.example.id for row in report.rows if row.role != "test"} == {"o1", "o2"}
