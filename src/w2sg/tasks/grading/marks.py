"""Finds the places of a reply where a final answer is announced. What stands there is left to each grader."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LINE_MARK = r"\#{4}|\b(?:(?:final|correct|my)\ )?answer\**\s*[:=]"  # "#### 72", "**Final answer**: 72"
_SENTENCE_MARK = r"\b(?:answer|choice|option)\s+(?:is|was)\b\s*:?|\bI\s(?:choose|pick)\b\s*:?"
_MARK = re.compile(rf"(?P<line>{_LINE_MARK})|(?P<sentence>{_SENTENCE_MARK})|(?P<boxed>\\boxed\s*\{{)", re.IGNORECASE)
_DENIAL = re.compile(r"(?:not|never)\b", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<!\b[A-Z])(?<!\b(?:Dr|Mr|Ms|St|Jr|Sr))(?<!\bMrs)[.!?;](?=\s|$)")
_DECORATION = " \t*_`"


def announced(text: str) -> Iterator[str]:
    """Yield what follows each answer mark of `text`, the last mark first.

    After `####` or `Answer:` that is the rest of the line (of the next filled line when the mark ends its own), after
    "the answer is" the rest of the sentence, and of `\\boxed{...}` the content. Empty pieces are passed over, and
    so are denials ("the answer is not 5").
    """
    for found in reversed(list(_MARK.finditer(text))):
        piece = _braced(text, found.end()) if found["boxed"] else _line(text, found.end())
        if found["sentence"]:
            piece = "" if _DENIAL.match(piece) else sentence(piece)
        piece = piece.strip(_DECORATION + "\r\n")
        if piece:
            yield piece


def final_answer(text: str, mark: str) -> int:
    """Return the place in `text` where what follows the last `mark` begins; where there is no mark, or nothing after
    it, that of the last filled line."""
    place = text.rfind(mark)
    if place >= 0 and text[place + len(mark) :].strip():
        after = text[place + len(mark) :]
        return len(text) - len(after.lstrip())
    stripped = text.rstrip()
    return len(stripped) - len(stripped[stripped.rfind("\n") + 1 :].lstrip())


def is_marked(text: str) -> bool:
    """Whether `text` announces an answer anywhere, readable or not."""
    return _MARK.search(text) is not None


def last_line(text: str) -> str:
    """Return the last filled line of `text` without decoration, or an empty string."""
    lines = [line.strip(_DECORATION) for line in text.splitlines()]
    return next((line for line in reversed(lines) if line), "")


def last_sentence(text: str) -> str:
    """Return the last sentence of `text` without decoration, or an empty string."""
    parts = [part.strip(_DECORATION) for part in _SENTENCE_END.split(last_line(text))]
    return next((part for part in reversed(parts) if part), "")


def sentence(piece: str) -> str:
    """Return `piece` up to its first sentence end, without it; decimal points, initials and titles end none."""
    return _SENTENCE_END.split(piece, maxsplit=1)[0].strip(_DECORATION)


def _line(text: str, start: int) -> str:
    return text[start:].lstrip(_DECORATION + "\r\n").split("\n", 1)[0]


def _braced(text: str, start: int) -> str:
    depth = 1
    for position in range(start, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return text[start:position]
    return ""
