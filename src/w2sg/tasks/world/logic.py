"""Rule chaining: one fact, rules, and whether something is true, false or unknown.

The chain takes one to six deductions. Rules that conclude the asked property with either sign are always there.
The chain's rules stand in order, so the places of those two rules tell something of the answer: the best guess from
places alone is right on 36, 51, 61, 68, 73 and 76 % at one to six deductions.
"""

from __future__ import annotations

import random
from itertools import pairwise
from typing import NamedTuple

from w2sg.tasks.world.problem import Problem, Solution

HARDEST = 6
NAMES = ("Rex", "Mia", "Tom", "Zoe", "Max", "Ida", "Bob", "Una")
PROPERTIES = (
    "red", "kind", "tall", "calm", "loud", "shy", "brave", "quick",
    "round", "cold", "soft", "old", "wise", "bright", "clean", "sweet",
)  # fmt: skip
ANSWERS = ("true", "false", "unknown")

# Rules and reasoning share the words between premise and conclusion, which is how small models learn to look rules up.
_OPENINGS = ("If", "When", "Once")
_QUESTIONS = ("Is {who} {b}?", "True or false: {who} is {b}?", "Is it true that {who} is {b}?")


class Rule(NamedTuple):
    """Whatever is `a` is `b`, or is not `b`."""

    a: str
    b: str
    positive: bool


class Chain(NamedTuple):
    """The structure of a question: who, the properties derived in order, the asked one, and the answer."""

    who: str
    derived: tuple[str, ...]
    asked: str
    answer: str
    rules: tuple[Rule, ...]


def draw(rng: random.Random, deductions: int) -> Problem:
    """Return a question that takes that many deductions (1 to 6)."""
    who = rng.choice(NAMES)
    words = rng.sample(PROPERTIES, deductions + 5)
    answer = rng.choice(ANSWERS)
    asked, x, y, z, *spare = words
    reached = spare[: deductions + (answer == "unknown")]
    rules = [Rule(a, b, True) for a, b in pairwise(reached)]
    if answer == "unknown":
        sign = rng.random() < 0.5
        beside = [Rule(x, asked, sign), Rule(y, asked, not sign)]
    else:
        rules.append(Rule(reached[-1], asked, answer == "true"))
        beside = [Rule(x, asked, answer != "true"), Rule(y, z, rng.random() < 0.7)]
    for rule in beside:  # the chain keeps its order, for the smallest members cannot look rules up
        rules.insert(rng.randrange(len(rules) + 1), rule)
    chain = Chain(who, tuple(reached), asked, answer, tuple(rules))
    texts = [f"{who} is {reached[0]}.", *(_state(rule, rng) for rule in rules)]
    question = " ".join([*texts, rng.choice(_QUESTIONS).format(who=who, b=asked)])
    return Problem("logic", question, explain(chain, style=rng.randrange(2)), deductions, question, chain)


def _state(rule: Rule, rng: random.Random) -> str:
    return f"{rng.choice(_OPENINGS)} {rule.a}, then {'' if rule.positive else 'not '}{rule.b}."


def drill(rng: random.Random) -> str:
    """Return an exercise in chaining: rules, and what follows for several who start at different places."""
    reached = rng.sample(PROPERTIES, rng.randint(3, 6))
    rules = [Rule(a, b, True) for a, b in pairwise(reached)]
    last_positive = rng.random() < 0.5
    rules[-1] = rules[-1]._replace(positive=last_positive)
    if not last_positive:
        reached[-1] = f"not {reached[-1]}"
    texts = [_state(rule, rng) for rule in rules]
    starts = rng.sample(range(len(reached) - 1), min(3, len(reached) - 1))
    for who, start in zip(rng.sample(NAMES, len(starts)), starts, strict=True):
        texts.append(_chain_text(who, reached[start:], rng.randrange(2)))
    return " ".join(texts)


def _chain_text(who: str, met: list[str], style: int) -> str:
    return ("", "We know that ")[style] + f"{who} is " + ", then ".join(met) + "."


def explain(chain: Chain, style: int = 0) -> Solution:
    """Return the worked solution of the chain."""
    met = list(chain.derived)
    if chain.answer != "unknown":
        met.append(chain.asked if chain.answer == "true" else f"not {chain.asked}")
    text = _chain_text(chain.who, met, style)
    if chain.answer == "unknown":
        text += " Nothing more follows."
    return Solution(text, chain.answer)


def slip(problem: Problem, rng: random.Random) -> Solution:
    """Return a careless solution: a rule misread on the way, a sign lost, or the chain given up."""
    chain: Chain = problem.facts
    derived = list(chain.derived[: rng.randint(1, len(chain.derived))])
    answer = rng.choice([other for other in ANSWERS if other != chain.answer])
    if answer == "unknown" and len(derived) == 1 and rng.random() < 0.5:
        derived.append(rng.choice([word for word in PROPERTIES if word not in chain.derived and word != chain.asked]))
    return explain(chain._replace(derived=tuple(derived), answer=answer), style=rng.randrange(2))


def guess(problem: Problem, rng: random.Random) -> str:
    """Return a wrong answer."""
    return rng.choice([other for other in ANSWERS if other != problem.solution.answer])
