"""Which arm answers which question about another: a method's null control, its variants, its matched rival.

What all methods meet (teacher, untuned student, ...) is `collect`'s; these comparisons come on top, where a run holds
both arms. Arms are matched by what they are made of, so that names of one's own are found too, and by their names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from w2sg.errors import ConfigError
from w2sg.schedules.methods import MethodConfig

Made = Mapping[str, Mapping[str, Any]]
"""What arms are made of, by name: supervisor, elicit, recipe and schedule with all their settings."""

_VARIANTS = ("-shuffled", "-shuffled-statement", "-no-uncertainty")
_VOTES = ("imitation-vote", "imitation-on-alice")
_RIVALS = {
    "alice": ("alice-on-greedy", "alice-no-attempt", "alice-swapped", "alice-blind", "alice-shuffled-order"),
    "alice-adaptive": ("alice",),
    "alice-selected": ("alice",),
    "alice-multi-turn": ("alice",),
    "alice-matched": ("imitation-matched",),
    "cascade-alice": ("alice", "alice-matched", "cascade-imitation"),
    "cascade-imitation": ("imitation-matched",),
}
_ENSEMBLES = ("boosted", "boosted-classifier", "committee", "families")
_NULLS = ("untuned", "self-distillation", "random-labels")


def made_of(settings: Mapping[str, Any]) -> Made:
    """Return what the arms of an experiment are made of, from its complete settings; those of an earlier version with
    the defaults of what has come since."""
    groups = (settings.get(group) for group in ("controls", "methods"))
    return {name: _completed(made) for group in groups if isinstance(group, Mapping) for name, made in group.items()}


def _completed(made: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        return MethodConfig.parse(made, "A method").model_dump(mode="json")
    except ConfigError:  # made by another version, or of parts that are not installed here
        return made


def own_supervisors(method: str, arms: Collection[str], made: Made) -> Iterator[str]:
    """Yield the arms in which the very ensemble that supervises `method` is judged itself."""
    if method not in made or made[method]["schedule"]["kind"] == "as-is" or is_null(method, arms, made):
        return
    supervisor = made[method]["supervisor"]
    if supervisor["kind"] in _ENSEMBLES:
        for name in arms:
            other = made.get(name)
            if other and other["schedule"]["kind"] == "as-is" and other["supervisor"] == supervisor:
                yield name


def null_control(method: str, arms: Collection[str] = (), made: Made | None = None) -> str:
    """Return the name of the arm that does as `method` does, but is shown another question's work: one among `arms`
    that is called or made so, else the name that it would have. An arm that is called so and made otherwise is not."""
    named, known = f"{method}-shuffled", made or {}
    taken = named in arms
    if taken and is_null(named, arms, made):
        return named
    wanted = f"{method} with recipe.shuffle: all" if taken else named
    if method in known and "shuffle" in known[method]["recipe"]:
        mine = known[method]
        shuffled = {**mine, "recipe": {**mine["recipe"], "shuffle": "all"}}
        return next((name for name in arms if name != method and known.get(name) == shuffled), wanted)
    return wanted


def has_no_teacher(name: str, made: Made | None = None) -> bool:
    """Whether an arm's student hears itself alone."""
    known = (made or {}).get(name)
    return name in ("untuned", "self-distillation") if known is None else known["supervisor"]["kind"] == "student"


def is_null(name: str, arms: Collection[str], made: Made | None = None) -> bool:
    """Whether an arm is a null control: its student hears no teacher, or a teacher on other questions only."""
    known = (made or {}).get(name)
    if known is None:
        return name in _NULLS or (name.endswith("-shuffled") and name.removesuffix("-shuffled") in arms)
    recipe = known["recipe"]
    return has_no_teacher(name, made) or recipe["kind"] == "shuffled" or recipe.get("shuffle") == "all"


