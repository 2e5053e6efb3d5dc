"""Scripted models that read what they are shown, or do not."""

from __future__ import annotations

import re


def reader(question: str) -> str:
    """Repeats another's solution, or the first of another's answers."""
    if shown := re.search(r"Another's solution: (.*)\nWhat is the right", question, re.DOTALL):
        return shown[1]
    answers = re.search(r"Another's answers: (.*) \(\d+ times\),", question)
    return f"Answer: {answers[1] if answers else 'unknown'}"


def deaf(question: str) -> str:
    """Says the same whatever is asked and shown."""
    return "Answer: 7"
