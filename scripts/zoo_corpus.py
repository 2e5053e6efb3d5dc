"""What the zoo was pretrained on, told from the constants of the corpus and of the recipe."""

from __future__ import annotations

import ast
from itertools import pairwise
from pathlib import Path
from typing import Any

from zoo_facts import Known
from zoo_markdown import bullets, paragraph, percent, table
from zoo_prose import GENRES

from w2sg.models import zoo
from w2sg.tasks.world import corpus, knowledge, problem

MODELS = Path(zoo.__file__).parent
SOURCES = (Path(corpus.__file__), Path(problem.__file__), *sorted(MODELS.glob("pretrain*.py")))
IN_TABLES = {"MIXTURE", "NAMED", "AUTHORS", "KINDS", "DIFFICULTIES"}
LEVELS = [str(level) for level in range(1, 1 + max(map(len, corpus.DIFFICULTIES.values())))]
"""The difficulties that head a table's columns."""


def data() -> str:
    """Return what the corpus holds, from its constants."""
    documents = sum(corpus.MIXTURE.values())
    genres = [
        [genre, percent(share, documents), percent(corpus.NAMED[genre]), ", ".join(corpus.AUTHORS[genre])]
        for genre, share in corpus.MIXTURE.items()
    ]
    kinds = []
    for kind, share in corpus.KINDS.items():
        weights = corpus.DIFFICULTIES[kind]
        levels = [percent(weight, sum(weights)) for weight in weights]
        kinds.append([kind, percent(share, sum(corpus.KINDS.values())), *filled(levels)])
    others: dict[str, tuple[object, str]] = {}
    for path in SOURCES:
        others |= {name: entry for name, entry in constants(path).items() if name not in IN_TABLES}
    known = knowledge.world()
    world = f"""The world has {len(known.people)} people, {len(known.towns)} towns and {len(known.regions)} regions;
        people are spoken of by Zipf's law with exponent {knowledge.ZIPF}, those beyond the first {knowledge.SPOKEN_OF}
        {round(1 / knowledge.SELDOM)} times less often than it says. Questions that tasks ask are reserved by a
        hash of the question and never asked in the corpus, whatever the seed; the facts behind knowledge questions are
        stated. A question put to a model names no author, and most unnamed answers are direct, so that reasoning has
        to be elicited."""
    return f"""\
Generated text alone (version {corpus.VERSION} of the corpus); no outside data went in. Every document is a function
of the corpus' seed and its own number. The ordinary mixture:

{table(["genre", "documents, %", "of them naming their author, %", "authors"], genres)}

{bullets([f"{genre}: {GENRES[genre]}" for genre in corpus.MIXTURE])}

Questions by kind, and within a kind by difficulty (steps, deductions or hops), in per cent:

{table(["kind", "questions, %", *LEVELS], kinds)}

{paragraph(world)}

Further constants of the recipe:

{bullets([f"`{name}` = `{value}`: {meaning}" for name, (value, meaning) in others.items()])}"""


def other_version(members: list[Known]) -> str:
    """Return a warning about members that read another version of the corpus than the one described, or nothing."""
    versions = {one.name: one.record["corpus"] for one in members if not _as_now(one.record)}
    if not versions:
        return ""
    others = ", ".join(f"{name} version {version}" for name, version in versions.items())
    return f"**Pretrained on another version of the corpus than the one described here: {others}.**\n\n"


def _as_now(record: dict[str, Any]) -> bool:
    """Whether a member read the documents that there are now."""
    return record["corpus"] == corpus.VERSION or (
        record["corpus"] >= corpus.FIRST_READING and "second_reading" not in record
    )


def filled(cells: list[str]) -> list[str]:
    """Return a cell for every difficulty, the last ones empty where a kind ends sooner."""
    return cells + [""] * (len(LEVELS) - len(cells))


def constants(path: Path) -> dict[str, tuple[Any, str]]:
    """Return the documented public constants of a module, read from its source: value and docstring by name."""
    found = {}
    for statement, after in pairwise(ast.parse(path.read_text(encoding="utf-8")).body):
        targets = [statement.target] if isinstance(statement, ast.AnnAssign) else getattr(statement, "targets", [])
        names = [target.id for target in targets if isinstance(target, ast.Name) and target.id.isupper()]
        text = after.value if isinstance(after, ast.Expr) else None
        if not names or names[0].startswith("_") or not isinstance(text, ast.Constant):
            continue
        try:
            value = ast.literal_eval(statement.value)  # type: ignore[attr-defined]
        except ValueError:
            continue  # made by a call
        found[names[0]] = (value, " ".join(str(text.value).split()))
    return found
