"""Rule chaining: one fact, rules, and whether something is true, false or unknown.

The chain takes one to six deductions. Every question holds as many rules, whatever its answer, in any order: two
conclude the asked property, one with either sign, and each of those two rests on another rule, so neither the number
nor the places of the rules tell the answer; it has to be derived from the fact.
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

# Rules and reasoning share the word between premise and conclusion, which is how small models learn to look rules up.
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
    asked, x, before_x, y, before_y, *spare = rng.sample(PROPERTIES, deductions + 6)
    answer = rng.choice(ANSWERS)
    reached = spare[: deductions + (answer == "unknown")]
    rules = [Rule(a, b, True) for a, b in pairwise(reached)]
    if answer == "unknown":
        sign = rng.random() < 0.5
        rules += [Rule(x, asked, sign), Rule(y, asked, not sign)]
    else:
        rules += [Rule(reached[-1], asked, answer == "true"), Rule(x, asked, answer != "true")]
        rules.append(Rule(y, spare[-1], rng.random() < 0.7))
    rules += [Rule(before_x, x, True), Rule(before_y, y, True)]
    rng.shuffle(rules)
    chain = Chain(who, tuple(reached), asked, answer, tuple(rules))
    texts = [f"{who} is {reached[0]}.", *(_state(rule, rng) for rule in rules)]
    question = " ".join([*texts, rng.choice(_QUESTIONS).format(who=who, b=asked)])
    return Problem("logic", question, explain(chain, style=rng.randrange(2)), deductions, question, chain)


def _state(rule: Rule, rng: random.Random) -> str:
    return f"{rng.choice(_OPENINGS)} {rule.a} then {'' if rule.positive else 'not '}{rule.b}."


def drill(rng: random.Random) -> tuple[str, str]:
    """Return an exercise in chaining: rules in any order with where people start, and what follows for each."""
    words = rng.sample(PROPERTIES, rng.randint(4, 10))
    cut = rng.randint(2, len(words) - 2)
    chains = [words[:cut], words[cut:]]
    rules = [Rule(a, b, True) for chain in chains for a, b in pairwise(chain)]
    if rng.random() < 0.5:
        chain = rng.choice(chains)
        rules.append(Rule(chain[-1], rng.choice(words), False))
        chain.append(f"not {rules[-1].b}")
    rng.shuffle(rules)
    starts = [chain[place:] for chain in chains for place in range(len(chain) - 1)]
    rng.shuffle(starts)
    style = rng.randrange(2)
    people = list(zip(rng.sample(NAMES, len(NAMES)), starts, strict=False))
    asked = " ".join(_state(rule, rng) for rule in rules)
    return f"{asked} What follows?", " ".join(_chain_text(who, met, style) for who, met in people)


def _chain_text(who: str, met: list[str], style: int) -> str:
    return ("", "We know that ")[style] + f"{who} is " + " then ".join(met) + "."


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
