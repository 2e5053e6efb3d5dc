"""The pretraining corpus of the zoo: documents by many authors of differing reliability.

A document is a list of parts, each with its turn (`system` names the author when the document says who wrote it,
`user` asks, `assistant` answers, `text` is plain prose). Document `n` of a seed is a function of both alone. No
document asks a question that is reserved for tasks; the facts behind reserved knowledge questions are stated.

The first documents are a primer, and those from `READING` on a second reading, which some members read at the end.
"""

from __future__ import annotations

import random
from typing import Literal, NamedTuple

from w2sg.tasks.world import knowledge, logic, maths, threads
from w2sg.tasks.world.problem import Kind, Problem, Solution, randomness
from w2sg.tasks.world.subjects import SUBJECTS

Turn = Literal["system", "user", "assistant", "text"]
VERSION = 5
ORDINARY_VERSION = 4
"""The version that changed a document before `READING` last."""


class Part(NamedTuple):
    """One turn of a document; `text` turns stand outside the conversation."""

    turn: Turn
    text: str


Document = tuple[Part, ...]
Genre = Literal["facts", "gossip", "drill", "direct", "worked", "careless", "thread", "tally"]

MIXTURE: dict[Genre, float] = {
    "facts": 0.13,
    "gossip": 0.02,
    "drill": 0.12,
    "direct": 0.23,
    "worked": 0.25,
    "careless": 0.05,
    "thread": 0.20,
}
"""Shares of documents (not of tokens)."""
READING = 1_000_000
"""From this document on the corpus is one for reading: most documents are threads, and what others say of their doubts
decides whom to believe."""
READING_MIXTURE: dict[Genre, float] = {
    "facts": 0.08,
    "gossip": 0.01,
    "drill": 0.03,
    "direct": 0.08,
    "worked": 0.13,
    "careless": 0.02,
    "thread": 0.50,
    "tally": 0.15,
}
"""Shares of documents (not of tokens) from there on."""
PRIMER = 80_000
"""The first documents of the corpus, most of them exercises in looking up what stands before: the one skill that small
models learn suddenly or not at all, and that dense exercise brings on."""
PRIMER_SHARE = 0.8
"""Share of the primer's documents that are such exercises, half of them lists to repeat and half drills in chaining;
the rest is the ordinary mixture."""
_WORDS = (*logic.PROPERTIES, *logic.NAMES, *maths.NAMES, *maths.THINGS, *map(str, range(maths.LARGEST + 1)))
NAMED: dict[Genre, float] = {
    "facts": 0.3,
    "gossip": 0.5,
    "drill": 0.1,
    "direct": 0.1,
    "worked": 0.6,
    "careless": 0.3,
    "thread": 0.3,
    "tally": 0.1,
}
"""Share of documents that name their author. A question put to a model names nobody, and most unnamed answers are
direct, so that reasoning has to be elicited."""
KINDS: dict[Kind, float] = {"maths": 0.40, "logic": 0.30, "knowledge": 0.30}
DIFFICULTIES: dict[Kind, tuple[float, ...]] = {
    "maths": (0.34, 0.25, 0.16, 0.11, 0.08, 0.06),
    "logic": (0.34, 0.25, 0.16, 0.11, 0.08, 0.06),
    "knowledge": (0.45, 0.33, 0.22),
}
DIRECT_WRONG = 0.2
"""Share of direct answers that are wrong."""
Shown = Literal["demonstration", "answers", "both"]
SHOWN: dict[Shown, float] = {"demonstration": 0.4, "answers": 0.35, "both": 0.25}
"""What of another's work a thread shows: one whole solution, how often each answer was given, or both."""
THREADS_DIRECT: dict[Shown, float] = {"demonstration": 0.1, "answers": 0.75, "both": 0.1}
"""Share of threads that close with the right answer alone; the others close with a right worked solution. A worked
solution carries its answer with it, so that only those who answer at once have to weigh how often each was given."""
RELIABILITY = (0.2, 1.0)
"""How often the other of a thread is right, from the least to the most reliable; uniform in between."""
READING_SHOWN: dict[Shown, float] = {"demonstration": 0.15, "answers": 0.35, "both": 0.50}
READING_DIRECT: dict[Shown, float] = {"demonstration": 0.1, "answers": 0.75, "both": 0.35}
"""As `SHOWN` and `THREADS_DIRECT`, for reading."""
AUTHORS: dict[Genre, tuple[str, ...]] = {
    "facts": ("Ada", "Noor"),
    "gossip": ("Rob",),
    "drill": ("Ada", "Otto"),
    "direct": ("Cy", "Dee", "Ed", "Fay"),
    "worked": ("Ada", "Noor", "Otto"),
    "careless": ("Rob", "Sid"),
    "thread": ("Ada", "Noor", "Otto"),
    "tally": ("Ada", "Otto"),
}
TALLIES = 4
"""Questions which answer was given most often in one document of tallies."""


def question(rng: random.Random, kind: Kind, difficulty: int | None = None) -> Problem:
    """Return a question for the corpus: any that is not reserved."""
    weights = DIFFICULTIES[kind]
    while True:
        level = difficulty or rng.choices(range(1, len(weights) + 1), weights)[0]
        problem = SUBJECTS[kind].draw(rng, level)
        if not problem.reserved:
            return problem


def slip(problem: Problem, rng: random.Random) -> Solution:
    """Return a careless solution of the problem."""
    return SUBJECTS[problem.kind].slip(problem, rng)


