"""Splitting: whole groups, the same rows whatever their order, no question in two roles, test rows never dropped."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2sg.errors import ConfigError, DataError
from w2sg.records import Example, Gold, Role, TaskRow
from w2sg.tasks import SplitConfig, split

NONE = {"supervise": 0, "validate": 0, "transfer": 0, "test_id": 0, "test_ood": 0}


def row(
    id: str, question: str = "", *, role: str = "", group: str = "", difficulty: float | None = None, gold: bool = True
) -> TaskRow:
    example = Example(id, question or f"What stands on page {id}?", group=group, difficulty=difficulty)
    return TaskRow(example, Gold(id, "5") if gold else None, role)  # type: ignore[arg-type]


def rows(count: int, **keywords: object) -> list[TaskRow]:
    return [row(f"r{number}", **keywords) for number in range(count)]  # type: ignore[arg-type]


def config(**sizes: object) -> SplitConfig:
    return SplitConfig.parse({**NONE, "near_duplicates": "exact", **sizes}, "split")


def ids(report: object, role: str, stratum: str | None = None) -> set[str]:
    return {
        placed.example.id
        for placed in report.rows  # type: ignore[attr-defined]
        if placed.role == role and stratum in (None, placed.stratum)
    }


def test_counts_are_met_and_roles_are_disjoint() -> None:
    report = split(rows(100), config(supervise=20, validate=10, transfer=40, test_id=30))
    assert report.counts() == {"test-id": 30, "validate": 10, "supervise": 20, "transfer": 40}
    assert len({placed.example.id for placed in report.rows}) == 100
    assert {placed.stratum for placed in report.rows if placed.role != "test"} == {""}


def test_order_of_rows_does_not_matter_and_seed_does() -> None:
    table = rows(200)
    sizes = config(supervise=50, validate=20, transfer=80, test_id=30)
    shuffled = random.Random(1).sample(table, len(table))
    assert split(table, sizes) == split(shuffled, sizes)
    other = split(table, config(supervise=50, validate=20, transfer=80, test_id=30, seed=1))
    assert ids(other, "supervise") != ids(split(table, sizes), "supervise")


def test_a_size_can_grow_without_moving_the_other_roles() -> None:
    small = split(rows(200), config(supervise=20, transfer=50, test_id=30))
    large = split(rows(200), config(supervise=40, transfer=50, test_id=30))
    assert ids(small, "test") == ids(large, "test")
    assert ids(small, "supervise") < ids(large, "supervise")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 8), min_size=30, max_size=60), st.integers(0, 1000))
def test_groups_never_cross_roles(groups: list[int], seed: int) -> None:
    table = [row(f"r{number}", group=f"g{group}") for number, group in enumerate(groups)]
    try:
        report = split(table, config(supervise=0.3, validate=0.1, transfer="rest", test_id=0.2, seed=seed))
    except DataError:  # too few groups for the roles
        return
    roles: dict[str, set[str]] = {}
    for placed in report.rows:
        roles.setdefault(placed.example.group, set()).add(placed.role)
    assert all(len(found) == 1 for found in roles.values())


def test_groups_too_coarse_for_a_count_are_noted() -> None:
    table = [row(f"r{number}", group=f"g{number // 4}") for number in range(40)]
    report = split(table, config(supervise=10, test_id=8))
    assert report.counts() == {"test-id": 8, "supervise": 8}
    assert any("supervise: 8 of 10 rows" in note for note in report.notes)


def test_groups_larger_than_a_size() -> None:
    table = [row(f"r{number}", group=f"g{number // 4}") for number in range(40)]
    with pytest.raises(DataError, match=r"asks for 3 rows.*smallest group that could go there has 4"):
        split(table, config(supervise=3))
    report = split(table, config(validate=0.05, supervise="rest"))
    assert report.counts() == {"validate": 4, "supervise": 36}


def test_official_test_rows_stay_test() -> None:
    table = [*rows(50), *(row(f"t{number}", role="test") for number in range(20))]
    report = split(table, config(supervise=0.5, validate=0.1, transfer="rest", test_id="rest"))
    assert ids(report, "test") == {f"t{number}" for number in range(20)}
    assert report.counts() == {"test-id": 20, "validate": 5, "supervise": 25, "transfer": 20}


def test_unlabelled_pool_is_all_transfer_and_nothing_else_is() -> None:
    table = [*rows(40), *(row(f"p{number}", role="transfer", gold=False) for number in range(30))]
    report = split(table, config(supervise="rest", validate=0.1, transfer="rest", test_id=0.25))
    assert ids(report, "transfer") == {f"p{number}" for number in range(30)}
    assert report.counts() == {"test-id": 10, "validate": 4, "transfer": 30, "supervise": 26}


def test_strata_by_difficulty() -> None:
    table = [row(f"r{number}", difficulty=float(number % 4)) for number in range(80)]
    report = split(table, config(supervise=10, validate=5, transfer=20, test_id=15, test_ood=15, easy_up_to=1))
    hard = {"supervise": False, "validate": False}
    for placed in report.rows:
        assert placed.example.difficulty is not None
        if placed.role in hard or placed.stratum == "id":
            assert placed.example.difficulty <= 1
        if placed.stratum == "ood":
            assert placed.example.difficulty > 1
    assert {placed.example.difficulty for placed in report.rows if placed.role == "transfer"} == {0, 1, 2, 3}
    for side, expected in (("easy", {0, 1}), ("hard", {2, 3})):
        part = split(table, config(transfer=20, easy_up_to=1, transfer_from=side))
        assert {placed.example.difficulty for placed in part.rows} == expected


def test_missing_difficulty_is_named() -> None:
    with pytest.raises(DataError, match="'r0' has no difficulty"):
        split(rows(10), config(supervise=5, easy_up_to=1))


def test_same_question_stays_in_one_role() -> None:
    """A train question that also stands in the official test is left out of training, and the test keeps it."""
    table = [
        row("a", "How many moons?"),
        row("b", "how  many MOONS?"),
        *rows(20),
        row("t", "How many moons?", role="test"),
    ]
    report = split(table, config(supervise="rest", test_id="rest"))
    assert ids(report, "test") == {"t"}
    assert {(entry.id, entry.reason, entry.like) for entry in report.dropped} == {
        ("a", "exact", "t"),
        ("b", "exact", "t"),
    }
    assert ids(report, "supervise") == {f"r{number}" for number in range(20)}
    assert any("1 questions occur more than once" in note for note in report.notes)


def test_operators_and_options_tell_questions_apart() -> None:
    table = [row("a", "What is 5 + 3?"), row("b", "What is 5 - 3?", role="test")]
    assert split(table, config(supervise=1, test_id="rest")).dropped == []
    options = [
        TaskRow(Example("c", "Which one?", ("x", "y")), Gold("c", "A")),
        TaskRow(Example("d", "Which one?", ("x", "z")), Gold("d", "A"), "test"),
        TaskRow(Example("e", "Which one?", ("z", "x")), Gold("e", "B")),
        TaskRow(Example("f", "Which other one?", ("z", "x")), Gold("f", "B")),
    ]
    report = split(options, config(supervise="rest", test_id="rest"))
    assert [(entry.id, entry.like) for entry in report.dropped] == [("e", "d")]
    assert any("0 of them with different gold answers" in note for note in report.notes)


LONG = "In the old forest by the lake a biologist counted the birds each morning of May and wrote the numbers in a book"


@pytest.mark.parametrize("policy", ["drop", "report", "exact"])
def test_near_duplicates(policy: str) -> None:
    table = [
        row("near", LONG + " of hers"),
        row("other", "Why is the sea salt, and who put the salt into it in the first place?"),
        row("t", LONG + " of his", role="test"),
    ]
    report = split(table, config(supervise="rest", test_id="rest", near_duplicates=policy))
    assert ids(report, "test") == {"t"}
    if policy == "drop":
        assert ids(report, "supervise") == {"other"}
        assert [(entry.id, entry.role, entry.reason, entry.like) for entry in report.dropped] == [
            ("near", "supervise", "near", "t")
        ]
    else:
        assert ids(report, "supervise") == {"near", "other"}
        assert report.dropped == []
    if policy == "report":
        (pair,) = report.duplicates
        assert (pair.id, pair.role, pair.like, pair.like_role) == ("near", "supervise", "t", "test")
        assert 0.8 <= pair.similarity < 1
    else:
        assert report.duplicates == []


def test_near_duplicates_are_replaced_by_spare_rows() -> None:
    """Counts are met with other rows where there are enough."""
    table = [
        *(row(f"n{number}", f"{LONG} {number}") for number in range(5)),
        *(
            row(f"r{number}", f"Tell me all about the {number * 7919} ships of harbour {number}.")
            for number in range(40)
        ),
        row("t", LONG, role="test"),
    ]
    report = split(table, config(supervise=20, transfer=20, test_id="rest", near_duplicates="drop"))
    assert report.counts() == {"test-id": 1, "supervise": 20, "transfer": 20}
    assert all(entry.id.startswith("n") for entry in report.dropped)


@pytest.mark.parametrize(
    ("table", "sizes", "message"),
    [
        ([], {"supervise": 1}, "no rows"),
        (rows(10), {"supervise": 11}, r"asks for 11 rows for `split.supervise`.*only 10"),
        (rows(10), {"supervise": 6, "transfer": 6}, r"asks for 6 rows for `split.transfer`.*only 4"),
        (rows(10), {"supervise": 10, "transfer": "rest"}, "`split.transfer`"),
        (rows(10), {"supervise": "rest", "transfer": "rest"}, "both 'rest'"),
        (rows(10), {"supervise": 1, "test_id": "rest"}, "has none. Give a count or a share"),
        (rows(10, difficulty=1.0), {"supervise": 2, "test_ood": 2, "easy_up_to": 1}, r"split.test_ood.*only 0"),
        (rows(10, role="transfer", gold=False), {"supervise": 1}, r"split.supervise.*only 0"),
        ([row("a"), row("a")], {"supervise": 1}, "the id 'a' twice"),
    ],
)
def test_impossible_splits_say_why(table: list[TaskRow], sizes: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        split(table, config(**sizes))


def test_share_of_few_rows_is_never_none() -> None:
    report = split(rows(10), config(supervise=0.5, validate=0.01, transfer="rest", test_id=0.1))
    assert report.counts() == {"test-id": 1, "validate": 1, "supervise": 5, "transfer": 3}


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"supervise": -1}, "supervise: a count must not be negative"),
        ({"supervise": 1.5}, "supervise: .*between 0 and 1"),
        ({"supervise": float("nan")}, "supervise"),
        ({"supervise": True}, "supervise: must be a count"),
        ({"transfer": "all"}, "transfer: must be a count"),
        ({"test_ood": 5}, "test_ood needs easy_up_to"),
        ({"transfer_from": "hard"}, "needs easy_up_to"),
        ({"supervize": 5}, "perhaps you meant 'supervise'"),
    ],
)
def test_impossible_settings_are_refused(sizes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        config(**sizes)


def test_templated_rows_take_seconds() -> None:
    """Templated rows, all nearly alike, must not make the search quadratic."""
    table = [row(f"r{number}", f"{LONG} number {number}") for number in range(4000)]
    started = time.perf_counter()
    report = split(table, config(supervise=1000, transfer=2000, test_id=1000, near_duplicates="report"))
    assert time.perf_counter() - started < 30
    assert len(report.rows) == 4000
    assert len(report.duplicates) == 3000


def test_every_row_has_a_known_role() -> None:
    roles: set[Role] = {"supervise", "validate", "transfer", "test"}
    report = split(rows(50), config(supervise=5, validate=5, transfer=5, test_id=5))
    assert {placed.role for placed in report.rows} == roles
