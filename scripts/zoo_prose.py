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
    "tally": "how often answers to a question were given, the question itself left out, and which of them most often",
}
SHOWN = {
    "demonstration": "one whole solution",
    "answers": "how often each answer was given",
    "both": "one whole solution and how often each answer was given",
}
FAMILY_SHORT = (
    "What can be elicited from the members was decided by what their corpus holds. A method that helps them may do "
    "nothing for a large model, and the other way round; claims about large models need large models.",
    "They know the English of one small fictional world. Outside it they have to be tuned first, and then know only "
    "what they were tuned on.",
    "One seed of pretraining each: how much another seed would differ was not measured.",
    "Not all of them starts at random: a few heads of the Llama members are set to look back and to look up in the "
    "text before training begins (`models/pretrain_start.py`).",
    "The world, the corpus and the recipe were changed several times while looking at accuracy on questions reserved "
    "for tasks. The untuned accuracies are from a seed of questions of their own; the six criteria are measured on the "
    "default questions, which the recipe was chosen on too. Neither is blind, and the world's knowledge is finite, so "
    "that its questions recur in every seed.",
    "Questions of maths and logic are reserved by their exact text: the same numbers in other words, or rules in "
    "another order, may stand in the corpus.",
    "Logic beyond one deduction is as hard as its one fork, not as it is long: rules followed without looking ahead, "
    "and either branch taken at random, are right two times in three at every length. The fork always lies on the "
    "chain that decides, so that it tells the answer by itself, and from four deductions on so does the longest chain. "
    "One answer in three is right by chance, so that guessing alone meets the two shares of criterion 2 there.",
    "Requests tell about sixteen votes at most; more are scaled down and rounded, which can turn a strict leader into "
    "a tie.",
)
READER_SHORT = (
    "Tallies are not in the form of the chat template: the answers within a document lack the token that ends a reply, "
    "and members were trained to go on with the next user's mark. In the replies to the probe no harm was seen of it.",
)
"""What falls short with members that have had a second reading."""
MEMBER_SHORT: dict[str, tuple[str, ...]] = {}
"""Prose on single members, for what no figure says."""
