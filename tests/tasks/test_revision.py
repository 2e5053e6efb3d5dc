"""How a student is shown another's work: in plain English, and in the threads that the zoo has read."""

from __future__ import annotations

import pytest

from w2sg.records import Example
from w2sg.tasks import Task, build, task_config
from w2sg.tasks.revision import Demonstration, Order, in_words, listed
from w2sg.tasks.world.threads import DOUBTS

PLAIN = build(task_config({"kind": "file", "labelled": "unread.jsonl", "grader": "numeric"}))
WORLD = build(task_config("world-maths"))
QUESTION = Example("q", "How many ducks?")
OTHER = Demonstration("They count.\nAnswer: 5", (("5", 20), ("6", 12)), "I lean towards 5.")


def plain(
    order: Order = "own-first", heads: bool = True, attempt: str = "I count.\nAnswer: 6", *others: Demonstration
) -> str:
    return PLAIN.revise_prompt(QUESTION, attempt=attempt, others=others or (OTHER,), order=order, heads=heads)


def test_the_question_stands_first_and_everything_is_there() -> None:
    text = plain()
    assert text.startswith(PLAIN.prompt(QUESTION))
    assert text.index("I count.") < text.index("They count.") < text.index("I lean towards 5.")
    assert text.index("They count.") < plain("other-first").index("I count.")


def test_what_is_empty_leaves_no_trace() -> None:
    text = plain("own-first", True, "", Demonstration("They count."))
    assert "Your own" not in text
    assert "doubts" not in text
    assert "how often" not in text


def test_counts_are_shown_where_no_statement_says_them() -> None:
    text = plain("own-first", True, "", Demonstration("They count.", (("5", 20), ("6", 12))))
    assert "5 (20), 6 (12)" in text


@pytest.mark.parametrize("heads", [True, False])
def test_blind_tells_neither_whose_nor_how_sure(heads: bool) -> None:
    text = plain("blind", heads)
    assert (text.index("I count.") < text.index("They count.")) is heads
    assert "I lean" not in text
    assert "own" not in text.replace(PLAIN.prompt(QUESTION), "").split("Any of the above")[0]
    assert text.count("Proposed solution") == 2


def test_a_list_shows_the_most_frequent_answers_in_the_order_given() -> None:
    answers = (("9", 1), ("5", 20), ("8", 2), ("6", 12), ("4", 1), ("7", 3), ("3", 1))
    text = plain("own-first", True, "", Demonstration("They count.", answers))
    assert ": 9 (1), 5 (20), 8 (2), 6 (12), 7 (3)\n" in text


def test_shuffled_answers_stand_anywhere_and_the_same_again() -> None:
    answers = (("5", 16), ("6", 12), ("7", 4))
    orders = [listed(answers, "shuffled", f"q{number}") for number in range(60)]
    assert orders == [listed(answers, "shuffled", f"q{number}") for number in range(60)]
    assert {frozenset(order) for order in orders} == {frozenset(answers)}
    for answer in answers:  # each is first on about a third: chance leaves fewer than 9 or more than 33 of 60 undone
        assert 9 <= sum(order[0] == answer for order in orders) <= 33
    assert listed(answers, "frequency", "q") == answers
    assert listed((), "shuffled", "q") == ()
    assert listed(answers[:1], "shuffled", "q") == answers[:1]


def test_a_shuffled_statement_still_leans_towards_the_most_frequent_answer() -> None:
    id = next(f"q{n}" for n in range(60) if listed("ab", "shuffled", f"q{n}")[0] == "b")
    assert in_words((("5", 16), ("6", 12)), 4, "shuffled", id) == (
        "Asked 32 times, I gave 6 (12 times), 5 (16 times) and no clear answer (4 times). I am in doubt about 5."
    )


def world(order: Order = "own-first", heads: bool = True, *others: Demonstration) -> str:
    return WORLD.revise_prompt(QUESTION, attempt="Mine.", others=others or (OTHER,), order=order, heads=heads)


