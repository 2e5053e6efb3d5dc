"""Where in a reply the final answer begins."""

from __future__ import annotations

import pytest

from w2sg.tasks.grading.marks import final_answer


@pytest.mark.parametrize(
    ("text", "mark", "rest"),
    [
        ("2 + 3 is 5.\nAnswer: 5", "Answer:", "5"),
        ("Answer: 4, no.\nAnswer:  7 ", "Answer:", "7 "),
        ("So\n#### 72", "####", "72"),
        ("It is 5.\n  Five, I say.\n", "Answer:", "Five, I say.\n"),
        ("5", "Answer:", "5"),
        ("5\nAnswer:", "Answer:", "Answer:"),
        ("", "Answer:", ""),
    ],
)
def test_final_answer(text: str, mark: str, rest: str) -> None:
    assert text[final_answer(text, mark) :] == rest
