"""Every error a user can meet.

    W2sgError
    ├── UserError            the user can mend it: one paragraph, exit code 2, no traceback
    │   ├── ConfigError      an experiment file or setting does not fit
    │   ├── DataError        a data file, row, split or answer is missing or malformed
    │   ├── ModelError       a model or tokenizer does not load, or cannot do what is asked
    │   ├── StoreError       the store or the disk: not writable, full, corrupted, locked
    │   └── MissingExtra     an optional package is not installed
    └── SealedGoldError      code asked for sealed gold without the right to it (a bug, exit code 1)

A message is one paragraph: what is wrong, where, the value found, what to do next. Every other exception
is a bug and keeps its traceback.
"""

from __future__ import annotations

__all__ = [
    "ConfigError",
    "DataError",
    "MissingExtra",
    "ModelError",
    "SealedGoldError",
    "StoreError",
    "UserError",
    "W2sgError",
]


class W2sgError(Exception):
    """Base of every error that w2sg raises on purpose."""


class UserError(W2sgError):
    """A mistake or a condition that the user can mend; shown as one paragraph, exit code 2."""


class ConfigError(UserError, ValueError):
    """An experiment file, an override or a setting does not fit."""


class DataError(UserError, ValueError):
    """A data file, a row, a split or an answer is missing or malformed."""


class ModelError(UserError, RuntimeError):
    """A model or a tokenizer does not load, or cannot do what is asked of it."""


class StoreError(UserError, OSError):
    """The store or its disk: not writable, full, corrupted or locked."""


class MissingExtra(UserError, ImportError):
    """An optional package is missing; the message names the extra that brings it."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        self.package, self.extra, self.purpose = package, extra, purpose
        super().__init__(
            f"{purpose} needs the package {package!r}, which is not installed. Install it with: "
            f"pip install 'w2sg[{extra}]'."
        )

    def __reduce__(self) -> tuple[type[MissingExtra], tuple[str, str, str]]:
        return (type(self), (self.package, self.extra, self.purpose))


class SealedGoldError(W2sgError):
    """Sealed gold was asked for by code that has no right to it."""
