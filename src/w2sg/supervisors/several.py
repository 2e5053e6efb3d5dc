"""Several supervisors side by side, each with labels of its own; the recipe hears them all."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from w2sg.errors import ConfigError
from w2sg.steps.cast import Cast
from w2sg.steps.model import Node
from w2sg.supervisors.base import Supervisor
from w2sg.supervisors.single import Teacher


class Several(Supervisor):
    """Teachers of different size or family, each tuned on the gold of `supervise`."""

    kind: Literal["several"] = "several"
    members: tuple[Teacher, ...] = Field(min_length=2)
    """The teachers; the first one's demonstration counts where only one can."""

    @field_validator("members", mode="before")
    @classmethod
    def _by_name(cls, members: object) -> object:
        if not isinstance(members, list | tuple):
            return members
        return tuple({"kind": member} if isinstance(member, str) else member for member in members)

    def node(self, cast: Cast) -> Node:
        raise ConfigError(
            "Several supervisors are not one model that could be judged or followed. Judge them one by one: "
            "{supervisor: {kind: teacher, model: ...}, schedule: as-is}."
        )

    def nodes(self, cast: Cast) -> tuple[Node, ...]:
        return tuple(member.node(cast) for member in self.members)
