"""Tells an answer of one number, with whatever is told beside it, from one of two: a hedge, an expression, a measure in
two units. What a number looks like is left to `numeric`."""

from __future__ import annotations

import re

_NEXT = re.compile(r"(?<![\w^])(?<!\^\{)[0-9]")  # not the digit of m2, m^2 or m^{2}
_TOKEN = re.compile(r"[^\W\d_]+|[-+*/×÷·&|,:(→]")
_FILLER = re.compile(
    r"about|approximately|around|maybe|perhaps|possibly|probably|even|also|then|else|text|mathrm|usd|eur|the|an?"
)
_ALWAYS = re.compile(r"and|or|nor|plus|minus|times|cdot|x|vs|versus|[-+*/×÷·&|→]")
_WITHIN_WORDS = {",": 2, ":": 0, "to": 3, "through": 3, "by": 2}
"""What joins only after at most so many words: "5 apples, 7 pears" but not "5, which took me, 7"."""
_BESIDE = re.compile(
    r"\(|of|in|per|for|every|each|from|at|after|on|with|within|over|under|than|before|until|not|because|since|as|when|if"
    r"|is|are|was|were"
)
"""What opens a remark on the number before it: "5 of the 12 eggs", "$18 for 3 hours", "7 (not 8)"."""
_IN_WORDS = re.compile(
    r"\W*(?:[^\W\d]+\W+){0,2}?(?:or|and)\s(?:an?\s)?"
    r"(?:half|quarter|third|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)\b",
    re.IGNORECASE,
)
_SEVERAL_UNKNOWNS = re.compile(r"[0-9].*(?:\bor\b|(?:[,;]|\band)\s*[a-z]\s*$)", re.IGNORECASE)


def joins_another(tail: str) -> bool:
    """Whether the text after a number joins another one to it: by a connective, an operator or a comma, as the next
    part of a measure ("6 feet 2 inches"), or with nothing between."""
    if _IN_WORDS.match(tail):
        return True
    following = _NEXT.search(tail)
    if following is None:
        return False
    found = _TOKEN.findall(tail[: following.start()].replace("**", " ").casefold())
    tokens = [token for token in found if not _FILLER.fullmatch(token)]
    if len(tokens) > 1 and tokens[-1] in "-+" and _BESIDE.fullmatch(tokens[-2]):  # the sign of the next number
        tokens.pop()
    if not tokens:
        return True
    last, words = tokens[-1], len([token for token in tokens if token.isalpha()])
    if _ALWAYS.fullmatch(last):
        return True
    if last in _WITHIN_WORDS:
        return words <= _WITHIN_WORDS[last]
    return words == 1 and _BESIDE.fullmatch(last) is None


def names_several(sides: list[str]) -> bool:
    """Whether the sides of equal signs give several unknowns a value each: "x = 3 or x = 4", "x = 3, y = 4"."""
    return any(_SEVERAL_UNKNOWNS.search(side) for side in sides[1:-1])
