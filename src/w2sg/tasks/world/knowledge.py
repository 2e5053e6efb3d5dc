"""A small fictional world and questions of one to three hops about it.

The world is one and the same whatever the seed of a task: people, towns and regions with their facts. How often
the corpus mentions somebody falls off with their rank (Zipf), so that rare facts are known to larger models only. The
last of the ranks are hardly ever mentioned: what is asked about them even the largest members have to be told.
"""

from __future__ import annotations

import random
from functools import cache
from typing import NamedTuple

from w2sg.tasks.world.problem import Problem, Solution, is_reserved, randomness

HARDEST = 3
ZIPF = 0.7
SPOKEN_OF = 360
"""How many people, the first by rank, are spoken of by Zipf's law; the others seldom."""
SELDOM = 0.04
"""The factor on how often Zipf's law would mention the others."""
_WORLD_SEED = 1

_FIRST = (
    "Ta", "Bel", "Mor", "Fi", "Ka", "Lu", "Ren", "So", "Vi", "Dor",
    "Ga", "Hel", "Jo", "Ni", "Per", "Qui", "Sa", "Tor", "Ul", "Yan",
    "Bri", "Em", "Ha", "Wil",
)  # fmt: skip
_LAST = (
    "vo", "rin", "mir", "la", "dek", "sha", "tan", "wen", "zo", "bra",
    "lis", "nik", "gard", "fay", "mond", "pek", "ster", "hal", "dan", "rik",
)  # fmt: skip
_TOWN_FIRST = ("Ash", "Brook", "Crag", "Dun", "Elm", "Fen")
_TOWN_LAST = ("ford", "holt", "mere", "ton", "wick", "by")
REGIONS = ("Norland", "Westmark", "Sunvale", "Highmoor", "Lowfen", "Redhill", "Greycoast", "Oakshire", "Farwold")
CRAFTS = (
    "baker", "smith", "weaver", "potter", "tailor", "carver", "miller", "fisher",
    "hunter", "singer", "painter", "cook", "mason", "tanner",
)  # fmt: skip
PETS = ("cat", "dog", "fox", "goat", "crow", "hen", "pig", "hare", "toad", "duck", "mule", "swan")
DISHES = ("soup", "bread", "cheese", "stew", "pie", "jam", "cake", "fish", "rice", "honey", "nuts", "tea")
COLOURS = ("red", "blue", "green", "white", "black", "yellow")


class Relation(NamedTuple):
    """One relation: whose, to what, how it is stated, asked for, and named inside a longer question."""

    subject: str
    object: str
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    phrase: str = ""


RELATIONS: dict[str, Relation] = {
    "town": Relation(
        "person", "town",
        ("{a} was born in {b}.", "{a} comes from {b}.", "The birthplace of {a} is {b}."),
        ("Where was {a} born?", "Which town does {a} come from?"), "the birthplace of {a}",
    ),
    "craft": Relation(
        "person", "craft", ("{a} works as a {b}.", "{a} is a {b}.", "The craft of {a} is {b}."),
        ("What is the craft of {a}?", "What does {a} work as?"),
    ),
    "pet": Relation(
        "person", "pet", ("{a} keeps a {b}.", "{a} has a {b}.", "The pet of {a} is a {b}."),
        ("What pet does {a} keep?", "Which pet has {a}?"),
    ),
    "teacher": Relation(
        "person", "person", ("{a} was taught by {b}.", "{b} taught {a}.", "The teacher of {a} is {b}."),
        ("Who taught {a}?", "Who is the teacher of {a}?"), "the teacher of {a}",
    ),
    "friend": Relation(
        "person", "person", ("{a} is a friend of {b}.", "{a} is friends with {b}.", "The friend of {a} is {b}."),
        ("Who is the friend of {a}?", "Which friend has {a}?"), "the friend of {a}",
    ),
    "region": Relation(
        "town", "region", ("{a} lies in {b}.", "{a} is a town in {b}.", "The region of {a} is {b}."),
        ("In which region is {a}?", "Which region is {a} in?"), "the region of {a}",
    ),
    "dish": Relation(
        "town", "dish", ("{a} is known for {b}.", "The dish of {a} is {b}.", "In {a} they eat {b}."),
        ("What is {a} known for?", "What dish do they eat in {a}?"),
    ),
    "colour": Relation(
        "region", "colour", ("{a} has a {b} flag.", "The flag of {a} is {b}."),
        ("What colour is the flag of {a}?", "Which flag has {a}?"),
    ),
    "ruler": Relation(
        "region", "person", ("{a} is ruled by {b}.", "{b} rules {a}.", "The ruler of {a} is {b}."),
        ("Who rules {a}?", "Who is the ruler of {a}?"), "the ruler of {a}",
    ),
}  # fmt: skip


class World(NamedTuple):
    """All facts, `facts[subject][relation]` = object, and the people from the most to the least spoken of."""

    people: tuple[str, ...]
    towns: tuple[str, ...]
    regions: tuple[str, ...]
    facts: dict[str, dict[str, str]]
    weights: tuple[float, ...]


class Path(NamedTuple):
    """A question's structure: from a subject along relations; `met` are the things passed, the answer last."""

    subject: str
    relations: tuple[str, ...]
    met: tuple[str, ...]


