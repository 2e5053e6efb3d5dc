"""A method is a composition: supervisor x elicitation x recipe x schedule. Here are the named ones.

A new method is a line in `METHODS` (or in an experiment file) over parts that exist, or one new part.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from pydantic import model_validator

from w2sg.config import Config, suggest
from w2sg.elicit import ELICITORS
from w2sg.ensemble.class_config import PUBLISHED_CLASSES
from w2sg.ensemble.config import EXPERTS, PUBLISHED
from w2sg.errors import ConfigError
from w2sg.recipes import RECIPES
from w2sg.schedules import SCHEDULES
from w2sg.schedules.base import Parts, Product
from w2sg.steps.cast import Cast
from w2sg.supervisors import SUPERVISORS

if TYPE_CHECKING:
    from w2sg.elicit.base import Elicitor as ElicitorPart
    from w2sg.recipes.base import Recipe as RecipePart
    from w2sg.schedules.base import Schedule as SchedulePart
    from w2sg.supervisors.base import Supervisor as SupervisorPart
else:
    ElicitorPart, RecipePart = ELICITORS.union(), RECIPES.union()
    SchedulePart, SupervisorPart = SCHEDULES.union(), SUPERVISORS.union()


class MethodConfig(Config):
    """How one row of the result is made."""

    supervisor: SupervisorPart
    """What labels the transfer questions."""
    elicit: ElicitorPart
    """How its labels and their uncertainty are drawn out."""
    recipe: RecipePart
    """How the student learns from them."""
    schedule: SchedulePart
    """Who teaches whom, in which order."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.recipe.needs_confidence and not self.elicit.states_confidence:
            raise ValueError(
                "the recipe learns the labels that the supervisor is surest of (recipe.keep), and greedy labels state "
                "no confidence: set elicit to vote, or to {kind: greedy, confidence: likelihood}, or keep to 1"
            )
        return self

    def product(self, name: str, cast: Cast) -> Product:
        """Return the model that the method makes for `cast`, with its steps."""
        return self.schedule.product(Parts(name, self.supervisor, self.elicit, self.recipe), cast)


Preset = Literal["default", "paper"]
"""What named methods are made of: our choice of settings, or those that their authors published."""

PLAIN: dict[str, Any] = {"supervisor": "teacher", "elicit": "greedy", "recipe": "imitation", "schedule": "direct"}
"""What a method is where it does not say otherwise."""

_SOFT = {"kind": "imitation", "distributions": 32}
_SURE = {"kind": "imitation", "keep": 0.5}

