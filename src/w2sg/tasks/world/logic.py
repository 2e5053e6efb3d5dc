"""Rule chaining: one fact, rules, and whether something is true, false or unknown.

Every question holds three chains, their rules in any order: one leads to the asked property, one to its contrary, one
elsewhere. The fact starts one of the three, which takes one to six deductions and decides the answer; the other two
are as long, but at most three. Neither number nor places of the rules tell the answer; it has to be derived.
"""

from __future__ import annotations

import random
from itertools import pairwise
from typing import NamedTuple

from w2sg.tasks.world.problem import Problem, Solution

HARDEST = 6
_LONGEST_OTHER = 3
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
    who, answer = rng.choice(NAMES), rng.choice(ANSWERS)
    asked, *words = rng.sample(PROPERTIES, len(PROPERTIES))
    rules, derived = [], ()
    for end in ANSWERS:
        length = deductions if end == answer else min(deductions, _LONGEST_OTHER)
        reached = [words.pop() for _ in range(length + (end == "unknown"))]
        rules += [Rule(a, b, True) for a, b in pairwise(reached)]
        if end != "unknown":
            rules.append(Rule(reached[-1], asked, end == "true"))
        if end == answer:
            derived = tuple(reached)
    rng.shuffle(rules)
    chain = Chain(who, derived, asked, answer, tuple(rules))
    texts = [f"{who} is {derived[0]}.", *(_state(rule, rng) for rule in rules)]
    question = " ".join([*texts, rng.choice(_QUESTIONS).format(who=who, b=asked)])
    return Problem("logic", question, explain(chain, style=rng.randrange(2)), deductions, question, chain)


def _state(rule: Rule, rng: random.Random) -> str:
    return f"{rng.choice(_OPENINGS)} {rule.a} then {'' if rule.positive else 'not '}{rule.b}."


def drill(rng: random.Random, most: int = 10) -> tuple[str, str]:
    """Return an exercise in chaining on at most `most` properties: rules in any order, and what follows for people who
    start at different places."""
    words = rng.sample(PROPERTIES, rng.randint(4, most))
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
    people = list(zip(rng.sample(NAMES, len(NAMES)), starts, strict=False))
    asked = [*(_state(rule, rng) for rule in rules), *(f"{who} is {met[0]}." for who, met in people), "What follows?"]
    return " ".join(asked), " ".join(_chain_text(who, met) for who, met in people)


def _chain_text(who: str, met: list[str], style: int = 0) -> str:
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
