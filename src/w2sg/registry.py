"""Tables from a name to `module:attribute`, completed by installed packages' entry points.

A table imports nothing until a name is asked for, so that listing what exists stays instant.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from w2sg.config import suggest
from w2sg.errors import ConfigError


class Registry:
    """The parts of one kind (`"tasks"`, `"recipes"`, ...), by name.

    Installed packages add parts through the entry point group `w2sg.<kind>`.
    """

    def __init__(self, kind: str, parts: Mapping[str, str]) -> None:
        self.kind = kind
        self._parts = dict(parts)

    def names(self) -> list[str]:
        """Return every known name, our own first."""
        return [*self._parts, *(name for name in self._external() if name not in self._parts)]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __contains__(self, name: object) -> bool:
        return name in self._parts or name in self._external()

    def get(self, name: str) -> Any:
        """Import and return the part called `name`.

        Raises:
            ConfigError: no part has that name; the message suggests the nearest.
        """
        target = self._parts.get(name) or self._external().get(name)
        if target is None:
            what = self.kind.rstrip("s")
            raise ConfigError(f"There is no {what} called {name!r}{suggest(name, self.names())}.")
        module, _, attribute = target.partition(":")
        return getattr(import_module(module), attribute)

    def _external(self) -> dict[str, str]:
        return {entry.name: entry.value for entry in entry_points(group=f"w2sg.{self.kind}")}

    def union(self) -> Any:
        """Return the annotation of a setting that holds any part of this kind, told apart by its `kind`.

        A bare name stands for the part with its defaults. The parts must be Config classes with a literal
        `kind`.
        """
        from typing import Annotated, Union

        from pydantic import BeforeValidator, Discriminator

        classes = tuple(self.get(name) for name in self.names())
        if len(classes) == 1:
            return Annotated[classes[0], BeforeValidator(_named)]
        return Annotated[Union[classes], Discriminator("kind"), BeforeValidator(_named)]  # noqa: UP007


def _named(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value
