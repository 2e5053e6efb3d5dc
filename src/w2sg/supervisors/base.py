"""What every supervisor does."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import Literal

from w2sg.config import Config, added
from w2sg.errors import ConfigError
from w2sg.steps.cast import Cast
from w2sg.steps.model import Likeliest, Node
from w2sg.steps.task import laid_out


class Supervisor(Config):
    """Base of the supervisors."""

    @abstractmethod
    def node(self, cast: Cast) -> Node:
        """Return the model that answers the transfer questions."""

    def nodes(self, cast: Cast) -> tuple[Node, ...]:
        """Return every model that answers them, each with labels of its own; mostly one."""
        return (self.node(cast),)


class Writer(Supervisor):
    """Base of the supervisors that write text, and so can also be asked which of a question's options is likeliest."""

    answers: Literal["text", Likeliest] = added("text")
    """By what it answers: `text` that it writes; or, where questions have options, the one whose whole response it
    finds likeliest (an ensemble by the sum of the mixture's log-probabilities), with all tokens (`likeliest`), per
    token (`likeliest-per-token`), or over its likelihood where nothing is asked (`likeliest-over-prior`)."""

    def node(self, cast: Cast) -> Node:
        """Return the model that answers, as it answers.

        Raises:
            ConfigError: it is to choose among options, and the task's questions have none.
        """
        writes = self.made(cast)
        if self.answers == "text":
            return writes
        check_options(cast, "Let the supervisor write its answers (answers: text)")
        return replace(writes, classifies=self.answers)

    @abstractmethod
    def made(self, cast: Cast) -> Node:
        """Return the model, which writes text."""


def check_options(cast: Cast, instead: str) -> None:
    """Refuse a task whose questions have no options.

    Raises:
        ConfigError: it is one; the message ends with what to do `instead`.
    """
    task = laid_out(cast.task)
    if task.grader.name != "choice":
        raise ConfigError(
            f"The questions of the task {cast.name!r} have no options ({task.grader.name} answers), so there is "
            f"nothing to choose among. {instead}, or use a task with `choices`."
        )