METHODS: dict[str, dict[str, Any]] = {
    "imitation": {},
    "imitation-vote": {"elicit": "vote"},
    "imitation-soft": {"recipe": _SOFT},
    "imitation-sure": {"elicit": {"kind": "greedy", "confidence": "likelihood"}, "recipe": _SURE},
    "alice": {"elicit": "alice", "recipe": "alice"},
    "alice-no-uncertainty": {"elicit": "alice", "recipe": {"kind": "alice", "uncertainty": False}},
    "alice-shuffled": {"elicit": "alice", "recipe": {"kind": "alice", "shuffle": "all"}},
    "alice-shuffled-statement": {"elicit": "alice", "recipe": {"kind": "alice", "shuffle": "statement"}},
    "alice-no-attempt": {"elicit": "alice", "recipe": {"kind": "alice", "attempt": "none"}},
    "alice-swapped": {"elicit": "alice", "recipe": {"kind": "alice", "order": "other-first"}},
    "alice-blind": {"elicit": "alice", "recipe": {"kind": "alice", "order": "blind"}},
    "alice-shuffled-order": {
        "elicit": {"kind": "alice", "statement": {"kind": "template", "listing": "shuffled"}},
        "recipe": {"kind": "alice", "listing": "shuffled"},
    },
    "alice-teacher-words": {"elicit": {"kind": "alice", "statement": "teacher"}, "recipe": "alice"},
    "alice-student-words": {"elicit": {"kind": "alice", "statement": "student"}, "recipe": "alice"},
    "alice-adaptive": {"elicit": {"kind": "alice", "stopping": "posterior"}, "recipe": "alice"},
    "alice-selected": {"elicit": "alice", "recipe": {"kind": "alice", "select": "agreement"}},
    "alice-multi-turn": {"elicit": "alice", "recipe": {"kind": "alice", "turns": 2}},
    "alice-on-greedy": {"recipe": {"kind": "alice", "uncertainty": False, "bypass": False}},  # one answer always agrees
    "imitation-on-alice": {"elicit": "alice"},
    "alice-matched": {
        "elicit": "alice",
        "recipe": "alice",
        "schedule": {"kind": "direct", "questions": "matched"},
    },
    "imitation-matched": {"schedule": {"kind": "direct", "questions": "matched"}},
    "cascade-alice": {"elicit": "alice", "recipe": "alice", "schedule": "cascade"},
    "cascade-alice-no-uncertainty": {
        "elicit": "alice",
        "recipe": {"kind": "alice", "uncertainty": False},
        "schedule": "cascade",
    },
    "cascade-imitation": {"schedule": "cascade"},
    "ensemw2s": {"supervisor": "boosted"},
    "ensemw2s-soft": {"supervisor": "boosted", "recipe": _SOFT},
    "ensemw2s-likeliest": {"supervisor": {"kind": "boosted", "answers": "likeliest"}},
    "ensemw2s-sure": {
        "supervisor": "boosted",
        "elicit": {"kind": "greedy", "confidence": "likelihood"},
        "recipe": _SURE,
    },
    "ensemw2s-uniform": {"supervisor": {"kind": "boosted", "weights": "uniform"}},
    "ensemw2s-experts": {"supervisor": "boosted", "schedule": "as-is"},
    "ensemw2s-chosen": {"supervisor": {"kind": "boosted", "choose": "validate"}},
    "ensemw2s-chosen-experts": {"supervisor": {"kind": "boosted", "choose": "validate"}, "schedule": "as-is"},
    "ensemw2s-texts": {"supervisor": {"kind": "boosted", "boosting": {"unit": "texts", "window": 0}}},
    "ensemw2s-classes": {"supervisor": "boosted-classifier"},
    "ensemw2s-classes-uniform": {"supervisor": {"kind": "boosted-classifier", "weights": "uniform"}},
    "ensemw2s-classes-experts": {"supervisor": "boosted-classifier", "schedule": "as-is"},
    "single-classifier": {"supervisor": {"kind": "boosted-classifier", "experts": 1}},
    "single-expert": {"supervisor": {"kind": "boosted", "experts": 1}},
    "single-expert-long": {"supervisor": {"kind": "committee", "experts": 1, "longer": EXPERTS}},
    "single-expert-large-rank": {"supervisor": {"kind": "committee", "experts": 1, "wider": EXPERTS}},
    "uniform-ensemble": {"supervisor": "committee"},
    "weight-averaged": {"supervisor": {"kind": "committee", "combine": "weights"}},
    "bagging": {"supervisor": {"kind": "committee", "differ": "texts"}},
    "token-bagging": {"supervisor": {"kind": "committee", "differ": "tokens"}},
    "two-families-ensemble": {"supervisor": "families"},
}

CONTROLS: dict[str, dict[str, Any]] = {
    "teacher": {"schedule": "as-is"},
    "untuned": {"supervisor": "student", "schedule": "as-is"},
    "ceiling": {"schedule": "ceiling"},
    "self-distillation": {"supervisor": "student", "elicit": "vote"},
    "random-labels": {"recipe": "shuffled"},
}
"""The rows without which no gain can be read."""

_KNOWN = {**METHODS, **CONTROLS}

