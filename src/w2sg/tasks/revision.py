"""The texts in which a student is shown another's work and asked to revise its own: plain English, for chat models.

Tasks whose models have read another form put that in place (`Task.revise_prompt`, `Task.doubt_in_words`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from w2sg.seeding import stream

Answers = Sequence[tuple[str, int]]
"""(answer, how often it was given), most frequent first unless they are listed otherwise."""

Listing = Literal["frequency", "shuffled"]
"""In which order another's answers are listed: the most frequent first, or shuffled, so that an answer's place tells
nothing and its count alone says how often it was given."""

_Listed = TypeVar("_Listed")


def listed(items: Sequence[_Listed], listing: Listing, id: str) -> tuple[_Listed, ...]:
    """Return the items of question `id`, given most frequent first, in the order in which they are listed; the same
    order whenever it is asked for."""
    if listing == "frequency":
        return tuple(items)
    return tuple(items[place] for place in stream(0, "listing", id).permutation(len(items)).tolist())


Order = Literal["own-first", "other-first", "blind"]
"""Which of the two answers stands first; `blind`: neither says whose it is, a coin decides which stands first, and
what would give the other away (answers, statement) is left out."""

_NAMED = 5


@dataclass(frozen=True)
class Demonstration:
    """Another's work on a question: the whole response, its answers with their counts, and what it says of its
    doubts. What is not to be shown is empty."""

    text: str = ""
    answers: tuple[tuple[str, int], ...] = ()
    statement: str = ""


def in_words(answers: Answers, unparsed: int, listing: Listing = "frequency", id: str = "") -> str:
    """Return the histogram of a supervisor's answers to question `id`, given most frequent first, as it would state its
    own doubt, in the first person."""
    total = sum(count for _, count in answers) + unparsed
    top, votes = answers[0]
    if votes == total:
        return f"Asked {_times(total)}, I answered {top} every time. I am sure of it."
    said = [f"{answer} ({_times(count)})" for answer, count in listed(answers[:_NAMED], listing, id)]
    if rest := answers[_NAMED:]:
        more = "1 other answer" if len(rest) == 1 else f"{len(rest)} other answers"
        said.append(f"{more} ({_times(sum(count for _, count in rest))})")
    if unparsed:
        said.append(f"no clear answer ({_times(unparsed)})")
    return f"Asked {_times(total)}, I gave {_listed(said)}. {_leaning(top, votes / total)}"


def _leading(answers: Answers) -> Answers:
    """Return the few most frequent answers, in the order given; of equally frequent ones the first given."""
    kept = sorted(range(len(answers)), key=lambda place: -answers[place][1])[:_NAMED]
    return [answers[place] for place in sorted(kept)]


def _leaning(top: str, share: float) -> str:
    if share >= 0.8:
        return f"I am nearly sure of {top}."
    if share >= 0.55:
        return f"I lean towards {top}, with some doubt."
    if share >= 0.35:
        return f"I am in doubt about {top}."
    return f"I am mostly guessing when I say {top}."


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def revise(question: str, attempt: str, others: Sequence[Demonstration], order: Order, heads: bool) -> str:
    """Return the request to revise, in plain English.

    Args:
        question: the question as the task puts it, with its instruction.
        attempt: one's own first response; empty when there is none.
        others: what others said.
        order: which stands first; `blind` shows two texts alone, and `heads` decides which is first.
    """
    if order == "blind":
        texts = [text for text in (attempt, *(other.text for other in others)) if text]
        parts = [
            f"Proposed solution {number}:\n{text}"
            for number, text in enumerate(texts if heads else texts[::-1], start=1)
        ]
    else:
        own = [f"Your own first answer:\n{attempt}"] if attempt else []
        theirs = [part for other in others for part in _shown(other)]
        parts = [*own, *theirs] if order == "own-first" else [*theirs, *own]
    return "\n\n".join([question, *parts, _CLOSING])


def _shown(other: Demonstration) -> list[str]:
    parts = [f"Somebody else's answer:\n{other.text}"] if other.text else []
    if other.statement:
        parts.append(f"What they say of their doubts:\n{other.statement}")
    elif other.answers:
        said = ", ".join(f"{answer} ({count})" for answer, count in _leading(other.answers))
        parts.append(f"Their answers, with how often they gave each: {said}")
    return parts


_CLOSING = (
    "Any of the above may be wrong. Work the question out for yourself, weighing what is given above as evidence only: "
    "keep an answer that holds, or give a better one. Write a complete solution with its reasoning, as if only the "
    "question had been given: do not mention the texts above, do not explain a choice between them, and always commit "
    "to one final answer, in the form that the question asks for."
)
