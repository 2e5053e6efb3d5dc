"""True, false or unknown; yes and no stand for true and false."""

from __future__ import annotations

import re
from collections.abc import Sequence

from w2sg.tasks.grading.base import Grader
from w2sg.tasks.grading.marks import announced, last_sentence, sentence
from w2sg.tasks.grading.short import normal_text

_WORDS = {
    "true": "true",
    "yes": "true",
    "not false": "true",
    "false": "false",
    "no": "false",
    "not true": "false",
    "unknown": "unknown",
    "uncertain": "unknown",
    "undetermined": "unknown",
    "not known": "unknown",
    "cannot be known": "unknown",
    "cannot be determined": "unknown",
    "neither": "unknown",
}
_FRONT = re.compile(r"[,:]\s")
_PARTS = re.compile(r"[,:;/]\s*|\s[-–—]+\s|\b(?:and|or|but)\b", re.IGNORECASE)
_HEDGE = re.compile(r"\s*(?:(?:also|maybe|perhaps|possibly|rather)\s+)+", re.IGNORECASE)
_LEAD = re.compile(r"(?:that )?(?:it|this|statement|claim)(?: is| s)? ")


class TruthGrader(Grader):
    """The normal form is `true`, `false` or `unknown`. The whole announced sentence, or else the last one, has to say
    so: "not true" is false, "true for birds" is no answer, and neither is a sentence that says two of the three."""

    name = "truth"
    asks_for = "true, false or unknown"

    def parse(self, text: str, choices: Sequence[str] = ()) -> str | None:
        for piece in (*announced(text), last_sentence(text)):
            if found := _verdicts(piece):
                return found.pop() if len(found) == 1 else None
        return None

    def normal(self, answer: str, choices: Sequence[str] = ()) -> str | None:
        found = _verdicts(answer)
        return found.pop() if len(found) == 1 else None


def _verdicts(piece: str) -> set[str]:
    """What a sentence says: the whole, or its front and any later part that is a verdict itself ("true, but also
    false" says both); nothing when neither the whole nor the front is a verdict."""
    whole = sentence(piece)
    if (found := _verdict(whole)) is not None:
        return {found}
    front, *_ = _FRONT.split(whole, maxsplit=1)
    if (first := _verdict(front)) is None:
        return set()
    later = (_verdict(_HEDGE.sub("", part)) for part in _PARTS.split(whole[len(front) :]))
    return {first, *(found for found in later if found is not None)}


def _verdict(piece: str) -> str | None:
    return _WORDS.get(_LEAD.sub("", normal_text(piece), count=1))
