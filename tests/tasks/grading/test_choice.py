"""Multiple choice: letters, numbers and texts of options, never a letter out of a sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2sg.records import Gold
from w2sg.tasks.grading import ChoiceGrader

GRADER = ChoiceGrader()
PALMS = ("dry palms", "wet palms", "palms covered with oil")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Answer: B", "B"),
        ("Answer: (b)", "B"),
        ("Answer: b.", "B"),
        ("Answer: [C]", "C"),
        ("**Answer: B. wet palms**", "B"),
        ("Answer: B) wet palms", "B"),
        ("Answer: B wet palms", "B"),
        ("Answer: wet palms", "B"),
        ("Answer: Wet palms.", "B"),
        ("Answer: option B", "B"),
        ("Answer: Option B because water slips", "B"),
        ("Answer: B, because water slips", "B"),
        ("Answer: 2", "B"),
        ("the correct answer is answer2", "B"),
        ("My choice is C.", "C"),
        ("I choose C. It has oil.", "C"),
        ("The answer is palms covered with oil. They slip.", "C"),
        (r"\boxed{A}", "A"),
        ("#### A", "A"),
        ("B", "B"),
        ("B.", "B"),
        ("wet palms", "B"),
        ("Oil slips, water less so.\n\nA", "A"),
        ("Answer: A\nNo, wait.\nAnswer: B", "B"),
    ],
)
def test_option_is_read(text: str, answer: str) -> None:
    assert GRADER.parse(text, PALMS) == answer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I think a nice Bear would choose well",
        "A good question, but dry is best",
        "Answer: A good question",
        "Answer: D",
        "Answer: 4",
        "Answer: 0",
        "Answer: both A and B",
        "Answer: A and B",
        "Answer: A, B",
        "Answer: A or B",
        "Answer: B. dry palms",
        "Answer: palms",
        "Answer: dry palms or wet palms",
        "Answer: Because",
    ],
)
def test_what_names_no_single_option_is_none(text: str) -> None:
    """The gold letter is a substring of almost every sentence, and of half of all wrong options."""
    assert GRADER.parse(text, PALMS) is None


def test_options_that_look_like_labels() -> None:
    assert GRADER.parse("Answer: 3", ("3", "1", "2")) == "A"  # the text of A, not the third option
    assert GRADER.parse("Answer: 5", ("3", "1", "2")) is None
    assert GRADER.parse("Answer: A dog", ("a cat", "a dog")) == "B"
    assert GRADER.parse("Answer: A", ("vitamin C", "vitamin A")) == "A"
    assert GRADER.parse("Answer: C++", ("C", "C++")) == "B"
    assert GRADER.parse("Answer: 10%", ("10%", "20%")) == "A"


def test_three_to_five_options() -> None:
    options = ("north", "south", "east", "west", "up")
    assert GRADER.parse("Answer: E", options) == "E"
    assert GRADER.parse("Answer: E", options[:3]) is None
    assert GRADER.parse("Answer: 5", options) == "E"


def test_gold_may_be_letter_number_or_text() -> None:
    for gold in ("B", "2", "wet palms", "b"):
        assert GRADER.correct("B", Gold("a", gold), PALMS)
        assert not GRADER.correct("A", Gold("a", gold), PALMS)
    assert not GRADER.correct(None, Gold("a", "B"), PALMS)


def test_shown_with_its_text_and_read_back() -> None:
    shown = GRADER.shown("B", PALMS)
    assert shown == "B. wet palms"
    assert GRADER.parse(f"Answer: {shown}", PALMS) == "B"


@given(st.text(max_size=80), st.lists(st.text(min_size=1, max_size=12), min_size=2, max_size=5, unique=True))
def test_any_text_gives_a_letter_of_an_option_or_none(text: str, options: list[str]) -> None:
    answer = GRADER.parse(text, options)
    assert answer is None or answer in "ABCDE"[: len(options)]
    if answer is not None:
        assert GRADER.normal(answer, options) == answer
