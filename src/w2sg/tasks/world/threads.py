"""How a thread of the corpus shows a question together with what others said of it.

The same forms serve to show a student another's work in context.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

DOUBTS: tuple[tuple[float, tuple[str, ...]], ...] = (
    (0.8, ("They are sure.", "They have no doubt.", "They are certain of it.")),
    (0.55, ("They are fairly sure.", "It is likely right.", "They have little doubt.")),
    (0.35, ("They are in doubt.", "It may be wrong.", "They are not sure.")),
    (0.0, ("They only guess.", "It is likely wrong.", "They have much doubt.")),
)
"""Remarks of doubt, by the least share of the votes that the first answer has."""


def doubt(share: float, rng: random.Random) -> str:
    """Return a remark on an answer that took this share of the votes."""
    return rng.choice(next(remarks for least, remarks in DOUBTS if share >= least))


def revise(
    question: str,
    *,
    attempt: str = "",
    demonstration: str = "",
    answers: Sequence[tuple[str, int]] = (),
    doubt: str = "",
) -> str:
    """Return the request to revise; parts that are empty are left out.

    Args:
        question: the question.
        attempt: one's own first response.
        demonstration: another's whole response.
        answers: another's answers with how often each was given.
        doubt: a remark on how sure the other is.
    """
    lines = [question]
    if attempt:
        lines.append(f"My try: {attempt}")
    if demonstration:
        lines.append(f"Another's solution: {demonstration}")
    if answers:
        lines.append(listed(answers))
    if doubt:
        lines.append(doubt)
    return "\n".join([*lines, "What is the right solution?"])


def listed(answers: Sequence[tuple[str, int]]) -> str:
    """Return the line that tells another's answers, each with how often it was given."""
    return "Another's answers: " + ", ".join(f"{answer} ({count} times)" for answer, count in answers)
