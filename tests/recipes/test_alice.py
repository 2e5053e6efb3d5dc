"""Which rewrite is learnt, by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from w2sg.errors import ConfigError, DataError
from w2sg.recipes.alice import Alice
from w2sg.records import Example, Item, Response, WeakLabel
from w2sg.steps.inputs import ITEMS, LABELS, RESPONSES
from w2sg.steps.rewrite import Told
from w2sg.storage import write_rows
from w2sg.tasks import build, task_config

TASK = build(task_config({"kind": "file", "labelled": "unread.jsonl", "grader": "numeric"}))
QUESTION = Example("q", "How many?")
SEEN = Told("q", (), (), None)


def written(*texts: str, cut: int | None = None) -> list[Response]:
    return [Response("q", number, text, 5, number != cut) for number, text in enumerate(texts)]


def test_the_first_text_with_the_most_frequent_answer_is_learnt() -> None:
    texts = written("Answer: 3", "so\nAnswer: 1,000", "hm", "Answer: 1000.0")
    assert Alice().learnt(TASK, QUESTION, SEEN, texts) == "so\nAnswer: 1,000"
    assert Alice(choose="first").learnt(TASK, QUESTION, SEEN, texts) == "Answer: 3"


def test_ties_go_to_the_first_sampled() -> None:
    assert Alice().learnt(TASK, QUESTION, SEEN, written("Answer: 3", "Answer: 4")) == "Answer: 3"


def test_a_rewrite_that_is_cut_or_unreadable_is_not_learnt() -> None:
    assert Alice().learnt(TASK, QUESTION, SEEN, written("hm", "Answer: 3", "Answer: 4", cut=1)) == "Answer: 4"
    assert Alice().learnt(TASK, QUESTION, SEEN, written("hm", "Answer: 3", cut=1)) is None


def test_where_the_demonstration_reasons_a_bare_answer_is_not_learnt() -> None:
    label = WeakLabel("q", "First 1 + 1 = 2.\nAnswer: 2", "2", (("2", 3),))
    reasoned, bare = Told("q", (label,), (label,), None), WeakLabel("q", "Answer: 2", "2", (("2", 3),))
    texts = written("Answer: 2", " \nAnswer: 2", "First 3.\nAnswer: 3")
    assert Alice().learnt(TASK, QUESTION, reasoned, texts) == "First 3.\nAnswer: 3"
    assert Alice().learnt(TASK, QUESTION, reasoned, texts[:2]) is None
    assert Alice(reasoned=False).learnt(TASK, QUESTION, reasoned, texts) == "Answer: 2"
    assert Alice(check=False).learnt(TASK, QUESTION, reasoned, texts) == "Answer: 2"
    assert Alice().learnt(TASK, QUESTION, Told("q", (bare,), (bare,), None), texts) == "Answer: 2"


def test_without_the_check_the_first_is_learnt_whatever_it_says() -> None:
    assert Alice(check=False, choose="first").learnt(TASK, QUESTION, SEEN, written("hm", "Answer: 3")) == "hm"
    assert Alice(check=False).learnt(TASK, QUESTION, SEEN, written("hm", "oh", "Answer: 3")) == "Answer: 3"
    assert Alice(check=False).learnt(TASK, QUESTION, SEEN, written("hm", "oh")) == "hm"


@pytest.fixture
def parents(tmp_path: Path) -> dict[str, Path]:
    """Questions agreed on, in doubt and without an answer; a rewrite of the second alone, as the paper has it."""
    found = {name: tmp_path / name for name in ("task", "labels", "attempts", "rewrites")}
    examples = [Example(f"q{number}", f"Question {number}") for number in range(3)]
    write_rows(found["task"] / ITEMS, [Item(example, "transfer") for example in examples])
    labels = [
        WeakLabel("q0", "copied\nAnswer: 1", "1", (("1", 4),)),
        WeakLabel("q1", "doubted\nAnswer: 1", "1", (("1", 2), ("2", 2))),
        WeakLabel("q2", "hm", None),
    ]
    write_rows(found["labels"] / LABELS, labels)
    write_rows(found["attempts"] / RESPONSES, [Response(f"q{n}", 0, "Answer: 9", 2, True) for n in range(3)])
    write_rows(found["rewrites"] / RESPONSES, [Response("q1", 0, "mine\nAnswer: 2", 2, True)])
    return found


def test_agreed_questions_are_copied_doubted_ones_rewritten_mute_ones_left_out(
    parents: dict[str, Path], tmp_path: Path
) -> None:
    targets = Alice(bypass=True).targets(TASK, parents, tmp_path)
    assert [(target.id, target.response) for target in targets] == [
        ("q0", "copied\nAnswer: 1"),
        ("q1", "mine\nAnswer: 2"),
    ]
    assert [target.prompt[0].content for target in targets] == [
        TASK.prompt(Example(f"q{number}", f"Question {number}")) for number in range(2)
    ]


def test_another_questions_demonstration_is_shown_and_never_copied(parents: dict[str, Path], tmp_path: Path) -> None:
    """The null control changes what the student is shown; were it trained on answers to other questions, any method
    would beat it. q1 is shown what q0's samples agree on."""
    texts = [Response(id, 0, f"{id}, mine\nAnswer: 2", 2, True) for id in ("q0", "q1")]
    write_rows(parents["rewrites"] / RESPONSES, texts)
    targets = Alice(bypass=True, shuffle="all").targets(TASK, parents, tmp_path)
    assert [(target.id, target.response) for target in targets] == [(row.id, row.text) for row in texts]
    assert not Alice(bypass=True, shuffle="all").shown.bypass
    assert Alice(bypass=True, shuffle="statement").shown.bypass


def test_a_missing_rewrite_is_an_error(parents: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="rewrites answer 'q1' where the labels speak of 'q0'"):
        Alice(bypass=False).targets(TASK, parents, tmp_path)


def test_the_seed_counts_only_where_something_is_drawn() -> None:
    assert Alice().seeded(5) == Alice()
    assert Alice(shuffle="all").seeded(5).shown.seed == 5
    assert Alice(order="blind").seeded(5).shown.seed == 5


def test_a_shuffled_exchange_is_none() -> None:
    with pytest.raises(ConfigError, match="let turns be 1, or shuffle none"):
        Alice.parse({"turns": 2, "shuffle": "statement"}, "The test")


def test_what_came_later_changes_nothing_unless_given() -> None:
    assert not {"select", "turns", "judgements", "keep"} & set(Alice().identity())


def test_several_greedy_rewrites_would_be_one() -> None:
    with pytest.raises(ConfigError, match="at temperature 0 there is one rewrite"):
        Alice.parse({"temperature": 0, "rewrites": 2}, "The test")
    with pytest.raises(ConfigError, match="one judgement"):
        Alice.parse({"temperature": 0, "rewrites": 1, "turns": 2}, "The test")
    assert Alice(temperature=0, rewrites=1).rewrites == 1


def test_another_questions_work_is_not_reported_as_the_labels_learnt() -> None:
    assert Alice().teaches_labels
    assert Alice(shuffle="statement").teaches_labels
    assert not Alice(shuffle="all").teaches_labels
