"""Ratings as a difficulty: joined by id, refused when they are not of these questions, and what splits make of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from w2sg.errors import ConfigError, DataError
from w2sg.records import Example, Gold, TaskRow
from w2sg.tasks import file_digests, split, task_config
from w2sg.tasks.base import SplitConfig
from w2sg.tasks.folds import fold_numbers, fold_of
from w2sg.tasks.options import option_responses, right_option
from w2sg.tasks.ratings import Rating, Ratings, content_of, data_digest, read_ratings, with_ratings, write_ratings
from w2sg.tasks.splits import largest_share, threshold_of


def row(n: int, difficulty: float | None = None, group: str = "", question: str = "") -> TaskRow:
    example = Example(f"q{n}", question or f"What is {n} plus one?", (), group, difficulty)
    return TaskRow(example, Gold(f"q{n}", str(n + 1)))


def ratings_of(rows: list[TaskRow]) -> Ratings:
    found = tuple(
        Rating(id=one.example.id, difficulty=place / len(rows), content=content_of(one), fold=place % 2)
        for place, one in enumerate(rows)
    )
    digest = data_digest((one.id, one.content) for one in found)
    return Ratings(
        task="file", measure="samples", rater="zoo/neox", rater_content={}, settings={"folds": 2}, data=digest,
        ratings=found,
    )  # fmt: skip


def test_ratings_are_joined_by_id_whatever_the_order(tmp_path: Path) -> None:
    rows = [row(n, difficulty=7.0) for n in range(4)]
    path = tmp_path / "ratings.json"
    write_ratings(path, ratings_of(rows))
    pool = TaskRow(Example("pool", "Who?", difficulty=7.0), None)
    found = with_ratings([pool, *reversed(rows)], read_ratings(path), path)
    assert [one.example.difficulty for one in found] == [None, 0.75, 0.5, 0.25, 0.0]
    assert found[1].example.question == rows[3].example.question


def test_ratings_of_other_questions_are_refused(tmp_path: Path) -> None:
    rows = [row(n) for n in range(4)]
    ratings, path = ratings_of(rows), tmp_path / "r.json"
    with pytest.raises(DataError, match="know nothing of 1 of 5 questions, first 'q9'"):
        with_ratings([*rows, row(9)], ratings, path)
    with pytest.raises(DataError, match=r"1 of 4 questions are not as they were when .* first 'q0'"):
        with_ratings([row(0, question="What is 0 plus two?"), *rows[1:]], ratings, path)
    assert len(with_ratings(rows[:2], ratings, path)) == 2  # fewer questions than were rated are no fault


def test_a_file_that_is_damaged_or_was_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    with pytest.raises(DataError, match="There is no file"):
        read_ratings(path)
    for content in ("{", "[]", '{"version": 2}'):
        path.write_text(content)
        with pytest.raises(DataError, match="holds no ratings"):
            read_ratings(path)
    stored = ratings_of([row(n) for n in range(3)]).model_dump(mode="json")
    stored["ratings"][0]["id"] = "q7"
    path.write_text(json.dumps(stored))
    with pytest.raises(DataError, match="ids or digests were changed"):
        read_ratings(path)


def test_rows_that_belong_together_share_a_fold() -> None:
    rows = [row(n, group=f"g{n // 2}") for n in range(20)] + [row(99, question="What is 3  plus ONE?")]
    numbers = fold_numbers(rows, 3, seed=0)
    assert all(numbers[n] == numbers[n + 1] for n in range(0, 20, 2))
    assert numbers[20] == numbers[3]  # asks the same as q3
    assert {numbers.count(number) for number in range(3)} <= {6, 7, 8, 9}
    order = list(range(21))[::-1]
    assert [fold_numbers([rows[n] for n in order], 3, seed=0)[order.index(n)] for n in range(21)] == numbers
    with pytest.raises(DataError, match=r"There are 2 questions .* and 3 folds"):
        fold_numbers(rows[:4], 3, seed=0)


def test_nothing_that_asks_nearly_the_same_is_learnt() -> None:
    text = "A long question about the river and the town in which the writer of the song was born, number {}?"
    rows = [row(n, question=text.format(n)) for n in range(4)] + [row(n) for n in range(10, 20)]
    for number in range(5):
        exact = fold_of(rows, number, 5, 0, drop_near=False)
        fold = fold_of(rows, number, 5, 0, drop_near=True)
        assert {one.example.id for one in (*exact.held, *exact.learnt)} == {one.example.id for one in rows}
        held_long = any(text[:20] in one.example.question for one in fold.held)
        assert any(text[:20] in one.example.question for one in fold.learnt) is not held_long
        assert fold.near == len(exact.learnt) - len(fold.learnt)


def test_the_easiest_share_by_hand() -> None:
    rows = [row(n, difficulty) for n, difficulty in enumerate((0.9, 0.1, 0.4, 0.4, 0.2))]
    assert threshold_of(rows, 0.5) == 0.4  # the third of five, and with it the other of 0.4
    assert threshold_of(rows, 0.4) == 0.2
    assert threshold_of(rows, 0.01) == 0.1
    with pytest.raises(DataError, match=r"no row is harder than 0\.9"):
        threshold_of(rows, 0.99)
    with pytest.raises(DataError, match="no row has a difficulty"):
        threshold_of([row(0)], 0.5)


def test_the_largest_share_that_leaves_harder_rows_by_hand() -> None:
    ties = [0.5, 0.875, 0.875, 1, 1, 1, 1, 1, 1, 1]  # three of ten are easier than the hardest
    assert largest_share(ties) == 0.3
    rows = [row(n, difficulty) for n, difficulty in enumerate(ties)]
    assert threshold_of(rows, 0.3) == 0.875
    with pytest.raises(DataError, match=r"Lower `easy_share` to at most 0\.3, or"):
        threshold_of(rows, 0.31)
    assert largest_share([0.1, 0.2]) == 0.5
    assert largest_share([0.0] * 7 + [1.0] * 93) == 0.06  # 0.07 * 100 is above 7 in floating point
    assert largest_share([1.0, 1.0]) == largest_share([0.5]) == 0
    with pytest.raises(DataError, match=r"the rows are all as hard\. Rate them with more samples"):
        threshold_of([row(0, 1.0), row(1, 1.0)], 0.5)


def test_a_pool_needs_no_difficulty_unless_it_is_divided_by_it() -> None:
    pool = [TaskRow(Example(f"p{n}", f"Who is number {n}?"), None, "transfer") for n in range(6)]
    rows = [row(n, n / 10) for n in range(10)] + pool
    sizes = {"supervise": 2, "validate": 1, "test_id": 1, "test_ood": 2, "near_duplicates": "exact"}
    report = split(rows, SplitConfig(easy_share=0.5, **sizes))
    assert report.counts() == {"test-ood": 2, "test-id": 1, "validate": 1, "supervise": 2, "transfer": 6}
    assert report.notes == ["5 of 10 rows, of difficulty up to 0.4, count as easy."]
    with pytest.raises(DataError, match="'p0' has no difficulty"):
        split(rows, SplitConfig(easy_share=0.5, transfer_from="hard", **sizes))


def test_easy_questions_supervise_and_hard_ones_are_transferred() -> None:
    rows = [row(n, n / 40) for n in range(40)]
    config = SplitConfig(
        easy_share=0.5, supervise="rest", validate=2, test_id=4, test_ood=5, transfer_from="hard",
        near_duplicates="exact",
    )  # fmt: skip
    report = split(rows, config)
    assert report.counts() == {"test-ood": 5, "test-id": 4, "validate": 2, "supervise": 14, "transfer": 15}
    for one in report.rows:
        assert one.example.difficulty is not None
        assert (one.example.difficulty > 19 / 40) == (one.role == "transfer" or one.stratum == "ood")
    assert report.notes == ["20 of 40 rows, of difficulty up to 0.475, count as easy."]


def test_thresholds_in_two_units_are_refused_and_the_tasks_own_gives_way(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="and not both"):
        SplitConfig(easy_up_to=1.0, easy_share=0.5)
    arc = task_config({"kind": "arc", "difficulty_from": "r.json", "split": {"easy_share": 0.6}})
    assert (arc.split.easy_up_to, arc.split.easy_share, arc.split.test_ood) == (None, 0.6, "rest")
    arc = task_config({"kind": "arc", "difficulty_from": "r.json"})
    assert not arc.split.tells_easy_from_hard
    arc = task_config({"kind": "arc", "train": {"easy": "a", "challenge": "b"}, "difficulty_from": "r.json"})
    assert arc.split.test_ood == 0
    local = task_config({"kind": "sciq", "train": "x.json", "split": {"easy_share": 0.5}})
    assert local.split.test_ood == 0.2
    with pytest.raises(ConfigError, match="needs easy_up_to or easy_share"):
        task_config({"kind": "sciq", "split": {"transfer_from": "hard"}})


def test_the_ratings_content_and_not_their_place_decides(tmp_path: Path) -> None:
    (tmp_path / "gold.jsonl").write_text(json.dumps({"question": "a", "answer": "b"}) + "\n")
    for name in ("one", "two"):
        (tmp_path / name).write_text("same")
    plain = {"kind": "file", "labelled": str(tmp_path / "gold.jsonl")}
    one, two = (task_config({**plain, "difficulty_from": str(tmp_path / name)}) for name in ("one", "two"))
    assert one.identity() == two.identity() == task_config(plain).identity()
    assert file_digests(one) == file_digests(two)
    assert file_digests(one).keys() == {"labelled", "difficulty_from"}
    assert "difficulty_from" not in file_digests(task_config(plain))
    assert "easy_share" not in one.identity()["split"]  # results from before it was there stay valid


def choice(**changes: Any) -> tuple[Any, Example]:
    task = task_config({"kind": "file", "labelled": "x", "grader": "choice"}).build()
    return task, Example("q", "Which?", ("wet palms", "dry palms"), **changes)


def test_options_as_responses() -> None:
    task, example = choice()
    assert option_responses(task, example) == ["Answer: A. wet palms", "Answer: B. dry palms"]
    assert right_option(task, example, Gold("q", "dry palms")) == 1
    with pytest.raises(DataError, match="names 0 of its 2 options"):
        right_option(task, example, Gold("q", "C"))
    with pytest.raises(DataError, match="has 0 options"):
        option_responses(task, Example("q", "Which?"))
