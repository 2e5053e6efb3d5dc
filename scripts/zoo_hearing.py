"""What the zoo's cards say of counts: whether members weigh how often answers were given, and doubt."""

from __future__ import annotations

from zoo_facts import Known
from zoo_markdown import bullets, paragraph, percent, table

from w2sg.metrics.verdict import points
from w2sg.runs.zoo_check import KINDS

ALONE, BESIDE = "often/", "demonstration/"
"""What the keys of a sheet open with: the more frequent case of answers alone, and of answers beside a solution."""
LITTLE = 0.15
"""A share of replies that is called little when the counts move no more."""


def hearing(members: list[Known]) -> str:
    """Return a section on how members with a second reading weigh counts; nothing where there are none."""
    readers = [one for one in members if one.reading]
    if not readers:
        return ""
    measured = [one for one in readers if one.counts.usable]
    missing = bullets([f"{one.name}: {one.counts.state}" for one in readers if not one.counts.usable])
    parts = ["## Whether counts and doubt are heard", missing]
    if measured:
        parts += [_how(measured[0]), _table(measured), bullets(verdicts(measured))]
    return "\n\n".join(part for part in parts if part) + "\n\n"


def verdicts(members: list[Known]) -> list[str]:
    """Return what the figures of these members say, in words; nothing where there are none."""
    measured = [one for one in members if one.counts.usable]
    if not measured:
        return []
    alone, beside = (_moves(measured, opening) for opening in (ALONE, BESIDE))
    clear = min(move["low"] for move in alone) > 0
    places = ", ".join(f"{one.name} {points(_place(one))}" for one in measured)
    little = max(abs(move["difference"]) for move in beside) <= LITTLE
    return [
        f"Where answers stand alone, counts {'are read wherever they stand' if clear else 'are not shown to be read'}: "
        f"a wrong answer given often instead of rarely gets {_range(alone)} points more of the replies. Place moves "
        f"them too, first instead of last by as much as {places}.",
        f"Beside a demonstration counts and doubt {'hardly change anything' if little else 'are heard in part'}: all "
        f"votes instead of few for the wrong solution move {_range(beside)} points. A demonstration with its counts "
        "and its doubt is Alice's default request, so that what she gains on the zoo "
        f"{'is hardly' if little else 'is only partly'} a gain by weighing them.",
    ]


def _how(one: Known) -> str:
    sheet = one.counts
    votes, asked = sheet["votes"], sorted({sheet["found"][kind]["questions"] for kind in KINDS})
    return paragraph(
        f"""{sheet.state} Per cent of greedy replies that follow a wrong answer, {", ".join(map(str, asked))} transfer
        questions of each kind, untuned. `often`, `rarely`: a wrong and a right answer stand alone, the wrong one given
        {votes["often"]} or {votes["rarely"]} of {votes["of"]} times, as the `first` or the `last` of the two.
        `demonstration`: a whole wrong solution is shown, with answers of which so many of {votes["of"]} are its own
        and a remark of doubt that fits; beside them, what all votes instead of the fewest change, in points with the
        95 % interval."""
    )


def _table(members: list[Known]) -> str:
    cells = [name for name in members[0].counts["found"][KINDS[0]] if "/" in name and " - " not in name]
    rows = []
    for kind in KINDS:
        for one in members:
            found = one.counts["found"][kind]
            change = _move(found, BESIDE)
            ends = f"{points(change['difference'])} [{points(change['low'])} to {points(change['high'])}]"
            rows.append([f"{kind}, {one.name}", *(percent(found[name]["value"]) for name in cells), ends])
    return table(["", *(name.replace("/", ", ") for name in cells), "all − fewest"], rows)


def _move(found: dict[str, dict[str, float]], opening: str) -> dict[str, float]:
    return next(value for name, value in found.items() if name.startswith(opening) and " - " in name)


def _moves(members: list[Known], opening: str) -> list[dict[str, float]]:
    """Return every paired difference between cases of that opening, over members and kinds."""
    return [
        value
        for one in members
        for kind in KINDS
        for name, value in one.counts["found"][kind].items()
        if name.startswith(opening) and " - " in name
    ]


def _range(moves: list[dict[str, float]]) -> str:
    values = [move["difference"] for move in moves]
    return f"{points(min(values))} to {points(max(values))}"


def _place(one: Known) -> float:
    """Return the most that first instead of last changes, in either direction."""
    found = [one.counts["found"][kind] for kind in KINDS]
    changes: list[float] = [
        cells[f"{often}/first"]["value"] - cells[f"{often}/last"]["value"]
        for cells in found
        for often in ("often", "rarely")
    ]
    return max(changes, key=abs)
