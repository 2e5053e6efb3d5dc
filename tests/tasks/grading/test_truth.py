"""True, false, unknown: said by the whole sentence or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from w2sg.records import Gold
from w2sg.tasks.grading import TruthGrader

GRADER = TruthGrader()


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Answer: True", "true"),
        ("Answer: yes.", "true"),
        ("Max is a yumpus. So it is.\nAnswer: false", "false"),
        ("Answer: No, because Max is red.", "false"),
        ("Answer: Unknown", "unknown"),
        ("Answer: No, it is false", "false"),
        ("Answer: True: it is not false", "true"),
        ("Answer: True, since no yumpus is red", "true"),
        ("Answer: cannot be determined", "unknown"),
        ("Answer: not true", "false"),
        ("Answer: not false", "true"),
        ("Answer: it is true.", "true"),
        ("The statement is false.", "false"),
        ("Max is not sour. The statement is false.", "false"),
        ("The answer is no.", "false"),
        ("**Answer:** **True**", "true"),
        (r"\boxed{False}", "false"),
        ("True", "true"),
        ("Answer: true\nNo wait.\nAnswer: false", "false"),
    ],
)
def test_verdict_is_read(text: str, answer: str) -> None:
    assert GRADER.parse(text) == answer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Max stays true to himself",
        "I know that",
        "Answer: true for birds",
        "Answer: neither true nor false",
        "Answer: true or false",
        "Answer: true, false",
        "Answer: true/false",
        "Answer: maybe true",
        "Answer: true - maybe false",
        "Answer: It is true, but also false",
        "Answer: yes, or possibly no",
        "Answer: No, it cannot be determined",
        "Answer: true\nAnswer: true, false",
        "Nobody knows",
        "Answer: 5",
    ],
)
def test_what_gives_no_verdict_is_none(text: str) -> None:
    assert GRADER.parse(text) is None


def test_gold_of_two_verdicts_is_none() -> None:
    assert GRADER.normal("true, false") is None
    assert GRADER.normal("false, not true") == "false"


def test_yes_is_true_in_gold_too() -> None:
    assert GRADER.correct("true", Gold("a", "Yes"))
    assert GRADER.correct("false", Gold("a", "no"))
    assert not GRADER.correct("unknown", Gold("a", "false"))
    assert not GRADER.correct(None, Gold("a", "unknown"))


@given(st.text(max_size=100))
def test_any_text_gives_a_verdict_or_none(text: str) -> None:
    assert GRADER.parse(text) in {"true", "false", "unknown", None}
