"""Scripted models that read what they are shown, or do not."""

from __future__ import annotations

import re


def reader(question: str) -> str:
    """Repeats another's solution, or that of another's answers which was given most often."""
    answers = _listed(question)
    return _repeats(question) or f"Answer: {max(answers)[1] if answers else 'unknown'}"


def hasty(question: str) -> str:
    """Repeats another's solution, or the first of another's answers."""
    answers = _listed(question)
    return _repeats(question) or f"Answer: {answers[0][1] if answers else 'unknown'}"


def _repeats(question: str) -> str:
    shown = re.search(r"Another's solution: (.*)\nWhat is the right", question, re.DOTALL)
    return shown[1] if shown else ""


def _listed(question: str) -> list[tuple[int, str]]:
    """The answers of another, each after how often it was given."""
    shown = re.search(r"Another's answers: (.*)", question)
    pairs = re.findall(r"(?:^|, )(.*?) \((\d+) times\)", shown[1]) if shown else []
    return [(int(count), answer) for answer, count in pairs]


def deaf(question: str) -> str:
    """Says the same whatever is asked and shown."""
    return "Answer: 7"