def guess(problem: Problem, rng: random.Random) -> str:
    """Return a wrong final answer to the problem."""
    return SUBJECTS[problem.kind].guess(problem, rng)


def document(seed: int, number: int) -> Document:
    """Return document `number` of the corpus of that seed."""
    rng = randomness(seed, "corpus", number)
    if number < PRIMER and rng.random() < PRIMER_SHARE:
        return _exercise(rng)
    reading = number >= READING
    mixture = READING_MIXTURE if reading else MIXTURE
    genre = rng.choices(list(mixture), list(mixture.values()))[0]
    author = (Part("system", f"By {rng.choice(AUTHORS[genre])}."),) if rng.random() < NAMED[genre] else ()
    if genre in ("facts", "gossip"):
        return (*author, Part("text", statements(rng, wrong=0.4 if genre == "gossip" else 0.0)))
    if genre == "tally":
        return (*author, *(part for _ in range(TALLIES) for part in _tally(rng)))
    if genre == "drill":
        if rng.random() * (KINDS["maths"] + KINDS["logic"]) < KINDS["maths"]:
            return (*author, Part("text", maths.drill(rng)))
        rules, follows = logic.drill(rng)
        return (*author, Part("user", rules), Part("assistant", follows))
    problem = question(rng, rng.choices(list(KINDS), list(KINDS.values()))[0])
    asked, answer = problem.question, problem.solution.response()
    if genre == "direct":
        wrong = rng.random() < DIRECT_WRONG
        final = Solution("", guess(problem, rng) if wrong else problem.solution.answer)
        answer = final.response()
    elif genre == "careless":
        answer = slip(problem, rng).response()
    elif genre == "thread":
        shares, direct = (READING_SHOWN, READING_DIRECT) if reading else (SHOWN, THREADS_DIRECT)
        shown = rng.choices(list(shares), list(shares.values()))[0]
        asked = _thread(problem, shown, rng, reading)
        answer = problem.solution.response(reasoning=rng.random() >= direct[shown])
    return (*author, Part("user", asked), Part("assistant", answer))


def _exercise(rng: random.Random) -> Document:
    """Return an exercise in looking up: words to repeat, or chains to follow."""
    if rng.random() < 0.5:
        words = " ".join(rng.choices(_WORDS, k=rng.randint(12, 30)))
        return Part("user", f"Repeat: {words}"), Part("assistant", words)
    rules, follows = logic.drill(rng)
    return Part("user", rules), Part("assistant", follows)


def statements(rng: random.Random, wrong: float = 0.0) -> str:
    """Return a paragraph of facts about two people and what is near them; a share `wrong` of them is false."""
    world = knowledge.world()
    subjects: list[str] = []
    for person in rng.choices(world.people, world.weights, k=2):
        subjects.append(person)
        if rng.random() < 0.35:
            subjects.append(world.facts[person]["town"])
    if rng.random() < 0.25:
        subjects.append(rng.choice(world.regions))
    texts = []
    for subject in dict.fromkeys(subjects):
        facts = list(world.facts[subject].items())
        rng.shuffle(facts)
        for relation, target in facts:
            if rng.random() < wrong:
                target = knowledge.other(relation, target, rng)
            form = rng.randrange(len(knowledge.RELATIONS[relation].statements))
            texts.append(knowledge.state(subject, relation, target, form))
    return " ".join(texts)


def _thread(problem: Problem, shown: Shown, rng: random.Random, reading: bool) -> str:
    """Ask for a revision, given one's own attempt and another's demonstration or answers, right as often as the
    other is reliable. The most frequent answer stands first; for reading answers stand in any order, so that only the
    counts tell which it is."""
    reliability = rng.uniform(*RELIABILITY)
    attempt = ""
    if rng.random() < 0.5:
        own = problem.solution if rng.random() < 0.4 else slip(problem, rng)
        attempt = own.response(reasoning=rng.random() < 0.6)
    wrong = [slip(problem, rng) for _ in range(2)]
    asked = rng.randint(3, 20) if reading else rng.choice((4, 8, 16))
    drawn = [problem.solution if rng.random() < reliability else rng.choice(wrong) for _ in range(asked)]
    counts: dict[str, int] = {}
    for solution in drawn:
        counts[solution.answer] = counts.get(solution.answer, 0) + 1
    answers = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    top, votes = answers[0]
    demonstration = next(solution for solution in drawn if solution.answer == top).response()
    if reading:
        rng.shuffle(answers)
    return threads.revise(
        problem.question,
        attempt=attempt,
        demonstration=demonstration if shown != "answers" else "",
        answers=answers if shown != "demonstration" else (),
        doubt=threads.doubt(votes / asked, rng) if rng.random() < 0.7 else "",
    )


def _tally(rng: random.Random) -> Document:
    """Ask which of a question's answers was given most often, the question itself left out."""
    problem = question(rng, rng.choices(list(KINDS), list(KINDS.values()))[0])
    given = sorted({problem.solution.answer, *(guess(problem, rng) for _ in range(2))})
    rng.shuffle(given)
    top, *others = given
    most = rng.randint(2, 16)
    answers = [(top, most), *((other, rng.randint(1, most - 1)) for other in others)]
    rng.shuffle(answers)
    asked = f"{threads.listed(answers)}\nWhich was given most often?"
    return Part("user", asked), Part("assistant", Solution("", top).response())
