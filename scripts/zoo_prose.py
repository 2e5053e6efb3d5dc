"""What the zoo's cards say that no file and no measurement can: written by hand, and free of figures."""

from __future__ import annotations

GENRES = {
    "facts": "statements of the fictional world",
    "gossip": "the same, many of them false",
    "drill": "exercises in counting and in rule chaining",
    "direct": "a question answered without reasoning, often wrongly",
    "worked": "a question with a right worked solution",
    "careless": "a question with a wrong worked solution",
    "thread": "a question with what others said of it, closed by a right answer",
}
FAMILY_SHORT = (
    "What can be elicited from the members was decided by what their corpus holds. A method that helps them may do "
    "nothing for a large model, and the other way round; claims about large models need large models.",
    "They know the English of one small fictional world. Outside it they have to be tuned first, and then know only "
    "what they were tuned on.",
    "One seed of pretraining each: how much another seed would differ was not measured.",
    "The world, the corpus and the recipe were changed several times while looking at accuracy on questions reserved "
    "for tasks. The figures here are from a seed of questions of their own, but the choice of recipe was not blind; "
    "and the world's knowledge is finite, so that its questions recur in every seed.",
)
MEMBER_SHORT: dict[str, tuple[str, ...]] = {}
"""Prose on single members, for what no figure says."""
