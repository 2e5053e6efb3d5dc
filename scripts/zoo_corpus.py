"""What the zoo was pretrained on, told from the constants of the corpus and of the recipe."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from zoo_facts import Known
from zoo_markdown import bullets, paragraph, percent, table
from zoo_prose import GENRES, SHOWN

from w2sg.models import zoo
from w2sg.tasks.world import corpus, knowledge, problem

MODELS = Path(zoo.__file__).parent
SOURCES = (Path(corpus.__file__), Path(problem.__file__), *sorted(MODELS.glob("pretrain*.py")))
IN_TABLES = {
    *("MIXTURE", "NAMED", "AUTHORS", "KINDS", "DIFFICULTIES", "SHOWN", "THREADS_DIRECT"),
    *("READING", "READING_MIXTURE", "READING_SHOWN", "READING_DIRECT", "TALLIES", "VERSION", "ORDINARY_VERSION"),
}
"""Constants that tables and text tell already."""
PLAIN: tuple[corpus.Genre, ...] = ("direct", "worked", "careless")
"""Genres that put a question by itself, as tasks do."""
LEVELS = [str(level) for level in range(1, 1 + max(map(len, corpus.DIFFICULTIES.values())))]
"""The difficulties that head a table's columns."""


def data(members: list[Known]) -> str:
    """Return what the corpus holds that these members read, from its constants and their records."""
    kinds = []
    for kind, share in corpus.KINDS.items():
        weights = corpus.DIFFICULTIES[kind]
        levels = [percent(weight, sum(weights)) for weight in weights]
        kinds.append([kind, percent(share, sum(corpus.KINDS.values())), *filled(levels)])
    others: dict[str, tuple[object, str]] = {}
    for path in SOURCES:
        others |= {name: entry for name, entry in constants(path).items() if name not in IN_TABLES}
    known, readers = knowledge.world(), [one for one in members if one.reading]
    again = f", and {percent(answered_directly(corpus.READING_MIXTURE))} % in the second reading" if readers else ""
    world = f"""The world has {len(known.people)} people, {len(known.towns)} towns and {len(known.regions)} regions;
        people are spoken of by Zipf's law with exponent {knowledge.ZIPF}, those beyond the first {knowledge.SPOKEN_OF}
        {round(1 / knowledge.SELDOM)} times less often than it says. Questions that tasks ask are reserved by a
        hash of the question and never asked in the corpus, whatever the seed; the facts behind knowledge questions are
        stated. A question put to a model names no author. Of the corpus' unnamed documents that put a question by
        itself (direct, worked, careless) {percent(answered_directly(corpus.MIXTURE))} % answer it without reasoning in
        the ordinary mixture{again}; how many replies to a plain question reason was measured (`reasons`, below)."""
    opening = f"""Generated text alone (version {corpus.VERSION} of the corpus, whose ordinary documents are those of
        version {corpus.ORDINARY_VERSION}); no outside data went in. Every document is a function of the corpus' seed
        and its own number. The ordinary mixture:"""
    return f"""\
{paragraph(opening)}

{_genres(corpus.MIXTURE)}

{bullets([f"{genre}: {GENRES[genre]}" for genre in corpus.MIXTURE])}

What a thread shows of another's work; the most frequent answer stands first:

{_threads(corpus.SHOWN, corpus.THREADS_DIRECT)}

{_second_reading(readers)}Questions by kind, and within a kind by difficulty (steps, deductions or hops), in per cent:

{table(["kind", "questions, %", *LEVELS], kinds)}

{paragraph(world)}

Further constants of the recipe:

{bullets([f"`{name}` = `{value}`: {meaning}" for name, (value, meaning) in others.items()])}"""


def answered_directly(mixture: Mapping[corpus.Genre, float]) -> float:
    """Return the share of direct answers among the unnamed documents that put a question by itself."""
    unnamed = {genre: mixture[genre] * (1 - corpus.NAMED[genre]) for genre in PLAIN}
    return unnamed["direct"] / sum(unnamed.values())


