"""Whose answer is learnt, by hand: supervisor, student and rewrite vote, ties go to the rewrite."""

from __future__ import annotations

from dataclasses import replace

import pytest

from w2sg.recipes.alice import Alice
from w2sg.recipes.selection import agreed, one_answer, shares
from w2sg.records import Example, Response, WeakLabel
from w2sg.steps.rewrite import Told
from w2sg.tasks import build, task_config

TASK = build(task_config({"kind": "file", "labelled": "unread.jsonl", "grader": "numeric"}))
QUESTION = Example("q", "How many?")
MUTE = WeakLabel("q", "hm", None, (), 4)


def response(text: str, finished: bool = True) -> Response:
    return Response("q", 0, text, 5, finished)


def taught(*counts: tuple[str, int], unparsed: int = 0) -> WeakLabel:
    """A supervisor's label, with a text for each of its answers."""
    texts = tuple(f"taught\nAnswer: {answer}" for answer, _ in counts)
    return WeakLabel("q", texts[0], counts[0][0], counts, unparsed, variants=texts)


def learnt(alice: Alice, label: WeakLabel, own: str | None, *written: str, cut: bool = False) -> str | None:
    attempt = None if own is None else response(f"own\nAnswer: {own}" if own else "hm", finished=not cut)
    seen = Told("q", (label,), (label,), attempt)
    texts = [response(f"rewrite {place}\nAnswer: {one}" if one else "hm") for place, one in enumerate(written)]
    return alice.learnt(TASK, QUESTION, seen, texts)


THREE = Alice(select="agreement")
VOTES = Alice(select="votes")


def test_what_two_of_three_say_is_learnt_in_the_students_words_where_it_has_them() -> None:
    """Supervisor and attempt say 1, the rewrites 2: the attempt is learnt, or a rewrite that gave 1 too."""
    assert learnt(THREE, taught(("1", 9)), "1", "2", "2", "3") == "own\nAnswer: 1"
    assert learnt(THREE, taught(("1", 9)), "1", "2", "2", "1") == "rewrite 2\nAnswer: 1"
    assert learnt(THREE, taught(("2", 9)), "1", "2") == "rewrite 0\nAnswer: 2"
    assert learnt(Alice(), taught(("1", 9)), "1", "2", "2", "3") == "rewrite 0\nAnswer: 2"


def test_three_answers_or_two_voters_apart_leave_it_to_the_rewrite() -> None:
    assert learnt(THREE, taught(("1", 9)), "2", "3") == "rewrite 0\nAnswer: 3"
    assert learnt(THREE, taught(("1", 9)), None, "3") == "rewrite 0\nAnswer: 3"
    assert learnt(THREE, taught(("1", 9)), "", "3") == "rewrite 0\nAnswer: 3"


def test_all_alike_is_the_rewrite() -> None:
    for alice in (THREE, VOTES):
        assert learnt(alice, taught(("1", 9)), "1", "1") == "rewrite 0\nAnswer: 1"


def test_without_a_rewrite_agreement_alone_is_learnt() -> None:
    for alice in (THREE, VOTES):
        assert learnt(alice, taught(("1", 9)), "1", "") == "own\nAnswer: 1"
        assert learnt(alice, taught(("1", 9)), "2", "") is None
        assert learnt(alice, taught(("1", 9)), "1", "", cut=True) == "taught\nAnswer: 1"  # a cut attempt only votes


def test_nothing_that_can_be_read_is_nothing_learnt() -> None:
    for alice in (THREE, VOTES):
        assert learnt(alice, MUTE, "", "", "") is None
        assert learnt(replaced(alice, check=False), MUTE, "", "", "") == "hm"


def replaced(alice: Alice, **changes: object) -> Alice:
    return alice.model_copy(update=changes)


def test_votes_are_shares_of_samples() -> None:
    """Supervisor: 6 of 10 say 1, 4 say 2. Rewrites: 1 of 4 says 1, 3 say 2. Attempt: 1, or 2.

    1: 0.6 + 0.25 (+ 1); 2: 0.4 + 0.75 (+ 1). So 1 wins with the attempt (1.85 to 1.15), and loses without (0.85 to
    2.15); with an attempt that says 3, 2 wins with 1.15 over 1 and 0.85.
    """
    label = taught(("1", 6), ("2", 4))
    rewrites = ("2", "2", "1", "2")
    assert learnt(VOTES, label, "1", *rewrites) == "rewrite 2\nAnswer: 1"
    assert learnt(VOTES, label, "2", *rewrites) == "rewrite 0\nAnswer: 2"
    assert learnt(VOTES, label, "3", *rewrites) == "rewrite 0\nAnswer: 2"


def test_equal_shares_leave_it_to_the_rewrite() -> None:
    """1 has 1/3 of the supervisor and 2/3 of the rewrites, 2 the whole of the attempt."""
    label = taught(("1", 1), ("3", 1), ("4", 1))
    assert learnt(VOTES, label, "2", "5", "1", "1") == "rewrite 1\nAnswer: 1"


def test_a_supervisor_that_is_seldom_readable_has_little_to_say() -> None:
    """1 of 10 says 1, and nothing else can be read: 0.1 for it, against one rewrite of two that says 2."""
    assert learnt(VOTES, taught(("1", 1), unparsed=9), None, "2", "") == "rewrite 0\nAnswer: 2"
    assert learnt(THREE, taught(("1", 1), unparsed=9), "1", "2") == "own\nAnswer: 1"


def test_every_supervisor_has_a_vote_and_a_mute_one_none() -> None:
    first, second = taught(("1", 9)), replace(taught(("1", 9)), text="second\nAnswer: 1", variants=())
    seen = Told("q", (MUTE, first, second), (MUTE, first, second), response("own\nAnswer: 2"))
    assert THREE.learnt(TASK, QUESTION, seen, [response("Answer: 3")]) == "taught\nAnswer: 1"


def test_ballots_by_hand() -> None:
    assert shares([("1", 3), ("2", 1), (None, 4)]) == {"1": 0.375, "2": 0.125}
    assert shares([]) == {}
    assert one_answer(None) == {}
    assert agreed(TASK, [], "7") == "7"
    assert agreed(TASK, [{"1": 0.5}, {"2": 0.5}], "2") == "2"
    assert agreed(TASK, [{"1": 0.5}, {"2": 0.6}], None) == "2"


@pytest.mark.parametrize("alice", [THREE, VOTES])
def test_answers_are_equal_as_the_task_says(alice: Alice) -> None:
    label = taught((TASK.parse("Answer: 1,000", QUESTION) or "", 4))
    assert learnt(alice, label, "1000.0", "5") == "own\nAnswer: 1000.0"
