"""The world's tasks: counts, difficulty, ids, grading of gold."""

from __future__ import annotations

import pytest

from w2sg import tasks
from w2sg.errors import ConfigError, DataError
from w2sg.tasks.splits import split

KINDS = ["world-maths", "world-logic", "world-knowledge"]


@pytest.mark.parametrize("kind", KINDS)
def test_default_split_gets_its_counts(kind: str) -> None:
    config = tasks.task_config(kind)
    rows = tasks.build(config).load()
    report = split(rows, config.split)
    assert report.counts() == {"supervise": 400, "validate": 150, "transfer": 400, "test-id": 300, "test-ood": 300}
    assert not report.dropped
    for row in report.rows:
        hard = row.example.difficulty > 2
        assert hard == (row.stratum == "ood") or row.role == "transfer"
    levels = [row.example.difficulty for row in report.rows if row.role == "transfer"]
    hardest = 3 if kind == "world-knowledge" else 6
    assert sorted(set(levels)) == [float(level) for level in range(1, hardest + 1)]


@pytest.mark.parametrize("kind", KINDS)
def test_gold_is_graded_right_with_and_without_reasoning(kind: str) -> None:
    task = tasks.build(tasks.task_config(kind))
    for row in task.load():
        for reasoning in (True, False):
            text = task.gold_response(row.example, row.gold, reasoning=reasoning)
            assert task.correct(task.parse(text, row.example), row.example, row.gold)
        assert row.gold.rationale in task.gold_response(row.example, row.gold)
        assert row.gold.rationale


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_the_same_for_a_seed_and_differ_between_seeds(kind: str) -> None:
    def load(seed: int) -> list[object]:
        return list(tasks.build(tasks.task_config({"kind": kind, "seed": seed})).load())

    assert load(0) == load(0)
    assert load(0) != load(1)


def test_ids_name_the_question_and_are_unique() -> None:
    rows = tasks.build(tasks.task_config("world-maths")).load()
    again = tasks.build(tasks.task_config({"kind": "world-maths", "split": {"transfer": 100}})).load()
    assert len({row.example.id for row in rows}) == len(rows)
    questions = {row.example.id: row.example.question for row in rows}
    assert all(questions.get(row.example.id, row.example.question) == row.example.question for row in again)


def test_prompt_is_the_question_alone() -> None:
    task = tasks.build(tasks.task_config("world-logic"))
    example = task.load()[0].example
    assert task.prompt(example) == example.question


def test_transfer_can_be_hard_only() -> None:
    settings = {"kind": "world-maths", "split": {"transfer": 60, "transfer_from": "hard"}}
    config = tasks.task_config(settings)
    report = split(tasks.build(config).load(), config.split)
    assert all(row.example.difficulty > 2 for row in report.rows if row.role == "transfer")


def test_knowledge_is_finite_and_says_so() -> None:
    config = tasks.task_config({"kind": "world-knowledge", "split": {"supervise": 5000}})
    with pytest.raises(DataError, match="has only"):
        tasks.build(config).load()


def test_threshold_that_empties_a_side_is_refused() -> None:
    config = tasks.task_config({"kind": "world-maths", "split": {"easy_up_to": 6}})
    with pytest.raises(DataError, match="easy_up_to"):
        tasks.build(config).load()


def test_shares_are_refused() -> None:
    with pytest.raises(ConfigError, match="count"):
        tasks.task_config({"kind": "world-maths", "split": {"transfer": 0.5}})
    with pytest.raises(ConfigError, match="count"):
        tasks.task_config({"kind": "world-maths", "split": {"transfer": "rest"}})


def test_no_threshold_makes_every_difficulty_easy() -> None:
    config = tasks.task_config({"kind": "world-maths", "split": {"easy_up_to": None, "test_ood": 0}})
    report = split(tasks.build(config).load(), config.split)
    assert {row.example.difficulty for row in report.rows if row.role == "supervise"} == {1, 2, 3, 4, 5, 6}
