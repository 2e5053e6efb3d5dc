"""What every supervisor does."""

from __future__ import annotations

from abc import abstractmethod

from w2sg.config import Config
from w2sg.steps.cast import Cast
from w2sg.steps.model import Node


class Supervisor(Config):
    """Base of the supervisors."""

    @abstractmethod
    def node(self, cast: Cast) -> Node:
        """Return the model that answers the transfer questions."""

    def nodes(self, cast: Cast) -> tuple[Node, ...]:
        """Return every model that answers them, each with labels of its own; mostly one."""
        return (self.node(cast),)