def _second_reading(readers: list[Known]) -> str:
    """Return what these members read after the ordinary documents; nothing where there are none."""
    if not readers:
        return ""
    rate, _ = constants(MODELS / "pretrain.py", private=True)["_READING_RATE"]
    numbers = {one.name: int(one.record["member"]["reading"]) for one in readers}
    each = ", ".join(f"{name} {number:,}" for name, number in numbers.items())
    new = [genre for genre in corpus.READING_MIXTURE if genre not in corpus.MIXTURE]
    text = paragraph(
        f"""**A second reading** followed (documents: {each}), from document {corpus.READING:,} of the corpus on, at
        {rate:g} of the member's learning rate, with a new optimizer and schedule, from the weights that the first
        reading had written. Its mixture:"""
    )
    threads = paragraph(
        """Its threads tell answers in any order and of varied totals, so that only the counts say which is the
        most frequent. What they show:"""
    )
    return f"""\
{text}

{_genres(corpus.READING_MIXTURE)}

{bullets([f"{genre}: {GENRES[genre]}; {corpus.TALLIES} of them in one document" for genre in new])}

{threads}

{_threads(corpus.READING_SHOWN, corpus.READING_DIRECT)}

"""


def _genres(mixture: Mapping[corpus.Genre, float]) -> str:
    """Return a mixture of genres, with who writes them."""
    rows = [
        [
            genre,
            percent(share, sum(mixture.values())),
            percent(corpus.NAMED[genre]),
            ", ".join(corpus.AUTHORS[genre]),
        ]
        for genre, share in mixture.items()
    ]
    return table(["genre", "documents, %", "of them naming their author, %", "authors"], rows)


def _threads(shares: Mapping[corpus.Shown, float], direct: Mapping[corpus.Shown, float]) -> str:
    """Return what threads show, and how they close."""
    rows = [
        [SHOWN[shown], percent(share, sum(shares.values())), percent(direct[shown])] for shown, share in shares.items()
    ]
    return table(["shown", "threads, %", "of them closing with the right answer alone, %"], rows)


def other_version(members: list[Known]) -> str:
    """Return a warning about members that read another version of the corpus than the one described, or nothing."""
    versions = {one.name: one.record["corpus"] for one in members if not _as_now(one.record)}
    if not versions:
        return ""
    others = ", ".join(f"{name} version {version}" for name, version in versions.items())
    return f"**Pretrained on another version of the corpus than the one described here: {others}.**\n\n"


def _as_now(record: dict[str, Any]) -> bool:
    """Whether a member read the documents that there are now."""
    oldest = corpus.VERSION if "second_reading" in record else corpus.ORDINARY_VERSION
    return bool(oldest <= record["corpus"] <= corpus.VERSION)


def filled(cells: list[str]) -> list[str]:
    """Return a cell for every difficulty, the last ones empty where a kind ends sooner."""
    return cells + [""] * (len(LEVELS) - len(cells))


def constants(path: Path, private: bool = False) -> dict[str, tuple[Any, str]]:
    """Return the documented public (or private) constants of a module, read from its source: value and docstring by
    name."""
    found = {}
    for statement, after in pairwise(ast.parse(path.read_text(encoding="utf-8")).body):
        targets = [statement.target] if isinstance(statement, ast.AnnAssign) else getattr(statement, "targets", [])
        names = [target.id for target in targets if isinstance(target, ast.Name) and target.id.isupper()]
        text = after.value if isinstance(after, ast.Expr) else None
        if not names or names[0].startswith("_") is not private or not isinstance(text, ast.Constant):
            continue
        try:
            value = ast.literal_eval(statement.value)  # type: ignore[attr-defined]
        except ValueError:
            continue  # made by a call
        found[names[0]] = (value, " ".join(str(text.value).split()))
    return found
