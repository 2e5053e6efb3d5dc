"""Which arms test what boosting adds to another: the same in all settings but one.

What arms are made of decides, not their names; numbers come from the comparisons of `collect`, words from `sentences`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal

from w2sg.report.counterparts import Made
from w2sg.supervisors.committee import Committee

_BOOSTED = ("boosted", "boosted-classifier")

Lacking = Literal["boosting", "reweighting", "weights"]
"""What an arm lacks. `boosting`: it has as many experts, tuned alike on all of the gold, that differ by their seed
alone and count the same; `reweighting`: each of its experts draws anew what it learns, in the same way but from equal
weights, and they count the same; `weights`: it has the same experts, and they count the same."""


def boosting_controls(method: str, arms: Collection[str], made: Made) -> dict[str, Lacking]:
    """Return the arms among `arms` that do as `method` does with one thing of its boosting left out, and what; empty
    where its supervisor is not boosted, or is of one expert."""
    if not _is_boosted(method, made):
        return {}
    mine = made[method]
    boosted = mine["supervisor"]
    alike, found = _unboosted(boosted), dict[str, Lacking]()
    for name in arms:
        if name == method or name not in made or _lesson(made[name]) != _lesson(mine):
            continue
        other = made[name]["supervisor"]
        if other == {**boosted, "weights": "uniform"} != boosted:
            found[name] = "weights"
        elif other == alike:
            found[name] = "boosting"
        elif other == _unweighted(boosted):
            found[name] = "reweighting"
    return found


def cost_rivals(method: str, arms: Collection[str], made: Made) -> Iterator[str]:
    """Yield the arms that cost about what `method`, whose experts are boosted, costs, or are what it is made of: every
    committee (seeds, bags, averaged weights, one expert trained longer or with a wider adapter) and single expert that
    teaches, or is judged, as it is; and where it is the first of its kind among `arms`, the other boosted ones."""
    if not _is_boosted(method, made):
        return
    alike = [name for name in arms if name in made and _lesson(made[name]) == _lesson(made[method])]
    first = next(name for name in alike if _is_boosted(name, made))
    for name in alike:
        other = made[name]["supervisor"]
        plain = other["kind"] == "committee" or (other["kind"] in _BOOSTED and not _is_boosted(name, made))
        if plain or (method == first != name and _is_boosted(name, made)):
            yield name


def one_expert(method: str, arms: Collection[str], made: Made) -> Iterator[str]:
    """Yield the arms that teach, or are judged, as `method` does, by the first of its experts alone."""
    if _is_boosted(method, made):
        alone = {**made[method]["supervisor"], "experts": 1}
        for name in arms:
            if name in made and _lesson(made[name]) == _lesson(made[method]) and made[name]["supervisor"] == alone:
                yield name


def _is_boosted(name: str, made: Made) -> bool:
    """Whether an arm's supervisor is made of several experts by weighing errors."""
    if name not in made or made[name]["supervisor"]["kind"] not in _BOOSTED:
        return False
    supervisor = made[name]["supervisor"]
    return bool(supervisor["boosting"]["reweight"] and supervisor["experts"] > 1)


def _lesson(made: Mapping[str, Any]) -> list[Any]:
    """Return how an arm's labels are drawn and learnt, without what merely tests more."""
    schedule = {key: value for key, value in made["schedule"].items() if key != "prefixes"}
    return [made["elicit"], made["recipe"], schedule]


def _unweighted(boosted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same supervisor with every round's weights left equal."""
    apart = {**boosted, "weights": "uniform", "boosting": {**boosted["boosting"], "reweight": False}}
    return {**apart, "retries": 0} if "retries" in boosted else apart


def _unboosted(boosted: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the committee whose experts are made as the boosted ones, each from the teacher's base, and differ by
    their seed alone; None where there is no such committee."""
    if boosted["kind"] != "boosted" or boosted["model"] or boosted["warm"] or boosted["choose"] != "all":
        return None
    shared = {name: boosted[name] for name in ("experts", "mixture", "fit", "answers") if name in boosted}
    return Committee.parse(shared, "The committee").model_dump(mode="json")
