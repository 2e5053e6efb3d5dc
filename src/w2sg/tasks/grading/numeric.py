"""Numbers as final answers: `1,000`, `$1000.00` and `1000 apples.` are one answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from w2sg.tasks.grading.base import Grader
from w2sg.tasks.grading.joined import joins_another, names_several
from w2sg.tasks.grading.marks import announced, is_marked, sentence

_VULGAR = {
    "½": "1/2",
    "⅓": "1/3",
    "⅔": "2/3",
    "¼": "1/4",
    "¾": "3/4",
    "⅕": "1/5",
    "⅛": "1/8",
}
_SIGNS = str.maketrans({"−": "-", "–": "-", "\u2010": "-", "\u2011": "-", "⁄": "/"})
_SPACES = str.maketrans(dict.fromkeys("\u00a0\u2009\u202f", " "))
_LATEX_FRACTION = re.compile(r"\\[dt]?frac\s*\{\s*(-?[0-9]+)\s*\}\s*\{\s*([0-9]+)\s*\}")
_GROUPED = r"[0-9]{1,3}(?:,[0-9]{2,3})*,[0-9]{3}"
_SPACED = re.compile(r"(?<![\w.,/^])[1-9][0-9]{0,2}(?:\s[0-9]{3})+(?![\w/])")  # 1 000 000
_NUMBER = re.compile(
    rf"""
    (?<![\w.,/^±-])(?<![0-9]:)                                  # not the inside of a word, number, date, time or power
    (?P<sign>[-+])?\s?(?:(?:US|CA|AU)?[$€£¥]\s?)?(?P<inner>-)?
    (?:
        (?P<whole>[0-9]+)\s(?P<top>[0-9]+)/(?P<bottom>[0-9]+)   # 2 1/2
      | (?P<over>[0-9]+|{_GROUPED})\s?/\s?(?P<under>[0-9]+)     # 3/4
      | (?P<plain>(?:{_GROUPED}|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)(?:[eE](?P<exponent>[-+]?[0-9]{{1,2}})(?![0-9]))?
    )
    (?![0-9]|[.,/:][0-9]|[eE][-+]?[0-9]|\s?-\s?[0-9]|\s?\^)     # nor the start of 1,5 or 3:30 or 1/2/2020 or 5-8
    (?:\s(?P<scale>hundred|thousand|million|billion|trillion)\b)?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_LEAD = re.compile(r"[\s*_=≈~:(\"'\\]*(?:about|approximately|around|exactly|equals|USD|EUR)?[\s(]*", re.IGNORECASE)
_LONGEST = 60  # digits: a longer one is noise, and Python refuses to convert thousands of digits


class NumericGrader(Grader):
    """Reads the last announced number. The percent sign and units are dropped: `50%` is 50, not 0.5.

    An announced answer of two numbers ("5 or 7", "2 + 3", "6 feet 2 inches") is none; an equation counts by its right
    side, and a number told beside the answer ("5 of the 12 eggs", "7 (not 8)") is passed over.

    `last_number`: a reply without any answer mark gives its last number instead of none. A reply that is a number
    and nothing else always counts.
    """

    name = "numeric"
    asks_for = "the number"

    def __init__(self, last_number: bool = False) -> None:
        self.last_number = last_number

    def parse(self, text: str, choices: Sequence[str] = ()) -> str | None:
        for piece in announced(text):
            number = _announced_number(plain := _plain(piece))
            if number is not None or re.search("[0-9]", plain):
                return number
        plain = _plain(text)
        numbers = [(found, value) for found in _NUMBER.finditer(plain) if (value := _value(found)) is not None]
        if not numbers:
            return None
        last, value = numbers[-1]
        alone = last.group().strip() == plain.strip(" \t\r\n.%*_`")
        return _written(value) if alone or (self.last_number and not is_marked(text)) else None

    def normal(self, answer: str, choices: Sequence[str] = ()) -> str | None:
        return normal_number(answer)


def normal_number(answer: str) -> str | None:
    """Return the normal form of a bare number, units and currency allowed: an integer, a terminating decimal, or
    a fraction in lowest terms; None when `answer` holds no single number at its front."""
    return _announced_number(_plain(answer.strip().rstrip(".")))


def _plain(text: str) -> str:
    """Write typographic and LaTeX forms of numbers in ASCII."""
    for sign, fraction in _VULGAR.items():
        text = re.sub(rf"(?<=[0-9])\s?{sign}", f" {fraction}", text).replace(sign, fraction)
    text = _LATEX_FRACTION.sub(r"\1/\2", text)
    text = text.replace("{,}", ",").replace("\\,", "").replace("\\$", "$").replace("\\%", "%")
    return _SPACED.sub(lambda found: re.sub(r"\s", "", found.group()), text.translate(_SIGNS).translate(_SPACES))


def _announced_number(piece: str) -> str | None:
    """The number of the text after a mark: what follows its last `=`, else one at its front, else its only one; None
    when another number is joined to it."""
    if re.match(r"[^;]*[0-9][^;]*;\s*[-+$€£]?[0-9]", piece):
        return None
    piece = sentence(piece)
    if "=" in piece:
        sides = piece.split("=")
        if names_several(sides):
            return None
        piece = sides[-1]
    lead = _LEAD.match(piece)
    front = _NUMBER.match(piece, lead.end()) if lead else None
    if front is None:
        inside = list(_NUMBER.finditer(piece))
        # A stray digit in a word or a malformed number beside the one that fits makes the reading a guess.
        if len(inside) != 1 or len(re.findall(r"[0-9][0-9.,/:]*", piece)) != len(
            re.findall(r"[0-9][0-9.,/:]*", inside[0].group())
        ):
            return None
        front = inside[0]
    value = None if joins_another(piece[front.end() :]) else _value(front)
    return None if value is None else _written(value)


def _value(found: re.Match[str]) -> Fraction | None:
    if len(found.group()) > _LONGEST:
        return None
    part = found.groupdict()
    try:
        if part["whole"] is not None:
            value = int(part["whole"]) + Fraction(int(part["top"]), int(part["bottom"]))
        elif part["over"] is not None:
            value = Fraction(int(part["over"].replace(",", "")), int(part["under"]))
        else:
            value = Fraction(part["plain"].replace(",", "")) * Fraction(10) ** int(part["exponent"] or 0)
    except ZeroDivisionError:
        return None
    value *= _SCALES.get((part["scale"] or "").lower(), 1)
    return -value if (part["sign"] == "-") != (part["inner"] == "-") else value


def _written(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value.numerator)
    places, rest = 0, value.denominator
    for prime in (2, 5):
        power = 0
        while rest % prime == 0:
            rest //= prime
            power += 1
        places = max(places, power)
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"
