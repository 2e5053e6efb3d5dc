"""Numbers as answers: every form of one number is one answer, and nothing that is not a number passes for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2sg.records import Gold
from w2sg.tasks.grading import NumericGrader, normal_number

GRADER = NumericGrader()


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("She sold 48 / 2 = 24 and 24 + 48 = 72.\n#### 72", "72"),
        ("#### 1,000", "1000"),
        ("####1000.0", "1000"),
        ("Answer: $1,000.00.", "1000"),
        ("Answer: US$ 12", "12"),
        ("Answer: 12 €", "12"),
        ("Answer: €12", "12"),
        ("Answer: -5", "-5"),
        ("Answer: −5", "-5"),
        ("Answer: -$5", "-5"),
        ("Answer: $-5", "-5"),
        ("Answer: 3/4", "0.75"),
        ("Answer: 1/3 of the cake", "1/3"),
        ("Answer: 2/6", "1/3"),
        ("Answer: 2 1/2 cups", "2.5"),
        ("Answer: 2½", "2.5"),
        ("Answer: .5", "0.5"),
        ("Answer: 0.50", "0.5"),
        ("Answer: 50%", "50"),
        ("Answer: 12 apples.", "12"),
        ("Answer: 12kg", "12"),
        ("Answer: $18/hour", "18"),
        ("Answer: 3 + 4 = 7", "7"),
        ("Answer: x = 12 apples", "12"),
        ("Answer: She has 5 apples.", "5"),
        ("Answer: about 40", "40"),
        ("Answer: (5)", "5"),
        ("Answer:\n\n 7", "7"),
        ("Answer: 5 million", "5000000"),
        ("Answer: 1.5e3", "1500"),
        ("Answer: 1,00,000", "100000"),
        ("**Final answer:** **18**", "18"),
        ("The answer is 5. I checked it 3 times.", "5"),
        ("the answer was: 1.25", "1.25"),
        (r"so \boxed{72}", "72"),
        (r"so $\boxed{\frac{3}{4}}$", "0.75"),
        (r"so \boxed{1{,}000}", "1000"),
        ("72", "72"),
        (" $72. ", "72"),
    ],
)
def test_announced_number_is_read(text: str, answer: str) -> None:
    assert GRADER.parse(text) == answer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I do not know.",
        "First 5, then 6 of them.",
        "Answer:",
        "Answer: five",
        "Answer: between 5 and 8",
        "Answer: 5-8",
        "Answer: 10 - 5",
        "Answer: 1,5",
        "Answer: 12,34",
        "Answer: 1.000.000",
        "Answer: 3:30",
        "Answer: 1/2/2020",
        "Answer: 1/0",
        "Answer: 1e999",
        "Answer: x5",
        "Answer: 2^10",
        "The answer is not 5.",
        "Answer: " + "9" * 5000,
        r"\boxed{72",
    ],
)
def test_what_is_no_number_is_none(text: str) -> None:
    assert GRADER.parse(text) is None


@pytest.mark.parametrize("space", [" ", "\u00a0", "\u202f", "\u2009"])
def test_spaces_between_thousands(space: str) -> None:
    assert GRADER.parse(f"Answer: 1{space}500") == "1500"
    assert GRADER.parse(f"#### $12{space}345{space}678.50 in all") == "12345678.5"
    assert normal_number(f"1{space}000") == GRADER.parse(f"1{space}000") == "1000"
    assert normal_number(f"2{space}1/2") == "2.5"


@pytest.mark.parametrize(
    "text",
    [
        "5 or 7",
        "5 or maybe 7",
        "5 (or 7)",
        "5 or six",
        "5 and 7",
        "5 and a half",
        "5 apples and 7 pears",
        "5 apples for Tom and 7 for Ann",
        "18 dollars and 50 cents",
        "5, 7",
        "5 apples, 7 pears",
        "(5, 7)",
        "5; 7",
        "5 / 7 / 9",
        "3 to 4",
        "3 dollars to 4 dollars",
        "20 * 3",
        "20 \\times 3",
        "10 x 3",
        "12 cm x 3 cm",
        "2 + 3",
        "5 minus 2",
        "20 divided by 4",
        "12 34",
        "12 3456",
        "$5 $7",
        "£5 30p",
        "6 feet 2 inches",
        "3 May 1990",
        "±5",
        "x = 3 or x = 4",
        "x = 3, y = 4",
        "2 + 3 = 5 or 6",
        "5 = 2 + 3",
    ],
)
def test_two_numbers_are_no_answer(text: str) -> None:
    assert GRADER.parse(f"#### 5\nAnswer: {text}") is None
    assert NumericGrader(last_number=True).parse(f"Answer: {text}") is None
    assert normal_number(text) is None


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("5 of the 12 eggs", "5"),
        ("5 out of 12", "5"),
        ("7 (seven)", "7"),
        ("7 (not 8)", "7"),
        ("7, not 8", "7"),
        ("24 (12 + 12)", "24"),
        ("$18 for 3 hours", "18"),
        ("$5 per 2 hours", "5"),
        ("5 in 2020", "5"),
        ("5, because 12 minus 7 is 5", "5"),
        ("5, because -3 is less", "5"),
        ("7 apples: 3 red and 4 green", "7"),
        ("12 cm^2", "12"),
        ("12 m2", "12"),
        ("12 \\text{ cm}^{2}", "12"),
        ("5 hundred", "500"),
        ("2 + 3 = 5", "5"),
        ("48 / 2 = 24 and 24 + 48 = 72", "72"),
        ("2 * 5 = 10, 10 + 3 = 13", "13"),
        ("5 apples and some pears", "5"),
        ("5 or more", "5"),
    ],
)
def test_what_is_told_beside_the_number_is_passed_over(text: str, answer: str) -> None:
    assert GRADER.parse(f"Answer: {text}") == answer


def test_last_announced_number_wins() -> None:
    """A model that corrects itself is taken at its last word; a last mark without a number does not erase it."""
    assert GRADER.parse("#### 5\nWait.\n#### 6") == "6"
    assert GRADER.parse(r"\boxed{5} so Answer: 6") == "6"
    assert GRADER.parse("#### 5\nThe answer is above.") == "5"


def test_last_number_is_used_only_when_asked_for() -> None:
    text = "She has 5 apples and then 12 of them."
    assert GRADER.parse(text) is None
    assert NumericGrader(last_number=True).parse(text) == "12"
    assert NumericGrader(last_number=True).parse("#### 3\nThat took 4 steps.") == "3"
    assert NumericGrader(last_number=True).parse("none") is None


def test_grades_by_value() -> None:
    gold = Gold("a", "1,000")
    assert GRADER.correct("1000", gold)
    assert GRADER.correct(GRADER.parse("#### 1000.0"), gold)
    assert not GRADER.correct("100", gold)
    assert not GRADER.correct(None, gold)
    assert GRADER.correct("0.5", Gold("a", "2/4"))
    assert GRADER.correct("7", Gold("a", "8", aliases=("7",)))


@pytest.mark.parametrize("gold", ["5", "1,234", "$3.50", "-2", "7.", "25%", "1/3", "18 dollars"])
def test_bare_gold_answers_have_a_normal_form(gold: str) -> None:
    assert normal_number(gold) is not None


@given(st.text(max_size=200))
def test_any_text_gives_a_stable_answer_or_none(text: str) -> None:
    for grader in (GRADER, NumericGrader(last_number=True)):
        answer = grader.parse(f"Answer: {text}")
        assert answer is None or grader.normal(answer) == answer


@given(st.integers(-(10**12), 10**12))
def test_integers_round_trip_with_and_without_commas(number: int) -> None:
    assert GRADER.parse(f"#### {number:,}") == GRADER.parse(f"Answer: {number}.0") == str(number)


@given(st.decimals(min_value=-1000, max_value=1000, places=3))
def test_decimals_keep_their_value(number: object) -> None:
    answer = GRADER.parse(f"#### {number}")
    assert answer is not None
    assert float(answer) == float(str(number))
