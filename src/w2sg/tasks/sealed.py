"""Gold on disk, in two files: open (supervise, validate) and sealed (transfer, test).

Sealed gold is opened only to score predictions, to train the ceiling, and to probe whether a model reads what it is
shown (nothing is trained on the replies). Every opening leaves a line in the opener's own log before any gold is
returned.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from w2sg.errors import SealedGoldError
from w2sg.records import OPEN_ROLES, SEALED_ROLES, Gold, Role, Row, TaskRow
from w2sg.storage import RowWriter, read_rows, write_rows

OPEN_FILE = "gold-open.jsonl"
SEALED_FILE = "gold-sealed.jsonl"

Reason = Literal["score", "ceiling", "probe"]
_ALLOWED: dict[Reason, tuple[Role, ...]] = {"score": SEALED_ROLES, "ceiling": ("transfer",), "probe": ("transfer",)}
_USUAL: dict[Reason, tuple[Role, ...]] = {"score": ("test",), "ceiling": ("transfer",), "probe": ("transfer",)}


@dataclass(frozen=True, slots=True)
class _Kept(Row):
    """Gold with the role of its row."""

    role: Role
    id: str
    answer: str
    aliases: tuple[str, ...]
    rationale: str

    def gold(self) -> Gold:
        return Gold(self.id, self.answer, self.aliases, self.rationale)


@dataclass(frozen=True, slots=True)
class Access(Row):
    """One opening of sealed gold: by which step, why, when (UTC, ISO 8601), which roles, how many answers."""

    by: str
    reason: str
    when: str
    roles: tuple[Role, ...]
    n: int


def write_gold(folder: Path, rows: Iterable[TaskRow]) -> None:
    """Write the gold of placed rows into the two files of `folder`; rows without role or gold are passed over.

    Raises:
        StoreError: the disk refuses.
    """
    kept = [
        _Kept(row.role, row.gold.id, row.gold.answer, row.gold.aliases, row.gold.rationale)
        for row in rows
        if row.gold is not None and row.role
    ]
    write_rows(folder / OPEN_FILE, [row for row in kept if row.role in OPEN_ROLES])
    write_rows(folder / SEALED_FILE, [row for row in kept if row.role in SEALED_ROLES])


def open_gold(folder: Path) -> dict[str, Gold]:
    """Return the open gold (supervise, validate) by id."""
    return {row.id: row.gold() for row in read_rows(folder / OPEN_FILE, _Kept)}


def open_sealed(
    folder: Path, *, by: str, reason: Reason, log: Path, roles: Collection[Role] | None = None
) -> dict[str, Gold]:
    """Return sealed gold by id, after writing the opening into `log`.

    `roles`: by default test for `score` and transfer for `ceiling`; scoring may also ask for transfer, to measure how
    right the weak labels were.

    Raises:
        SealedGoldError: the reason is unknown, nobody signs, or the reason does not cover a role asked for.
    """
    if reason not in get_args(Reason) or not by:
        raise SealedGoldError(f"sealed gold in {folder.name!r} was asked for by {by!r} with the reason {reason!r}")
    wanted = tuple(sorted(_USUAL[reason] if roles is None else set(roles)))
    if refused := [role for role in wanted if role not in _ALLOWED[reason]]:
        raise SealedGoldError(f"{by!r} asked for the gold of {refused} with the reason {reason!r}, which covers none")
    kept = [row for row in read_rows(folder / SEALED_FILE, _Kept) if row.role in wanted]
    with RowWriter(log) as writer:
        writer.append([Access(by, reason, datetime.now(UTC).isoformat(timespec="seconds"), wanted, len(kept))])
    return {row.id: row.gold() for row in kept}


def read_accesses(log: Path) -> list[Access]:
    """Return the openings written in `log`; none when there is no such file."""
    return read_rows(log, Access) if log.exists() else []
