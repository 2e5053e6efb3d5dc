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
_LEAD = re.compile(r"(?:that )?(?:it|this|statement|claim)(?: is| s)? ")


class TruthGrader(Grader):
    """The normal form is `true`, `false` or `unknown`. The whole announced sentence, or else the last one, has to say
    so: "not true" is false, and "true for birds" is no answer."""

    name = "truth"
    asks_for = "true, false or unknown"

    def parse(self, text: str, choices: Sequence[str] = ()) -> str | None:
        for piece in (*announced(text), last_sentence(text)):
            if (found := self.normal(piece)) is not None:
                return found
        return None

    def normal(self, answer: str, choices: Sequence[str] = ()) -> str | None:
        for piece in (sentence(answer), re.split(r"[,:]\s", answer, maxsplit=1)[0]):
            words = normal_text(piece)
            if (found := _WORDS.get(_LEAD.sub("", words, count=1))) is not None:
                return found
        return None
