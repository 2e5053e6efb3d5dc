"""Teachers of different size or family as one model: their distributions are mixed, byte by byte where they have
different tokenizers (`models.mixture_bytes`)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from w2sg.errors import ConfigError
from w2sg.models.base import Mixture, ModelConfig
from w2sg.steps.cast import Cast
from w2sg.steps.join import join_step
from w2sg.steps.model import Node
from w2sg.supervisors.base import Writer
from w2sg.supervisors.single import Teacher


class Families(Writer):
    """Teachers of different size or family, each tuned on the gold of `supervise`, as one model."""

    kind: Literal["families"] = "families"
    members: tuple[Teacher, ...] = Field((Teacher(), Teacher(model=ModelConfig(path="zoo/neox"))), min_length=2)
    """The teachers, by the paths of their models (`[zoo/nano, zoo/neox]`); `teacher` is the experiment's. When not
    given: that one, and the zoo's member of another family."""
    weights: tuple[float, ...] | None = None
    """How much each one counts; all the same when not given."""
    mixture: Mixture = "probability"
    """How their distributions are mixed."""

    @field_validator("members", mode="before")
    @classmethod
    def _by_path(cls, members: object) -> object:
        if not isinstance(members, list | tuple):
            return members
        named: dict[object, object] = {"teacher": {"kind": "teacher"}}
        return tuple(
            named.get(member, {"kind": "teacher", "model": member}) if isinstance(member, str) else member
            for member in members
        )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if any(member.answers != "text" for member in self.members):
            raise ValueError(
                "members are mixed into one model, which answers as a whole: set answers there, not in members"
            )
        if self.weights is not None and len(self.weights) != len(self.members):
            raise ValueError(
                f"there are {len(self.weights)} weights for {len(self.members)} members: give one for each"
            )
        if self.weights is not None and min(self.weights) <= 0:
            raise ValueError("a member's weight must be above 0: leave those out that are not to count")
        return self

    def made(self, cast: Cast) -> Node:
        members = [member.node(cast) for member in self.members]
        names = [Path(member.ref.config.path).name for member in members]
        if any(member.tuned is None for member in members):
            raise ConfigError(
                f"One of the models {', '.join(names)} is an ensemble, whose experts are tuned already, and the "
                "members of this supervisor are tuned here. Give its experts' models as members instead."
            )
        if len({member.tuned.fingerprint for member in members if member.tuned}) < len(members):
            raise ConfigError(
                f"Two of the members {', '.join(names)} are the same model, tuned alike, so that nothing is gained by "
                "mixing them. Name different models (supervisor.members)."
            )
        if len({member.ref.config.system for member in members}) > 1:
            raise ConfigError(
                f"The members {', '.join(names)} have different system prompts, and one model that is made of them has "
                "one. Give them the same."
            )
        words = cast.label(f"ensemble of {', '.join(names)}")
        return join_step(members, self.weights or [1.0] * len(members), self.mixture, words)