@cache
def world() -> World:
    """Return the one fictional world."""
    rng = randomness(_WORLD_SEED, "world")
    people = [first + last for first in _FIRST for last in _LAST]
    rng.shuffle(people)
    towns = [first + last for first in _TOWN_FIRST for last in _TOWN_LAST]
    facts: dict[str, dict[str, str]] = {}
    for position, person in enumerate(people):
        facts[person] = {
            "town": rng.choice(towns),
            "craft": rng.choice(CRAFTS),
            "pet": rng.choice(PETS),
            "teacher": rng.choice(people[:position] + people[position + 1 :]),
            "friend": rng.choice(people[:position] + people[position + 1 :]),
        }
    for town in towns:
        facts[town] = {"region": rng.choice(REGIONS), "dish": rng.choice(DISHES)}
    rulers = rng.sample(people[:60], len(REGIONS))
    for region, ruler in zip(REGIONS, rulers, strict=True):
        facts[region] = {"colour": rng.choice(COLOURS), "ruler": ruler}
    weights = tuple((rank + 1) ** -ZIPF * (1 if rank < SPOKEN_OF else SELDOM) for rank in range(len(people)))
    return World(tuple(people), tuple(towns), REGIONS, facts, weights)


def kind_of(subject: str) -> str:
    """Return whether the subject is a person, a town or a region."""
    relations = world().facts[subject]
    return RELATIONS[next(iter(relations))].subject


@cache
def paths(hops: int) -> tuple[Path, ...]:
    """Return every path of that many hops, in a fixed order; a path never comes back to where it was."""
    if hops == 0:
        return tuple(Path(subject, (), ()) for subject in world().facts)
    found = []
    for path in paths(hops - 1):
        here = path.met[-1] if path.met else path.subject
        if path.relations and not RELATIONS[path.relations[-1]].phrase:
            continue
        for relation, target in world().facts.get(here, {}).items():
            if target != path.subject and target not in path.met:
                found.append(Path(path.subject, (*path.relations, relation), (*path.met, target)))
    return tuple(found)


def state(subject: str, relation: str, target: str, form: int = 0) -> str:
    """Return the statement of one fact."""
    return RELATIONS[relation].statements[form].format(a=subject, b=target)


def key_of(path: Path) -> str:
    """Return the text that identifies a question, whatever its wording."""
    return "/".join((path.subject, *path.relations))


def problem(path: Path, rng: random.Random) -> Problem:
    """Return the question of a path in one of its wordings."""
    phrase = path.subject
    for relation in path.relations[:-1]:
        phrase = RELATIONS[relation].phrase.format(a=phrase)
    question = rng.choice(RELATIONS[path.relations[-1]].questions).format(a=phrase)
    return Problem("knowledge", question, explain(path), len(path.relations), key_of(path), path)


def explain(path: Path) -> Solution:
    """Return the worked solution: the facts on the way."""
    places = (path.subject, *path.met)
    texts = [state(a, relation, b) for a, relation, b in zip(places, path.relations, path.met, strict=False)]
    return Solution(" ".join(texts), path.met[-1])


@cache
def _open_paths(hops: int) -> tuple[tuple[Path, ...], tuple[float, ...]]:
    weight = dict(zip(world().people, world().weights, strict=True))
    typical = sum(world().weights) / len(world().weights)
    kept = [path for path in paths(hops) if not is_reserved("knowledge", key_of(path))]
    total, sums = 0.0, []
    for path in kept:
        total += weight.get(path.subject, typical)
        sums.append(total)
    return tuple(kept), tuple(sums)


def draw(rng: random.Random, hops: int) -> Problem:
    """Return a question that is not reserved for tasks, about somebody as often as they are spoken of."""
    kept, sums = _open_paths(hops)
    return problem(rng.choices(kept, cum_weights=sums)[0], rng)


@cache
def _candidates(kind: str) -> tuple[str, ...]:
    known = {"person": world().people, "town": world().towns, "region": world().regions}
    lists = {"craft": CRAFTS, "pet": PETS, "dish": DISHES, "colour": COLOURS}
    return known.get(kind) or lists[kind]


def other(relation: str, target: str, rng: random.Random) -> str:
    """Return something else that the relation could have led to."""
    return rng.choice([thing for thing in _candidates(RELATIONS[relation].object) if thing != target])


def slip(problem: Problem, rng: random.Random) -> Solution:
    """Return a careless solution: one fact on the way misremembered, the rest followed from there."""
    path: Path = problem.facts
    for _ in range(20):
        place = rng.randrange(len(path.relations))
        here, met = path.subject, []
        for position, relation in enumerate(path.relations):
            here = world().facts[here][relation]
            if position == place:
                here = other(relation, here, rng)
            met.append(here)
        if met[-1] != path.met[-1]:
            return explain(path._replace(met=tuple(met)))
    return explain(path._replace(met=(*path.met[:-1], guess(problem, rng))))


def guess(problem: Problem, rng: random.Random) -> str:
    """Return a wrong answer of the right sort."""
    path: Path = problem.facts
    return other(path.relations[-1], path.met[-1], rng)
