"""Adapters on small rows in the forms of their sources, and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from w2sg.errors import DataError
from w2sg.records import TaskRow
from w2sg.tasks import Task, build, split, task_config


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text(json.dumps(rows))
    return str(path)


def task(
    kind: str, tmp_path: Path, rows: list[dict[str, Any]], test: list[dict[str, Any]] | None = None, **more: Any
) -> Task:
    files: dict[str, str] = {"train": write(tmp_path / "train.json", rows)}
    if test is not None:
        files["test"] = write(tmp_path / "test.json", test)
    return build(task_config({"kind": kind, **files, **more}))


def graded(task: Task, row: TaskRow, reply: str) -> bool:
    assert row.gold is not None
    return task.correct(task.parse(reply, row.example), row.example, row.gold)


def test_gsm8k_reasoning_and_number(tmp_path: Path) -> None:
    answer = "He has 3 boxes of 400, 3*400 = <<3*400=1200>>1,200.\n\nHe eats 0.\n#### 1,200"
    found = task("gsm8k", tmp_path, [{"question": " How many? ", "answer": answer}])
    (row,) = found.load()
    assert row.gold is not None
    assert (row.example.question, row.example.difficulty) == ("How many?", 2.0)
    assert found.gold_response(row.example, row.gold) == (
        "He has 3 boxes of 400, 3*400 = 1,200.\nHe eats 0.\n#### 1200"
    )
    assert graded(found, row, "#### 1,200.00")
    assert not graded(found, row, "1,200 and 3")
    assert graded(build(task_config({**found.config.model_dump(), "last_number": True})), row, "3 times 400 is 1,200")


def test_gsm8k_without_its_mark_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="line 1: 'answer' must end with a line of the form '#### number'"):
        task("gsm8k", tmp_path, [{"question": "How many?", "answer": "1,200"}]).load()


HUB_ARC = {
    "id": "Mercury_7",
    "question": "Which warms hands?",
    "choices": {"text": ["dry palms", "wet palms", "oil"], "label": ["1", "2", "3"]},
    "answerKey": "2",
}
ADAPTERS_ARC = {
    "instruction": "Please choose the correct answer to the question: Which warms hands?\n\nAnswer1: dry palms "
    "Answer2: wet palms Answer3: oil\n\nAnswer format: answer1/answer2/answer3",
    "output": "the correct answer is answer2",
    "answer": "answer2",
}


@pytest.mark.parametrize("record", [HUB_ARC, ADAPTERS_ARC])
def test_arc_in_both_forms(tmp_path: Path, record: dict[str, Any]) -> None:
    path = write(tmp_path / "a.json", [record])
    found = build(task_config({"kind": "arc", "train": {"challenge": path}}))
    (row,) = found.load()
    assert row.gold is not None
    assert (row.example.question, row.example.choices) == ("Which warms hands?", ("dry palms", "wet palms", "oil"))
    assert (row.gold.answer, row.example.difficulty) == ("B", 1.0)
    assert graded(found, row, "the correct answer is answer2")
    assert graded(found, row, "Answer: wet palms")
    assert not graded(found, row, "Both dry and wet palms, but B is wetter")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({**HUB_ARC, "answerKey": "4"}, "'4', which is not one of the labels 1, 2, 3"),
        ({**HUB_ARC, "choices": ["a"]}, "holds 1 options"),
        ({**ADAPTERS_ARC, "answer": "answer4"}, "'answer4', and there are 3 options"),
        ({**ADAPTERS_ARC, "answer": "two"}, "'two'"),
        ({**ADAPTERS_ARC, "instruction": "Which?"}, "must hold a question"),
        ({}, "no 'question'"),
    ],
)
def test_arc_rows_that_do_not_fit(tmp_path: Path, record: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "a.json", [record])
    with pytest.raises(DataError, match=message):
        build(task_config({"kind": "arc", "train": {"easy": path}})).load()


def test_arc_challenge_is_the_harder_stratum(tmp_path: Path) -> None:
    def rows(part: str, count: int) -> list[dict[str, Any]]:
        return [{**HUB_ARC, "id": f"{part}{n}", "question": f"Which is {part} number {n}?"} for n in range(count)]

    files = {
        half: {
            part: write(tmp_path / f"{part}-{half}.json", rows(f"{part} {half}", count))
            for part in ("easy", "challenge")
        }
        for half, count in (("train", 20), ("test", 6))
    }
    found = build(task_config({"kind": "arc", **files, "split": {"near_duplicates": "exact"}}))
    report = split(found.load(), found.config.split)
    assert report.counts() == {"test-ood": 6, "test-id": 6, "validate": 1, "supervise": 9, "transfer": 30}
    assert all(row.example.difficulty == (row.stratum == "ood") for row in report.rows if row.role != "transfer")


def test_hotpotqa_in_both_forms(tmp_path: Path) -> None:
    rows = [
        {"question": "Were they of the same nationality?", "answer": "yes", "type": "comparison"},
        {
            "id": "5a7",
            "question": "Which post?",
            "answer": "Chief of Protocol",
            "level": "hard",
            "context": {"title": []},
        },
    ]
    found = task("hotpotqa", tmp_path, rows)
    first, second = found.load()
    assert (first.example.id, first.example.difficulty) == ("train-1", None)
    assert (second.example.id, second.example.difficulty) == ("5a7", 2.0)
    assert graded(found, first, "Answer: Yes")
    assert not graded(found, first, "yesterday")
    assert graded(found, second, "She served abroad.\nAnswer: the chief of protocol.")
    assert not graded(found, second, "Answer: Chief")


def trivia(id: str, question: str, value: str, aliases: list[str]) -> dict[str, Any]:
    answer = {
        "value": value,
        "aliases": aliases,
        "normalized_aliases": [alias.lower() for alias in aliases],
        "normalized_value": value.lower(),
        "type": "WikipediaEntity",
        "matched_wiki_entity_name": "",
        "normalized_matched_wiki_entity_name": "",
    }
    return {
        "question": question,
        "question_id": id,
        "question_source": "http://example.org/",
        "entity_pages": {"doc_source": [], "title": []},
        "search_results": {"rank": [], "url": []},
        "answer": answer,
    }


def test_triviaqa_aliases_and_repeated_questions(tmp_path: Path) -> None:
    """The `rc` files repeat each question once per evidence page; one row must be left."""
    rows = [
        trivia("tc_1", "Which US city?", "New York City", ["New York", "NYC"]),
        trivia("tc_1", "Which US city?", "New York City", ["New York", "NYC"]),
        trivia("tc_9", "Which US  city?", "New York City", []),
        trivia("tc_2", "Who said no?", "No", []),
    ]
    found = task("triviaqa", tmp_path, rows, test=[trivia("tc_3", "Who sank?", "Titanic", ["RMS Titanic"])])
    first, second, test = found.load()
    assert (first.example.id, second.example.id, test.role) == ("tc_1", "tc_2", "test")
    assert graded(found, first, "Answer: nyc")
    assert graded(found, first, "Answer: New York City")
    assert not graded(found, first, "Answer: York")
    assert not graded(found, second, "I know")
    assert graded(found, test, "The answer is the RMS Titanic.")


def test_triviaqa_without_answers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'answer' must be an object"):
        task("triviaqa", tmp_path, [{"question": "Who?", "question_id": "a", "answer": "me"}]).load()


SCIQ = {
    "question": "What do plants breathe in?",
    "correct_answer": "carbon dioxide",
    "distractor1": "oxygen",
    "distractor2": "helium",
    "distractor3": "neon",
    "support": "Plants take in carbon dioxide.",
}


def test_sciq_options_are_mixed_by_the_question_alone(tmp_path: Path) -> None:
    others = [{**SCIQ, "question": f"What is gas {number}?"} for number in range(40)]
    found = task("sciq", tmp_path, [SCIQ, *others])
    rows = found.load()
    assert set(rows[0].example.choices) == {"carbon dioxide", "oxygen", "helium", "neon"}
    assert {row.gold.answer for row in rows if row.gold} == {"A", "B", "C", "D"}
    assert all(graded(found, row, "Answer: carbon dioxide") for row in rows)
    assert task("sciq", tmp_path, [*others, SCIQ]).load()[-1].example.choices == rows[0].example.choices
    assert rows[0].example.question == "What do plants breathe in?"
    opened = task("sciq", tmp_path, [SCIQ], passage=True).load()[0]
    assert opened.example.question == "Plants take in carbon dioxide.\nWhat do plants breathe in?"
    assert opened.example.choices == rows[0].example.choices


def test_quartz_keeps_questions_of_one_sentence_together(tmp_path: Path) -> None:
    def row(number: int, para: str) -> dict[str, Any]:
        return {
            "id": f"QRQA-{number}",
            "question": f"Would planet {number} be hotter or colder?",
            "choices": {"text": ["hotter", "colder"], "label": ["A", "B"]},
            "answerKey": "B",
            "para": f"Planets far from star {para} are colder.",
            "para_id": para,
            "para_anno": {},
            "question_anno": {},
        }

    train = [row(number, f"p{number // 4}") for number in range(40)]
    found = task("quartz", tmp_path, train, test=[row(100, "p0")], split={"near_duplicates": "exact"})
    rows = found.load()
    assert rows[0].example.question.splitlines()[0] == "Planets far from star p0 are colder."
    assert graded(found, rows[0], "Answer: colder")
    report = split(rows, found.config.split)
    assert {entry.id for entry in report.dropped} == {"QRQA-0", "QRQA-1", "QRQA-2", "QRQA-3"}
    assert {entry.reason for entry in report.dropped} == {"group"}


def test_prontoqa_deductions(tmp_path: Path) -> None:
    row = {
        "id": "ProntoQA_1",
        "context": "Each yumpus is a dumpus. Dumpuses are not sour. Max is a yumpus.",
        "question": "Is the following statement true or false? Max is sour.",
        "options": ["A) True", "B) False"],
        "answer": "B",
        "explanation": [
            "Max is a yumpus.",
            "Each yumpus is a dumpus.",
            "Max is a dumpus.",
            "Dumpuses are not sour.",
            "Max is not sour.",
        ],
    }
    found = task("prontoqa", tmp_path, [row], test=[row])
    train, test = found.load()
    assert (train.example.id, test.example.id) == ("train-ProntoQA_1", "test-ProntoQA_1")
    assert train.example.difficulty == 2.0
    assert train.gold is not None
    assert found.gold_response(train.example, train.gold).endswith("Max is not sour.\nAnswer: false")
    assert graded(found, train, "Max is not sour. The statement is false.")
    assert not graded(found, train, "Max is a true yumpus")
    with pytest.raises(DataError, match="'answer' must be 'A'"):
        task("prontoqa", tmp_path, [{**row, "answer": "C"}]).load()
