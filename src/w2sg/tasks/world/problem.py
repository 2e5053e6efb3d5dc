"""One question of the world with its solution, and the rule that keeps task questions out of the corpus.

What the three kinds ask is in `maths`, `logic` and `knowledge`; who writes about it for pretraining, in `corpus`.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import Any, Literal

from w2sg import seeding

Kind = Literal["knowledge", "maths", "logic"]

ANSWER = "Answer:"
"""What the last line of every response opens with."""

_SHARES = 8
RESERVED: dict[str, int] = {"maths": 1, "logic": 1, "knowledge": 4}
"""How many eighths of all questions of a kind are kept for tasks. Knowledge keeps half, because its world is finite."""


@dataclass(frozen=True, slots=True)
class Solution:
    """A worked solution, right or wrong."""

    rationale: str
    answer: str

    def response(self, reasoning: bool = True) -> str:
        """Return the text of the response: the rationale, when asked for, and the answer line."""
        line = f"{ANSWER} {self.answer}"
        return f"{self.rationale}\n{line}" if reasoning and self.rationale else line


@dataclass(frozen=True, slots=True)
class Problem:
    """A question, its right solution and its difficulty (steps, deductions or hops).

    `facts` is the structure that the text was made from, in the kind's own form; `key` is what identifies the
    question for the division between tasks and corpus.
    """

    kind: Kind
    question: str
    solution: Solution
    difficulty: int
    key: str
    facts: Any

    @property
    def reserved(self) -> bool:
        """Whether the question belongs to the tasks, never to the pretraining corpus."""
        return is_reserved(self.kind, self.key)


def is_reserved(kind: str, key: str) -> bool:
    """Whether the question of this key is kept for tasks; a function of the text alone, whatever the seed."""
    digest = hashlib.sha256(f"{kind}\x1f{key}".encode()).digest()
    return digest[0] % _SHARES < RESERVED[kind]


def randomness(seed: int, *names: str | int) -> random.Random:
    """Return a fresh generator for a named stream (the standard library's draws small things fastest)."""
    return random.Random(seeding.derive(seed, *names))