Rows = Mapping[str, Any]
"""Rows of an experiment file by name, each with what it says of its parts."""

PAPER: dict[str, dict[str, Any]] = {
    "supervisor": {"boosted": {"boosting": PUBLISHED}, "boosted-classifier": {"boosting": PUBLISHED_CLASSES}},
    "elicit": {
        "greedy": {"kind": "vote", "samples": 1, "temperature": 0.6},
        "alice": {
            "samples": 100,
            "clustering": {"kind": "answers", "singletons": "drop"},
            "calibration": "none",
        },
    },
    "recipe": {
        "imitation": {"keep_unparsed": True},
        "alice": {"attempt": "sampled", "rewrites": 1, "check": False, "choose": "first", "bypass": True},
    },
}
"""What parts of the named methods are under the preset `paper`, by kind (Wu et al. 2025 and the authors' settings;
for boosting Agrawal et al. 2024).
Controls stay as they are: they are ours; and so do an ensemble's labels and what is learnt of them (`DECODED`). Two
things an experiment has to say itself: the address of the helper that wrote the published statements (`statement:
{kind: endpoint, ...}`), and, for tasks with free answers, clustering by embeddings."""

DECODED = ("boosted", "boosted-classifier", "committee", "families")
"""Supervisors whose one answer is greedy, and imitated, as without the preset: published EnsemW2S decodes greedily, and
what it is measured against is labelled alike. The one sample at temperature 0.6, and that unreadable ones are learnt,
is Wu et al.'s, of a single teacher."""


VARIANTS: dict[str, dict[str, Any]] = {
    "-shuffled": {"shuffle": "all"},
    "-shuffled-statement": {"shuffle": "statement"},
    "-no-uncertainty": {"uncertainty": False},
}
"""What a name that ends so changes in the recipe of the method before it: `cascade-alice-shuffled` is
`{like: cascade-alice, recipe: {shuffle: all}}`. Only recipes that have the setting have the variant."""


def method(name: str, changes: Any = None, preset: Preset = "default", others: Rows | None = None) -> MethodConfig:
    """Return the method called `name`, with the parts in `changes` put in place of the named one's.

    A part given without its `kind` changes the named method's part. `changes` may also hold `like`, the name of the
    method that is changed (by default `name` itself), and `preset`. `others` are the rows that an experiment spells
    out, by name: `like` takes them too, in any order (where a row is called as a known method, the known one is meant),
    and so do the names in `VARIANTS`, for which the file's row is meant first.

    Raises:
        ConfigError: the name is unknown and nothing says what it is made of, rows are made like each other in a circle,
            or a part does not fit.
    """
    return MethodConfig.parse(_made(name, changes, preset, others or {}, ()), f"The method {name!r}")


def _made(name: str, changes: Any, preset: str, rows: Rows, above: tuple[str, ...]) -> dict[str, Any]:
    """Return the parts of the method called `name`, not yet checked; `above` are the rows that are made like it."""
    if isinstance(changes, MethodConfig):
        return changes.model_dump(mode="json")
    if changes is not None and not isinstance(changes, dict):
        raise ConfigError(
            f"The method {name!r} must be a mapping of its parts ({', '.join(PLAIN)}), found {changes!r}."
        )
    if name in above:
        raise ConfigError(
            f"Rows are made like each other in a circle: {' like '.join((*above, name))}. Let one of them say what it "
            f"is made of without `like`, or name a known method there ({', '.join(METHODS)})."
        )
    changes = dict(changes or {})
    like, preset = str(changes.pop("like", name)), changes.pop("preset", preset)
    if preset not in get_args(Preset):
        raise ConfigError(f"The method {name!r} has the preset {preset!r}; known are {', '.join(get_args(Preset))}.")
    spelt_out = like == name and bool(changes) and like not in _KNOWN
    base = None if spelt_out else _base(like, preset, rows, (*above, name), changes.get("supervisor"))
    if base is None and not spelt_out:
        raise _unknown(name, like, rows)
    made = {**PLAIN, **(base or {})}
    for part, change in changes.items():
        mine = _mapping(made.get(part, {})) if base is not None and _is_change(change) else {}
        made[part] = _changed(mine, change) if mine else change
    return made


