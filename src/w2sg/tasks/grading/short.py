"""Short free answers: exact match after normalising as for SQuAD, aliases, whole-word containment.

Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text" (2016), section 6, defines the
normalisation (case, punctuation, articles, spaces); here decimal points, minus signs and hyphens keep their meaning.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from w2sg.records import Gold
from w2sg.tasks.grading.base import Grader
from w2sg.tasks.grading.marks import announced, is_marked

_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_DASHES = str.maketrans({"−": "-", "–": "-", "—": "-", "\u2010": "-", "\u2011": "-"})
_JOINS = re.compile(r"(?<=\w)[-/](?=\w)")
_KEPT = re.compile(r"(?<=[0-9])\.(?=[0-9])|(?<!\w)-(?=[0-9])")
_LONGEST_UNMARKED = 10  # words: a longer unmarked line is talk, not a short answer


class ShortGrader(Grader):
    """The normal form is the normalised text.

    `match` says when a parsed answer is right: `exact` (equal to the gold answer or an alias) or `contains` (the gold
    answer or an alias stands in it as whole words).
    """

    name = "short"
    asks_for = "the short answer"

    def __init__(self, match: Literal["exact", "contains"] = "exact") -> None:
        self.match = match

    def parse(self, text: str, choices: Sequence[str] = ()) -> str | None:
        written = self.written(text)
        return None if written is None else self.normal(written)

    def written(self, text: str, choices: Sequence[str] = ()) -> str | None:
        """Return the final answer in its own words and case, which the normal form has lost."""
        lines = [line for line in text.splitlines() if line.strip()]
        alone = len(lines) == 1 and not is_marked(text) and len(lines[0].split()) <= _LONGEST_UNMARKED
        pieces = (*announced(text), *(lines if alone else ()))
        return next((self.shown(piece) for piece in pieces if self.normal(piece) is not None), None)

    def normal(self, answer: str, choices: Sequence[str] = ()) -> str | None:
        return normal_text(answer) or None

    def correct(self, answer: str | None, gold: Gold, choices: Sequence[str] = ()) -> bool:
        if answer is not None and self.match == "contains":
            return any(contains_words(answer, accepted) for accepted in (gold.answer, *gold.aliases))
        return super().correct(answer, gold, choices)


@lru_cache(maxsize=65536)
def normal_text(text: str) -> str:
    """Return `text` in lower case without punctuation, articles and extra spaces; normalising twice changes nothing.

    A text of nothing but articles ("The The") or punctuation stays, in lower case.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()  # folding may undo the composition
    text = unicodedata.normalize("NFKC", folded).translate(_DASHES)
    while (bare := _bare(text)) != text:
        text = bare
    return text


def _bare(lower: str) -> str:
    spaced = _JOINS.sub(" ", lower)
    kept = {found.start() for found in _KEPT.finditer(spaced)}
    bare = "".join(char for place, char in enumerate(spaced) if place in kept or not _is_punctuation(char))
    return " ".join(_ARTICLES.sub(" ", bare).split()) or " ".join(bare.split()) or " ".join(lower.split())


def _is_punctuation(char: str) -> bool:
    return unicodedata.category(char)[0] == "P" or char in "$+<=>^`|~"


def contains_words(text: str, answer: str) -> bool:
    """Whether `answer` stands in `text` as whole words after normalising: "no" is not in "know"."""
    words, wanted = normal_text(text).split(), normal_text(answer).split()
    size = len(wanted)
    return size > 0 and any(words[start : start + size] == wanted for start in range(len(words) - size + 1))
