"""Short answers: normalised equality, aliases, F1 and whole words; never a piece of a word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2sg.records import Gold
from w2sg.tasks.grading import ShortGrader, contains_words, normal_text

GRADER = ShortGrader()


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Answer: The Chief of Protocol.", "chief of protocol"),
        ("She was an actress, and later served abroad.\nAnswer: Chief of Protocol", "chief of protocol"),
        ("The answer is Paris. It lies on the Seine.", "paris"),
        ("The answer is J. R. R. Tolkien.", "j r r tolkien"),
        ("Answer: Dr. Strange", "dr strange"),
        ("Paris", "paris"),
        ("#### 3.5", "3.5"),
        (r"\boxed{Paris}", "paris"),
        ("Answer: The The", "the the"),
    ],
)
def test_answer_is_read(text: str, answer: str) -> None:
    assert GRADER.parse(text) == answer


@pytest.mark.parametrize(
    "text",
    ["", "Answer:", "I know that a good many people would not agree with any of this", "One line.\nAnother line."],
)
def test_talk_without_an_answer_is_none(text: str) -> None:
    assert GRADER.parse(text) is None


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("The Beatles", "beatles!", True),
        ("  new   York City ", "New York city", True),
        ("Jean-Paul Sartre", "jean paul sartre", True),
        ("1,000", "1000", True),
        ("café", "cafe\u0301", True),
        ("3.5", "35", False),
        ("-5", "5", False),
        ("no", "know", False),
        ("Paris", "Paris, France", False),
        ("a", "the", False),
    ],
)
def test_equal_after_normalising(a: str, b: str, same: bool) -> None:
    assert (normal_text(a) == normal_text(b)) is same


def test_no_is_not_in_know() -> None:
    """The classic trap of substring grading."""
    assert not contains_words("I know not", "no")
    assert contains_words("No, they are not", "no")
    assert contains_words("He lived in New York City.", "new york")
    assert not contains_words("He lived in Yorkshire", "York")
    assert not contains_words("anything", "")


def test_aliases_are_as_right() -> None:
    gold = Gold("a", "United States", aliases=("USA", "the U.S."))
    assert all(GRADER.correct(normal_text(answer), gold) for answer in ("united states", "usa", "US"))
    assert not GRADER.correct("united", gold)
    assert not GRADER.correct(None, gold)


def test_containment_only_when_asked_for() -> None:
    gold = Gold("a", "no")
    assert not GRADER.correct("no they are not", gold)
    contains = ShortGrader(match="contains")
    assert contains.correct("no they are not", gold)
    assert not contains.correct("i know", gold)
    assert not contains.correct(None, gold)


@given(st.text(max_size=100))
def test_normal_form_is_stable(text: str) -> None:
    once = normal_text(text)
    assert normal_text(once) == once


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Reasons.\nAnswer: Johal", "Johal"),
        ("Answer: Ash\u00a0ford\nAnswer: The   Louvre ", "The Louvre"),
        ("New York", "New York"),
        ("Answer: ...", "..."),
        ("Nothing is announced here.\nNor here.", None),
        ("", None),
    ],
)
def test_an_answer_is_told_as_it_was_written_and_read_as_it_is_compared(text: str, written: str | None) -> None:
    short = ShortGrader()
    assert short.written(text) == written
    assert short.parse(text) == (None if written is None else short.normal(written))