def _changed(mine: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part with some of its settings changed; of a setting that is made of several, those that are named."""
    inner = {
        key: {**mine[key], **value}
        for key, value in change.items()
        if _is_change(value) and isinstance(mine.get(key), Mapping)
    }
    return {**mine, **change, **inner}


def _base(like: str, preset: str, rows: Rows, above: tuple[str, ...], instead: Any = None) -> dict[str, Any] | None:
    """Return the parts of the method that another is made like; None where nothing is called so.

    Args:
        instead: the supervisor that will stand in its supervisor's place, or what changes in that; None where nothing.
    """
    if like in _KNOWN:
        made = {**PLAIN, **_KNOWN[like]}
        if preset != "paper" or like not in METHODS:
            return made
        supervisor = made["supervisor"] if instead is None or _is_change(instead) else instead
        plain = {"elicit": "greedy", "recipe": "imitation"} if _mapping(supervisor).get("kind") in DECODED else {}
        return {
            part: settings if plain.get(part) == _mapping(settings)["kind"] else _published(part, settings)
            for part, settings in made.items()
        }
    if rows.get(like) and like != above[-1]:
        return _made(like, rows[like], preset, rows, above)
    for ending, change in VARIANTS.items():
        origin = like.removesuffix(ending)
        if origin == like:
            continue
        row = rows.get(origin)
        found = _made(origin, row, preset, rows, above) if row else _base(origin, preset, rows, (*above, like))
        recipe = _mapping(found["recipe"]) if found else {}
        kind = str(recipe.get("kind"))
        if found and kind in RECIPES and change.keys() <= RECIPES.get(kind).model_fields.keys():
            return {**found, "recipe": {**recipe, **change}}
    return None


def _unknown(name: str, like: str, rows: Rows) -> ConfigError:
    others = [row for row in rows if row != like]
    near = difflib.get_close_matches(like, [*others, *_KNOWN], n=1)
    both = f" (rows of the file: {', '.join(rows)}; known: {', '.join(_KNOWN)})" if rows and not near else ""
    ending = next((ending for ending in VARIANTS if like.endswith(ending)), "")
    why = f" The ending {ending!r} is known after a method whose recipe has that setting, as Alice's." if ending else ""
    start = near[0] if near else "alice"
    example = "{samples: 8}" if _KNOWN.get(start, {}).get("elicit") == "alice" else "vote"
    return ConfigError(
        f"There is no method called {like!r}{both or suggest(like, near or _KNOWN)}.{why} Name a known one, or say "
        f"what it is made of: {name}: {{like: {start}, elicit: {example}}}."
    )


def _is_change(part: Any) -> bool:
    """Whether a part is a change of the named method's part, and no part of its own."""
    return isinstance(part, dict) and "kind" not in part


def _published(part: str, settings: Any) -> Any:
    """Return a part of a named method as published: the paper's settings, and over them what makes the method. Where
    the paper has another kind of part, one with settings of its own stays."""
    own = _mapping(settings)
    paper = PAPER.get(part, {}).get(own["kind"], {})
    if "kind" in paper and len(own) > 1:
        return own
    kept = {key: value for key, value in own.items() if key != "kind" or "kind" not in paper}
    for key, value in kept.items():
        if isinstance(value, dict) and isinstance(paper.get(key), dict):
            kept[key] = {**paper[key], **value}
    return {**own, **paper, **kept}


def _mapping(part: Any) -> dict[str, Any]:
    if isinstance(part, str):
        return {"kind": part}
    return dict(part) if isinstance(part, Mapping | Config) else {}
