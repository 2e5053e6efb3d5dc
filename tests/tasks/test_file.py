"""The user's own file: what is read, how answers are judged, where rows go, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from w2sg.errors import ConfigError, DataError
from w2sg.records import TaskRow
from w2sg.tasks import Task, build, file_digests, split, task_config
from w2sg.tasks.file import FileConfig, guess_grader, rows_of
from w2sg.tasks.sources import Record, read_records


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def task(labelled: Path, **settings: Any) -> Task:
    return build(task_config({"kind": "file", "labelled": str(labelled), **settings}))


def sums(count: int) -> list[dict[str, Any]]:
    return [{"question": f"What is {number} + {number}?", "answer": 2 * number} for number in range(count)]


def parsed(values: dict[str, Any]) -> TaskRow:
    return rows_of([Record("f", 1, values)])[0]


def test_all_columns(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        [
            {
                "id": 7,
                "question": "Which is round?",
                "choices": ["cube", "ball"],
                "answer": "ball",
                "rationale": "A ball rolls.",
                "group": "shapes",
                "difficulty": 2,
                "extra": "ignored",
            }
        ],
    )
    found = task(path)
    (row,) = found.load()
    assert (row.example.id, row.example.group, row.example.difficulty) == ("7", "shapes", 2.0)
    assert row.gold is not None
    assert row.gold.answer == "B"
    assert found.gold_response(row.example, row.gold) == "A ball rolls.\nAnswer: B. ball"
    assert found.gold_response(row.example, row.gold, reasoning=False) == "Answer: B. ball"
    assert found.prompt(row.example).startswith("Which is round?\nA. cube\nB. ball\n\n")
    assert "Answer:" in found.prompt(row.example)
    assert task(path, instruction="").prompt(row.example) == "Which is round?\nA. cube\nB. ball"
    assert found.parse("It rolls.\nAnswer: B", row.example) == "B"


def test_ids_from_content_are_stable_and_distinct(tmp_path: Path) -> None:
    few = task(write(tmp_path / "a.jsonl", sums(3))).load()
    more = task(write(tmp_path / "b.jsonl", [*reversed(sums(5)), sums(1)[0]])).load()
    assert {row.example.id for row in few} < {row.example.id for row in more}
    assert len({row.example.id for row in more}) == 6


@pytest.mark.parametrize(
    ("answers", "grader"),
    [
        (["4", "1,000", "$5.50", "12 apples"], "numeric"),
        (["yes", "No", "unknown"], "truth"),
        (["true", "false"], "truth"),
        (["Paris", "4"], "short"),
        (["1969 until 1974", "from 1986"], "short"),
        (["7"] * 19 + ["seven"], "numeric"),
    ],
)
def test_grader_is_guessed_from_the_answers(answers: list[str], grader: str) -> None:
    rows = [parsed({"question": f"Q{place}?", "answer": answer}) for place, answer in enumerate(answers)]
    name, reason = guess_grader([row.example for row in rows], [row.gold for row in rows if row.gold])
    assert name == grader
    assert reason


@pytest.mark.parametrize(
    ("given", "rows", "grader"),
    [
        ("labelled", sums(3), "numeric"),
        ("labelled", [{"question": "Q?", "choices": ["x", "y"], "answer": "y", "rationale": "So."}], "choice"),
        ("labelled", [{"question": "Q?", "answer": "Two of them.\n#### 2"}], "numeric"),
        ("test", [{"question": "Q?", "answer": "Paris"}], "short"),
        ("unlabelled", [{"question": "Q?"}], "short"),
    ],
)
def test_resolved_settings_need_no_file(tmp_path: Path, given: str, rows: list[dict[str, Any]], grader: str) -> None:
    path = write(tmp_path / "a.jsonl", rows)
    config = task_config({"kind": "file", given: str(path)})
    assert isinstance(config, FileConfig)
    loaded = rows_of(read_records(path))
    resolved = config.resolved()
    assert (resolved.grader, config.grader) == (grader, "auto")
    assert resolved.identity() == {**config.identity(), "grader": grader}
    assert resolved.resolved() is resolved
    path.unlink()
    found = build(resolved)
    for row in loaded:
        assert "Answer:" in found.prompt(row.example)
        assert found.parse("unclear, no idea at all", row.example) is None or grader == "short"
        if row.gold is not None:
            answer = found.parse(found.gold_response(row.example, row.gold), row.example)
            assert found.correct(answer, row.example, row.gold)
    with pytest.raises(DataError, match="There is no file"):
        found.load()


def test_other_tasks_are_resolved_as_they_are() -> None:
    for kind in ("world-maths", "gsm8k"):
        config = task_config(kind)
        assert config.resolved() is config


def test_choices_make_a_choice_task_and_must_not_be_mixed() -> None:
    with_options = parsed({"question": "Q?", "choices": ["x", "y"], "answer": "x"})
    without = parsed({"question": "Q?", "answer": "x"})
    assert with_options.gold is not None
    assert without.gold is not None
    assert guess_grader([with_options.example], [with_options.gold])[0] == "choice"
    with pytest.raises(DataError, match="1 of 2 rows have `choices`"):
        guess_grader([with_options.example, without.example], [with_options.gold, without.gold])
    with pytest.raises(DataError, match="No row has an answer"):
        guess_grader([without.example], [])


@pytest.mark.parametrize(
    ("choices", "answer", "letter"),
    [
        (["x", "y"], "y", "B"),
        (["x", "y"], "B", "B"),
        (["x", "y"], 2, "2"),  # read as the second option by the grader
        (["3", "2"], 2, "B"),
        (["B", "A"], "A", "B"),  # blood groups: the text comes first
        ({"text": ["x", "y"], "label": ["1", "2"]}, "1", "A"),
    ],
)
def test_gold_option_by_text_or_label(choices: Any, answer: Any, letter: str) -> None:
    row = parsed({"question": "Q?", "choices": choices, "answer": answer})
    assert row.gold is not None
    assert row.gold.answer == letter


def test_several_accepted_answers(tmp_path: Path) -> None:
    found = task(write(tmp_path / "a.jsonl", [{"question": "Where?", "answer": ["USA", "United States"]}]))
    (row,) = found.load()
    assert row.gold is not None
    assert row.gold.aliases == ("United States",)
    assert found.correct(found.parse("Answer: the United States", row.example), row.example, row.gold)


def test_pool_goes_to_transfer_without_gold(tmp_path: Path) -> None:
    labelled = write(tmp_path / "gold.jsonl", sums(40))
    pool = write(tmp_path / "pool.jsonl", [{"question": f"What is {number} + 1?"} for number in range(100, 130)])
    found = task(labelled, unlabelled=str(pool))
    report = split(found.load(), found.config.split)
    assert report.counts() == {"test-id": 10, "validate": 4, "supervise": 26, "transfer": 30}
    assert all((row.gold is None) == (row.role == "transfer") for row in report.rows)


def test_labelled_question_in_the_pool_is_left_out_of_it(tmp_path: Path) -> None:
    labelled = write(tmp_path / "gold.jsonl", sums(20))
    pool = write(tmp_path / "pool.jsonl", [{"question": row["question"]} for row in sums(21)])
    found = task(labelled, unlabelled=str(pool), split={"validate": 0.1, "supervise": "rest", "test_id": 0.2})
    report = split(found.load(), found.config.split)
    assert report.counts() == {"test-id": 4, "validate": 2, "supervise": 14, "transfer": 1}
    assert {entry.reason for entry in report.dropped} == {"exact"}


def test_without_a_pool_half_of_the_rows_are_kept_for_transfer(tmp_path: Path) -> None:
    found = task(write(tmp_path / "gold.jsonl", sums(200)))
    report = split(found.load(), found.config.split)
    assert report.counts() == {"test-id": 50, "validate": 20, "supervise": 50, "transfer": 80}


def test_test_file_and_partly_given_split(tmp_path: Path) -> None:
    labelled = write(tmp_path / "gold.jsonl", sums(40))
    test = write(
        tmp_path / "test.jsonl", [{"question": f"Add 2 to {number}!", "answer": number + 2} for number in range(9)]
    )
    found = task(labelled, test=str(test), split={"supervise": 10, "seed": 3})
    assert found.config.split.seed == 3
    assert split(found.load(), found.config.split).counts() == {
        "test-id": 9,
        "validate": 4,
        "supervise": 10,
        "transfer": 26,
    }


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        ([{"answer": "5"}], {}, "no 'question'"),
        ([{"question": "", "answer": "5"}], {}, "'question' is empty"),
        ([{"question": "Q?"}], {}, "line 1: the row has no 'answer'.*unlabelled"),
        ([{"question": "Q?"}], {"grader": "short"}, "line 1: the row has no 'answer'.*unlabelled"),
        ([{"question": ["Q?"], "answer": "5"}], {}, "'question' must be text"),
        ([{"question": "Q?", "answer": {"a": 1}}], {}, "'answer' must be text"),
        ([{"question": "Q?", "answer": "5", "difficulty": "hard"}], {}, "'difficulty' must be a finite number"),
        ([{"question": "Q?", "answer": "5", "choices": "A or B"}], {}, "'choices' must be a list"),
        ([{"question": "Q?", "answer": "x", "choices": ["x", "x"]}], {}, "the same option twice"),
        ([{"question": "Q?", "answer": "z", "choices": ["x", "y"]}], {}, "line 1: the answer 'z' is none of"),
        ([*sums(20), {"question": "Q?", "answer": "seven"}], {}, "line 21: the answer 'seven' is not the number"),
        (
            [{"question": "Q?", "answer": "5", "id": "a"}, {"question": "R?", "answer": "5", "id": "a"}],
            {},
            "'a' stands for",
        ),
    ],
)
def test_bad_rows_are_refused_in_one_paragraph(
    tmp_path: Path, rows: list[dict[str, Any]], settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        task(write(tmp_path / "a.jsonl", rows), **settings).load()
    assert "\n" not in str(caught.value)


def test_settings_that_do_not_fit(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="labelled"):
        task_config({"kind": "file"})
    with pytest.raises(ConfigError, match="perhaps you meant 'labelled'"):
        task_config({"kind": "file", "labelled": "a", "labeled": "b"})
    with pytest.raises(DataError, match="There is no file"):
        file_digests(task_config({"kind": "file", "labelled": str(tmp_path / "none.jsonl")}))


def test_identity_is_the_content_not_the_place(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a.jsonl", sums(3)), write(tmp_path / "b.jsonl", sums(3))
    configs = [task_config({"kind": "file", "labelled": str(path)}) for path in (first, second)]
    assert configs[0].identity() == configs[1].identity()
    assert file_digests(configs[0]) == file_digests(configs[1])
    write(second, sums(4))
    assert file_digests(configs[0]) != file_digests(configs[1])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
ROWS = st.lists(
    st.dictionaries(
        st.sampled_from(["question", "answer", "choices", "rationale", "group", "difficulty", "id", "other"]), VALUES
    ),
    max_size=4,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS, st.sampled_from(["auto", "numeric", "choice", "short", "truth"]))
def test_any_rows_are_taken_or_refused_with_a_data_error(
    tmp_path: Path, rows: list[dict[str, Any]], grader: str
) -> None:
    found = task(write(tmp_path / "a.jsonl", rows), grader=grader)
    try:
        loaded = found.load()
    except DataError:
        return
    for row in loaded:
        assert row.gold is not None
        for reasoning in (True, False):
            answer = found.parse(found.gold_response(row.example, row.gold, reasoning), row.example)
            assert found.correct(answer, row.example, row.gold)


def test_a_pool_that_is_divided_by_difficulty_must_have_one(tmp_path: Path) -> None:
    pool = tmp_path / "pool.jsonl"
    pool.write_text('{"question": "Who?"}\n{"question": "When?", "difficulty": 2}\n')
    (tmp_path / "gold.jsonl").write_text('{"question": "Where?", "answer": "here", "difficulty": 1}\n')

    def check(transfer_from: str, **more: object) -> None:
        split = {"easy_share": 0.5, "transfer_from": transfer_from}
        files = {"labelled": str(tmp_path / "gold.jsonl"), "unlabelled": str(pool)}
        FileConfig.parse({"split": split, **files, **more}, "it").check_files()

    check("all")
    check("all", difficulty_from="ratings.json")
    with pytest.raises(DataError, match=r"1 of 2 rows of the pool .*pool\.jsonl.*cannot rate rows without answers"):
        check("hard")
    with pytest.raises(DataError, match="2 of 2 rows"):
        check("easy", difficulty_from="ratings.json")