def test_the_world_speaks_in_threads() -> None:
    text = world("own-first", True, Demonstration("Theirs.", (("5", 9), ("6", 4)), "They are in doubt."))
    assert text == (
        "How many ducks?\nMy try: Mine.\nAnother's solution: Theirs.\nAnother's answers: 6 (4 times), 5 (9 times)\n"
        "They are in doubt.\nWhat is the right solution?"
    )


def test_a_thread_tells_no_more_than_the_corpus_does() -> None:
    answers = (("5", 60), ("6", 20), ("7", 15), ("8", 4), ("9", 1))
    assert "Another's answers: 7 (2 times), 6 (3 times), 5 (10 times)\n" in world(
        "own-first", True, Demonstration("", answers)
    )


def test_in_threads_the_two_trade_places_and_the_rest_is_left_out() -> None:
    swapped = "How many ducks?\nMy try: They count.\nAnswer: 5\nAnother's solution: Mine.\nWhat is the right solution?"
    assert world("other-first") == world("blind", False) == swapped
    assert world("blind", True).index("Mine.") < world("blind", True).index("They count.")


def test_the_place_of_an_answer_in_a_thread_tells_nothing() -> None:
    firsts = 0
    for number in range(200):
        example = Example(str(number), "How many ducks?")
        text = WORLD.revise_prompt(example, others=(Demonstration("", (("5", 9), ("6", 4))),))
        assert text == WORLD.revise_prompt(example, others=(Demonstration("", (("5", 9), ("6", 4))),))
        firsts += "answers: 5 (9 times), 6 (4 times)" in text
    assert 70 < firsts < 130


def test_several_others_stand_in_one_thread() -> None:
    text = world(
        "own-first", True, Demonstration("A.", (("5", 3),), "Sure."), Demonstration("B.", (("6", 4), ("5", 3)), "Sure.")
    )
    assert "Another's solution: A.\nB.\nAnother's answers: 6 (4 times), 5 (6 times)\nSure.\n" in text


def test_the_worlds_doubt_is_the_corpuss_and_the_same_again() -> None:
    sure, torn = ((("5", 15), ("6", 1)), 0), ((("5", 6), ("6", 4)), 4)
    assert WORLD.doubt_in_words(QUESTION, *sure) in DOUBTS[0][1]
    assert WORLD.doubt_in_words(QUESTION, *torn) in DOUBTS[2][1]
    assert WORLD.doubt_in_words(QUESTION, *torn) == WORLD.doubt_in_words(QUESTION, *torn)


def test_prontoqa_speaks_plainly_unless_told_to_speak_in_threads() -> None:
    def prontoqa(**settings: object) -> Task:
        return build(task_config({"kind": "prontoqa", "train": "unread.json", **settings}))

    plain, threads = prontoqa(instruction=""), prontoqa(instruction="", threads=True)
    other = Demonstration("Theirs.", (("true", 9), ("false", 4)), "They are in doubt.")
    text = threads.revise_prompt(QUESTION, attempt="Mine.", others=(other,))
    assert text.startswith("How many ducks?\nMy try: Mine.\nAnother's solution: Theirs.\nAnother's answers: ")
    assert text.endswith("\nThey are in doubt.\nWhat is the right solution?")
    assert "Work the question out" in plain.revise_prompt(QUESTION, attempt="Mine.", others=(other,))
    answers = (("true", 15), ("false", 1))
    assert threads.doubt_in_words(QUESTION, answers, 0) in DOUBTS[0][1]
    assert plain.doubt_in_words(QUESTION, answers, 0) == in_words(answers, 0)
    asked = prontoqa(threads=True)
    assert asked.revise_prompt(QUESTION).startswith(asked.prompt(QUESTION) + "\n")
    swapped = threads.revise_prompt(QUESTION, attempt="Mine.", others=(other,), order="blind", heads=False)
    assert swapped == "How many ducks?\nMy try: Theirs.\nAnother's solution: Mine.\nWhat is the right solution?"
    assert "threads" not in plain.config.identity()
    assert threads.config.identity()["threads"] is True
