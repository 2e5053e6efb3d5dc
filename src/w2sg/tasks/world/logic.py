"""Rule chaining: one fact, rules, and whether something is true, false or unknown.

Every question holds three chains, their rules in any order: one leads to the asked property, one to its contrary, one
elsewhere. The fact starts one of the three, which takes one to six deductions and decides the answer; the other two
are as long, but at most three. Neither number nor places of the rules tell the answer; it has to be derived. Where two
deductions or more are asked for, the way forks once: another rule leaves the same property and leads into a dead end,
so that one has to look ahead or to be told.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from w2sg.tasks.world.problem import Problem, Solution

HARDEST = 6
_LONGEST_OTHER = 3
_LONGEST_DEAD_END = 3
NAMES = ("Rex", "Mia", "Tom", "Zoe", "Max", "Ida", "Bob", "Una")
PROPERTIES = (
    "red", "kind", "tall", "calm", "loud", "shy", "brave", "quick",
    "round", "cold", "soft", "old", "wise", "bright", "clean", "sweet",
    "young", "proud", "dry", "rich",
)  # fmt: skip
ANSWERS = ("true", "false", "unknown")

_OPENINGS = ("We know:", "It holds:", "The rules:")
# Reasoning quotes a rule as it stands, verb and all, and rules differ in their verbs: the next word of a quotation is
# then often the one that followed the last word before, which is the form of looking up that small models learn first.
_VERBS = ("means", "makes", "brings", "gives")
_QUESTIONS = ("Is {who} {b}?", "True or false: {who} is {b}?", "Is it true that {who} is {b}?")


class Rule(NamedTuple):
    """Whatever is `a` is `b`, or is not `b`; `verb` is the word for it."""

    a: str
    verb: str
    b: str
    positive: bool = True

    def __str__(self) -> str:
        return f"{self.a} {self.verb} {'' if self.positive else 'not '}{self.b}"


class Chain(NamedTuple):
    """The structure of a question: who, the property of the fact, the rules used in order, the asked property, the
    answer, all rules, and those of the dead end, in order."""

    who: str
    start: str
    used: tuple[Rule, ...]
    asked: str
    answer: str
    rules: tuple[Rule, ...]
    dead_end: tuple[Rule, ...] = ()


def draw(rng: random.Random, deductions: int) -> Problem:
    """Return a question that takes that many deductions (1 to 6)."""
    who, answer = rng.choice(NAMES), rng.choice(ANSWERS)
    asked, *words = rng.sample(PROPERTIES, len(PROPERTIES))
    chains = {}
    for end in ANSWERS:
        length = deductions if end == answer else min(deductions, _LONGEST_OTHER)
        reached = [words.pop() for _ in range(length)]
        reached.append(words.pop() if end == "unknown" else asked)
        chains[end] = _linked(rng, reached, positive=end != "false")
    used = tuple(chains[answer])
    dead_end: list[Rule] = []
    if deductions > 1:
        fork = rng.choice(used).a
        dead_end = _linked(rng, [fork, *(words.pop() for _ in range(rng.randint(1, _LONGEST_DEAD_END)))])
    rules = [rule for chain in (*chains.values(), dead_end) for rule in chain]
    rng.shuffle(rules)
    chain = Chain(who, used[0].a, used, asked, answer, tuple(rules), tuple(dead_end))
    text = f"{who} is {used[0].a}. {_state(rules, rng)} {rng.choice(_QUESTIONS).format(who=who, b=asked)}"
    return Problem("logic", text, explain(chain), deductions, text, chain)


def _linked(rng: random.Random, reached: list[str], positive: bool = True) -> list[Rule]:
    """Return the rules that lead from each property to the next, the last of them with its sign."""
    rules = [Rule(a, rng.choice(_VERBS), b) for a, b in pairwise(reached)]
    return [*rules[:-1], rules[-1]._replace(positive=positive)]


def _state(rules: list[Rule], rng: random.Random) -> str:
    return f"{rng.choice(_OPENINGS)} {', '.join(map(str, rules))}."


def drill(rng: random.Random, most: int = 10) -> tuple[str, str]:
    """Return an exercise in chaining on at most `most` properties: rules in any order, and what follows for people who
    start at different places."""
    words = rng.sample(PROPERTIES, rng.randint(4, most))
    cut = rng.randint(2, len(words) - 2)
    chains = [_linked(rng, part, positive=rng.random() < 0.75) for part in (words[:cut], words[cut:])]
    rules = [rule for chain in chains for rule in chain]
    rng.shuffle(rules)
    starts = [chain[place:] for chain in chains for place in range(len(chain))]
    rng.shuffle(starts)
    people = list(zip(rng.sample(NAMES, len(NAMES)), starts, strict=False))
    facts = " ".join(f"{who} is {used[0].a}." for who, used in people)
    return f"{facts} {_state(rules, rng)} What follows?", " ".join(_quote(who, used[0].a, used) for who, used in people)


def _quote(who: str, start: str, used: Sequence[Rule]) -> str:
    return ", ".join([f"{who} is {start}", *map(str, used)]) + "."


def explain(chain: Chain) -> Solution:
    """Return the worked solution of the chain."""
    text = _quote(chain.who, chain.start, chain.used)
    if chain.answer == "unknown":
        text += " Nothing more follows."
    return Solution(text, chain.answer)


def slip(problem: Problem, rng: random.Random) -> Solution:
    """Return a careless solution: the dead end taken, a rule misread on the way, a sign lost, or the chain given up."""
    chain: Chain = problem.facts
    if chain.dead_end and chain.answer != "unknown" and rng.random() < 0.5:
        before = [rule.a for rule in chain.used].index(chain.dead_end[0].a)
        return explain(chain._replace(used=(*chain.used[:before], *chain.dead_end), answer="unknown"))
    kept = chain.used[: rng.randrange(len(chain.used))]
    answer = rng.choice([other for other in ANSWERS if other != chain.answer])
    here = kept[-1].b if kept else chain.start
    if answer == "unknown":
        passed = {chain.start, chain.asked, *(rule.b for rule in chain.used)}
        end = rng.choice([word for word in PROPERTIES if word not in passed])
    else:
        end = chain.asked
    misread = Rule(here, rng.choice(_VERBS), end, positive=answer != "false")
    return explain(chain._replace(used=(*kept, misread), answer=answer))


def guess(problem: Problem, rng: random.Random) -> str:
    """Return a wrong answer."""
    return rng.choice([other for other in ANSWERS if other != problem.solution.answer])
