"""Multiple choice: an option's letter, its number or its text. A letter inside a sentence is never an answer."""

from __future__ import annotations

import re
from collections.abc import Sequence

from w2sg.tasks.grading.base import Grader
from w2sg.tasks.grading.marks import announced, last_line, sentence
from w2sg.tasks.grading.short import normal_text

_LABEL = re.compile(
    r"""[\s("'\[]*(?P<named>(?:option|choice|answer)\s*)?[\s("'\[]*
        (?P<label>[A-Za-z]|[0-9]{1,2})(?![A-Za-z0-9])["')\]*]*
        (?P<stop>[.:,)\-–—]|\s|$)\s*(?P<rest>.*)$""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_SECOND_LABEL = re.compile(r"(?:and|or)\b|[b-z0-9]$")


def _by_text(answer: str, text: str, choices: Sequence[str], texts: Sequence[str]) -> str | None:
    """The one option whose text is the answer; among options equal but for punctuation, the one written so."""
    equal = [place for place, other in enumerate(texts) if text and other == text]
    if len(equal) > 1:
        written = answer.strip().casefold()
        equal = [place for place in equal if choices[place].strip().casefold() == written]
    return letter(equal[0]) if len(equal) == 1 else None


def letter(position: int) -> str:
    """Return the label of the option at `position`: A for 0."""
    return chr(ord("A") + position)


class ChoiceGrader(Grader):
    """The normal form is the option's letter; numbers from 1 stand for letters where no option is a number."""

    name = "choice"
    asks_for = "the letter of the right option"

    def parse(self, text: str, choices: Sequence[str] = ()) -> str | None:
        for piece in announced(text):
            if (found := self.normal(piece, choices) or self.normal(sentence(piece), choices)) is not None:
                return found
        return self.normal(last_line(text), choices)

    def normal(self, answer: str, choices: Sequence[str] = ()) -> str | None:
        text = normal_text(answer)
        texts = [normal_text(choice) for choice in choices]
        by_text = _by_text(answer, text, choices, texts)
        found = _LABEL.match(answer)
        if found is None:
            return by_text
        label, rest = found["label"].upper(), normal_text(found["rest"])
        if label.isdigit():
            if by_text is not None or any(re.fullmatch(r"[0-9.,]+", choice.strip()) for choice in choices):
                return by_text
            label = letter(int(label) - 1) if 1 <= int(label) <= len(choices) else ""
        position = ord(label) - ord("A") if label else -1
        if not 0 <= position < len(choices):
            return by_text
        if not rest or rest == texts[position]:  # "B", "B. wet palms"
            return label
        if by_text is not None:  # the option "A dog", not the letter A
            return by_text
        if rest in texts or _SECOND_LABEL.match(rest):  # "B. dry palms" where dry palms is A, "A, B", "A and B"
            return None
        return label if found["named"] or not found["stop"].isspace() else None

    def shown(self, answer: str, choices: Sequence[str] = ()) -> str:
        label = self.normal(answer, choices)
        return super().shown(answer if label is None else f"{label}. {choices[ord(label) - ord('A')]}")