def counterparts(method: str, arms: Collection[str], made: Made | None = None) -> Iterator[str]:
    """Yield the arms among `arms` that `method` is also compared with, each once."""
    rivals = [f"{method}{variant}" for variant in _VARIANTS]
    rivals += _RIVALS.get(method, ())
    if method in ("alice", "cascade-alice"):
        rivals += _VOTES
    rivals += _by_structure(method, arms, made or {})
    yield from (name for name in dict.fromkeys(rivals) if name in arms)


def foremost(method: str, arms: Collection[str], made: Made | None = None) -> Iterator[str]:
    """Yield the counterparts that a method's verdict names, the most telling first: what a cascade has to beat with as
    many questions and no rungs between; for a recipe that an ensemble teaches the same recipe with the teacher, then
    imitation of the same ensemble."""
    yield from (name for name in _RIVALS.get(method, ()) if _is_cascade(method) and name.endswith("-matched"))
    known = made or {}
    if method not in known or is_null(method, arms, known):
        return
    mine = known[method]
    if mine["supervisor"]["kind"] in _ENSEMBLES and mine["recipe"]["kind"] != "imitation":
        yield from (name for name in arms if name in known and _has_teacher_instead(known[name], mine))
        kin = (name for name in arms if name != method and name in known and _same_lesson(mine, known[name]))
        yield from (name for name in kin if known[name]["recipe"]["kind"] == "imitation")


def _is_cascade(method: str) -> bool:
    return method.startswith("cascade-")


def _by_structure(method: str, arms: Collection[str], made: Made) -> Iterator[str]:
    """Yield a method's null control; of the arms with the same supervisor and schedule those that imitate, where it
    does not; where its supervisor is an ensemble, those that differ from it by having the experiment's teacher there,
    and that ensemble itself; and those after it that differ from it in one setting of elicitation and recipe.

    A method that itself differs so from one before it leaves the imitators to that one: with every variant against
    every imitator, Holm's correction would hide what matters.
    """
    if method not in made or is_null(method, arms, made):
        return
    yield null_control(method, arms, made)
    mine, order = made[method], list(arms)
    kin = [
        name
        for name in order
        if name != method and name in made and not is_null(name, arms, made) and _same_lesson(mine, made[name])
    ]
    before = [name for name in kin if order.index(name) < order.index(method)]
    if mine["recipe"]["kind"] != "imitation" and not any(_differ_in_one(mine, made[name]) for name in before):
        yield from (name for name in kin if made[name]["recipe"]["kind"] == "imitation")
    if mine["supervisor"]["kind"] in _ENSEMBLES:
        yield from (name for name in order if name in made and _has_teacher_instead(made[name], mine))
        yield from own_supervisors(method, order, made)
    for name in kin:
        if name not in before and _differ_in_one(mine, made[name]) and method not in _RIVALS.get(name, ()):
            yield name


def _same_lesson(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two arms let the same supervisor teach in the same schedule, in which a student learns."""
    same: bool = one["supervisor"] == other["supervisor"] and one["schedule"] == other["schedule"]
    return same and one["schedule"]["kind"] not in ("as-is", "ceiling")


def _has_teacher_instead(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether `one` does as `other` with the experiment's teacher as its supervisor."""
    alone = one["supervisor"]["kind"] == "teacher" and not one["supervisor"]["model"]
    alike = one["supervisor"].get("answers") == other["supervisor"].get("answers")
    return alone and alike and {**one, "supervisor": None} == {**other, "supervisor": None}


def _differ_in_one(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether elicitation and recipe of two arms are of the same kinds, with one setting in all that differs."""
    pairs = [(one[part], other[part]) for part in ("elicit", "recipe")]
    if any(a["kind"] != b["kind"] for a, b in pairs):
        return False
    # That greedy labels are rated changes none of them.
    changed = [key for a, b in pairs for key in {*a, *b} - {"confidence"} if a.get(key) != b.get(key)]
    return len(changed) == 1
