"""A method is a composition: supervisor x elicitation x recipe x schedule. Here are the named ones.

A new method is a line in `METHODS` (or in an experiment file) over parts that exist, or one new part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from w2sg.config import Config, suggest
from w2sg.elicit import ELICITORS
from w2sg.errors import ConfigError
from w2sg.recipes import RECIPES
from w2sg.schedules import SCHEDULES
from w2sg.schedules.base import Parts, Product
from w2sg.supervisors import SUPERVISORS
from w2sg.supervisors.base import Cast

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

    def product(self, name: str, cast: Cast) -> Product:
        """Return the model that the method makes for `cast`, with its steps."""
        return self.schedule.product(Parts(name, self.supervisor, self.elicit, self.recipe), cast)


PLAIN: dict[str, Any] = {"supervisor": "teacher", "elicit": "greedy", "recipe": "imitation", "schedule": "direct"}
"""What a method is where it does not say otherwise."""

METHODS: dict[str, dict[str, Any]] = {
    "imitation": {},
    "imitation-vote": {"elicit": "vote"},
}

CONTROLS: dict[str, dict[str, Any]] = {
    "teacher": {"schedule": "as-is"},
    "untuned": {"supervisor": "student", "schedule": "as-is"},
    "ceiling": {"schedule": "ceiling"},
    "self-distillation": {"supervisor": "student", "elicit": "vote"},
    "random-labels": {"recipe": "shuffled"},
}
"""The rows without which no gain can be read."""


def method(name: str, changes: Any = None) -> MethodConfig:
    """Return the method called `name`, with the parts in `changes` put in place of the named one's.

    Raises:
        ConfigError: the name is unknown and nothing says what it is made of, or a part does not fit.
    """
    known = {**METHODS, **CONTROLS}
    if changes is not None and not isinstance(changes, dict):
        raise ConfigError(
            f"The method {name!r} must be a mapping of its parts ({', '.join(PLAIN)}), found {changes!r}."
        )
    if name not in known and not changes:
        raise ConfigError(
            f"There is no method called {name!r}{suggest(name, known)}. Name a known one, or say what it is made of: "
            f"{name}: {{elicit: vote}}."
        )
    return MethodConfig.parse({**PLAIN, **known.get(name, {}), **(changes or {})}, f"The method {name!r}")
