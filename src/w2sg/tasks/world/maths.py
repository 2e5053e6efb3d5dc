"""Word problems of one to six steps with small numbers and distractors.

A problem follows what one person owns of one thing; each sentence adds, takes away or doubles. All totals stay
within 0 to `LARGEST`, all changes within 1 to 9.
"""

from __future__ import annotations

import random
from typing import Literal, NamedTuple

from w2sg.tasks.world.problem import Problem, Solution

LARGEST = 20
HARDEST = 6
NAMES = ("Ann", "Ben", "Cara", "Dan", "Eve", "Finn", "Gus", "Hana")
THINGS = ("apples", "beads", "books", "cards", "coins", "cups", "eggs", "pens")

_GAINS = (
    "{who} finds {n} more.",
    "{who} buys {n} {things}.",
    "{other} gives {who} {n} {things}.",
    "Then {who} gets {n} more.",
)
_LOSSES = (
    "{who} loses {n}.",
    "{who} sells {n} {things}.",
    "{who} gives {other} {n} {things}.",
    "Then {who} gives away {n}.",
)
_DOUBLES = ("Then {who} doubles the {things}.", "{who} gets as many again.")
_DISTRACTORS = (
    "{other} has {n} {others}.",
    "{other} buys {n} {others}.",
    "{other} finds {n} {others}.",
    "It rains for {n} days.",
)
_QUESTIONS = (
    "How many {things} does {who} have now?",
    "How many {things} has {who} in the end?",
    "What number of {things} does {who} have now?",
)
_LINKS = ((". ", ""), (", then ", "First "))

Sign = Literal["+", "-", "x"]


class Change(NamedTuple):
    """One step: `before` sign `n` = `after`; the sign `x` doubles (`n` is 2)."""

    before: int
    sign: Sign
    n: int
    after: int


def apply(before: int, sign: Sign, n: int) -> int:
    """Return the total after a change."""
    return before + n if sign == "+" else before - n if sign == "-" else before * n


def draw(rng: random.Random, steps: int) -> Problem:
    """Return a word problem of that many steps (1 to 6)."""
    who, other = rng.sample(NAMES, 2)
    things, others = rng.sample(THINGS, 2)
    changes = _changes(rng, steps)
    words = {"who": who, "other": other, "things": things, "others": others}
    compared = changes[0].sign != "x" and rng.random() < 0.2
    sentences = []
    if compared:
        first = changes[0]
        degree = "more" if first.sign == "+" else "fewer"
        sentences.append(f"{other} has {first.before} {things}. {who} has {first.n} {degree} {things} than {other}.")
    else:
        sentences.append(f"{who} has {changes[0].before} {things}.")
    for change in changes[1:] if compared else changes:
        forms = {"+": _GAINS, "-": _LOSSES, "x": _DOUBLES}[change.sign]
        sentences.append(rng.choice(forms).format(n=change.n, **words))
    if rng.random() < 0.3:
        place = rng.randrange(1, len(sentences) + 1)
        sentences.insert(place, rng.choice(_DISTRACTORS).format(n=rng.randint(2, 9), **words))
    question = " ".join([*sentences, rng.choice(_QUESTIONS).format(**words)])
    solution = explain(changes, style=rng.randrange(len(_LINKS)))
    return Problem("maths", question, solution, steps, question, changes)


def _changes(rng: random.Random, steps: int) -> tuple[Change, ...]:
    total = rng.randint(2, 12)
    changes = []
    for _ in range(steps):
        sign: Sign = "x" if total in range(2, LARGEST // 2 + 1) and rng.random() < 0.12 else rng.choice(("+", "-"))
        if sign == "+" and total + 9 > LARGEST:
            sign = "-"
        if sign == "-" and total < 3:
            sign = "+"
        n = 2 if sign == "x" else rng.randint(1, min(9, total)) if sign == "-" else rng.randint(1, 9)
        after = apply(total, sign, n)
        changes.append(Change(total, sign, n, after))
        total = after
    return tuple(changes)


def explain(changes: tuple[Change, ...], style: int = 0) -> Solution:
    """Return the worked solution of these changes."""
    link, opening = _LINKS[style]
    text = link.join(f"{change.before} {change.sign} {change.n} = {change.after}" for change in changes)
    return Solution(f"{opening if len(changes) > 1 else ''}{text}.", str(changes[-1].after))


def drill(rng: random.Random) -> str:
    """Return an exercise in counting: a run of changes without a story."""
    return explain(_changes(rng, rng.randint(6, 10)), style=rng.randrange(len(_LINKS))).rationale


def slip(problem: Problem, rng: random.Random) -> Solution:
    """Return a careless solution: a step miscounted, turned round or left out, and carried on from there."""
    changes: tuple[Change, ...] = problem.facts
    for _ in range(20):
        place = rng.randrange(len(changes))
        how = rng.choice(("miscount", "turn", "skip") if len(changes) > 1 else ("miscount", "turn"))
        wrong, total = [], changes[0].before
        for position, change in enumerate(changes):
            sign, n = change.sign, change.n
            if position == place:
                if how == "skip":
                    continue
                if how == "turn" and sign != "x":
                    sign = "-" if sign == "+" else "+"
            after = apply(total, sign, n)
            if position == place and how == "miscount":
                after += rng.choice((-2, -1, 1, 2))
            wrong.append(Change(total, sign, n, after))
            total = after
        if all(0 <= change.after <= 2 * LARGEST for change in wrong) and wrong[-1].after != changes[-1].after:
            return explain(tuple(wrong), style=rng.randrange(len(_LINKS)))
    last = changes[-1]
    return explain((*changes[:-1], last._replace(after=last.after + 1)), style=0)


def guess(problem: Problem, rng: random.Random) -> str:
    """Return a wrong answer that is near the right one."""
    right = int(problem.solution.answer)
    return str(rng.choice([n for n in range(max(0, right - 6), right + 7) if n != right]))
