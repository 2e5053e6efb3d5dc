"""Places rows into roles: by group, by a hash of the group's name, checked for the same question in two roles.

Rows that the source already placed (an official test file, an unlabelled pool) stay there. Test rows are placed first
and never dropped; validate, supervise and transfer then leave out what a role before them already asks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from math import ceil
from typing import Literal

from w2sg.errors import DataError
from w2sg.records import ROLES, Role, Stratum, TaskRow, by_id
from w2sg.tasks.base import Size, SplitConfig
from w2sg.tasks.duplicates import LookAlikes, exact_key

__all__ = ["Dropped", "Duplicate", "SplitReport", "components", "largest_share", "split", "threshold_of"]


@dataclass(frozen=True)
class Dropped:
    """A row left out of `role` because it is like a row placed elsewhere: of the same group, the same question, or
    nearly the same."""

    id: str
    role: Role
    reason: Literal["group", "exact", "near"]
    like: str


@dataclass(frozen=True)
class Duplicate:
    """Two rows of different roles that ask nearly the same and were both kept (`near_duplicates: report`)."""

    id: str
    role: Role
    like: str
    like_role: Role
    similarity: float


@dataclass(frozen=True)
class SplitReport:
    """The placed rows, role by role, each role in the order of its hash; what was left out; remarks for the reader."""

    rows: list[TaskRow]
    dropped: list[Dropped] = field(default_factory=list)
    duplicates: list[Duplicate] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the number of rows by role, test rows by role and stratum."""
        found: dict[str, int] = {}
        for row in self.rows:
            key = f"{row.role}-{row.stratum}" if row.stratum else row.role
            found[key] = found.get(key, 0) + 1
        return found


def split(rows: Sequence[TaskRow], config: SplitConfig) -> SplitReport:
    """Place `rows` as `config` asks. The same rows in another order give the same split.

    Raises:
        DataError: there are no rows, an id occurs twice, a difficulty is missing where one is needed, or a role
            gets fewer rows than asked for.
    """
    if not rows:
        raise DataError("The task has no rows, so nothing can be split. Check the task's source.")
    by_id([row.example for row in rows], "rows of the task")
    return _Placement(rows, config).run()


@dataclass(frozen=True)
class _Draw:
    """One role's draw: how many rows, and of which stratum (of test)."""

    setting: str
    role: Role
    size: Size
    stratum: Stratum | Literal[""] = ""


class _Placement:
    """The state of one split while roles are filled one after another."""

    def __init__(self, rows: Sequence[TaskRow], config: SplitConfig) -> None:
        self.rows = sorted(rows, key=lambda row: row.example.id)
        self.config = config
        self.preset = {row.role for row in self.rows if row.role}
        self.component, self.names = components(self.rows)
        self.home: dict[int, Role] = {}
        self.first: dict[int, int] = {}
        self.placed: dict[int, TaskRow] = {}
        self.dropped: dict[int, Dropped] = {}
        self.duplicates: list[Duplicate] = []
        self.notes: list[str] = []
        self.threshold = config.easy_up_to
        self.look_alikes: LookAlikes | None = None
        if config.near_duplicates != "exact":
            self.look_alikes = LookAlikes(row.example for row in self.rows)

    def run(self) -> SplitReport:
        self._note_repeats()
        if self.config.easy_share is not None:
            self.threshold = threshold_of(self.rows, self.config.easy_share)
            # A pool's rows go to transfer whatever their difficulty, which nobody could rate without an answer.
            told = [row for row in self.rows if row.role != "transfer" or row.example.difficulty is not None]
            easy = sum(not self._is_hard(row) for row in told)
            self.notes.append(
                f"{easy:,} of {len(told):,} rows, of difficulty up to {self.threshold:.4g}, count as easy."
            )
        for draw in self._draws():
            self._fill(draw)
        if not any(row.role == "test" for row in self.placed.values()) and self._wants_test():
            raise DataError(
                f"The test split is empty: of {len(self.rows):,} rows none may be tested on. Give `split.test_id` a "
                "count or share, or both tests 0 to go without."
            )
        dropped = [entry for index, entry in self.dropped.items() if index not in self.placed]
        if dropped:
            self.notes.append(
                f"{len(dropped):,} rows were left out because a row of another role asks the same or nearly the "
                f"same, first {dropped[0].id!r} (like {dropped[0].like!r})."
            )
        if self.duplicates:
            self.notes.append(f"{len(self.duplicates):,} rows are nearly like a row of another role and were kept.")
        return SplitReport(list(self.placed.values()), dropped, self.duplicates, self.notes)

    def _is_hard(self, row: TaskRow) -> bool:
        if row.stratum:
            return row.stratum == "ood"
        if self.threshold is None:
            return False
        if row.example.difficulty is None:
            setting = "easy_up_to" if self.config.easy_share is None else "easy_share"
            raise DataError(
                f"`split.{setting}` is {getattr(self.config, setting):g}, but the row {row.example.id!r} has no "
                f"difficulty. Give every row a difficulty, or leave `{setting}` out."
            )
        return row.example.difficulty > self.threshold

    def _wants_test(self) -> bool:
        return self.config.test_id != 0 or self.config.test_ood != 0

    def _draws(self) -> list[_Draw]:
        """The order of filling: test first, so that it loses nothing; `rest` last, so that it takes what is left."""
        config = self.config
        tests = [_Draw("test_ood", "test", config.test_ood, "ood"), _Draw("test_id", "test", config.test_id, "id")]
        if "test" not in self.preset:
            for draw in tests:
                if draw.size == "rest" and any(self._eligible(draw)):
                    raise DataError(
                        f"`split.{draw.setting}` is 'rest', which takes a source's own test rows, but this task has "
                        "none. Give a count or a share such as 0.2."
                    )
        training = [
            _Draw("validate", "validate", config.validate),
            _Draw("supervise", "supervise", config.supervise),
            _Draw("transfer", "transfer", config.transfer),
        ]
        training.sort(key=lambda draw: draw.size == "rest")
        open_ended = [draw for draw in training if draw.size == "rest"]
        for first, second in combinations(open_ended, 2):
            if set(self._eligible(first)) & set(self._eligible(second)):
                raise DataError(
                    f"`split.{first.setting}` and `split.{second.setting}` are both 'rest' and draw from the same "
                    "rows. Give one of them a count or a share."
                )
        return [*tests, *training]

    def _eligible(self, draw: _Draw) -> Iterator[int]:
        """The rows that may fill the draw, whether or not they are taken already."""
        side = self.config.transfer_from if draw.role == "transfer" else "hard" if draw.stratum == "ood" else "easy"
        source = draw.role if draw.role in self.preset else ""
        for index, row in enumerate(self.rows):
            if row.role != source or (row.gold is None and draw.role != "transfer"):
                continue
            if side == "all" or self._is_hard(row) == (side == "hard"):
                yield index

    def _fill(self, draw: _Draw) -> None:
        eligible = list(self._eligible(draw))
        wanted = _count(draw.size, len(eligible))
        if wanted == 0 and (draw.size == 0 or draw.role == "test"):
            return
        members: dict[int, list[int]] = {}
        for index in eligible:
            if index not in self.placed:
                members.setdefault(self.component[index], []).append(index)
        order = sorted(members, key=lambda component: self._rank(draw.setting, self.names[component]))
        taken = 0
        too_large: list[int] = []
        for component in order:
            if taken == wanted:
                break
            if self._is_elsewhere(component, members[component], draw.role):
                continue
            if taken + len(members[component]) > wanted:
                too_large.append(component)
            elif not self._is_near(component, members[component], draw.role):
                self._place(component, members[component], draw)
                taken += len(members[component])
        if isinstance(draw.size, float) and not taken:  # a share is met as nearly as whole groups allow
            for component in sorted(too_large, key=lambda component: len(members[component])):
                if not self._is_near(component, members[component], draw.role):
                    self._place(component, members[component], draw)
                    return
        if draw.size == "rest" and taken:
            return
        if taken < wanted or not taken:
            least = min((len(members[component]) for component in too_large), default=0)
            self._short(draw, wanted, taken, len(eligible), least)

    def _rank(self, setting: str, name: str) -> bytes:
        return hashlib.sha256(f"{self.config.seed}\x1f{setting}\x1f{name}".encode("utf-8", "replace")).digest()

    def _is_elsewhere(self, component: int, members: list[int], role: Role) -> bool:
        home = self.home.get(component, role)
        if home == role:
            return False
        other = self.rows[self.first[component]].example
        for index in members:
            same = exact_key(self.rows[index].example) == exact_key(other)
            entry = Dropped(self.rows[index].example.id, role, "exact" if same else "group", other.id)
            self.dropped.setdefault(index, entry)
        return True

    def _is_near(self, component: int, members: list[int], role: Role) -> bool:
        if self.look_alikes is None or role == "test":
            return False
        others = [other for other in ROLES if other != role]
        for index in members:
            like = self.look_alikes.find(self.rows[index].example, others)
            if like is None:
                continue
            if self.config.near_duplicates == "report":
                self.duplicates.append(
                    Duplicate(self.rows[index].example.id, role, like.id, like.role, like.similarity)
                )
                continue
            for member in members:
                self.dropped.setdefault(member, Dropped(self.rows[member].example.id, role, "near", like.id))
            return True
        return False

    def _place(self, component: int, members: list[int], draw: _Draw) -> None:
        self.home[component] = draw.role
        self.first.setdefault(component, members[0])
        for index in members:
            self.placed[index] = replace(self.rows[index], role=draw.role, stratum=draw.stratum)
            if self.look_alikes is not None:
                self.look_alikes.add(self.rows[index].example, draw.role)

    def _short(self, draw: _Draw, wanted: int, taken: int, eligible: int, least: int) -> None:
        """Say that a role got fewer rows than asked for: a note when groups are merely too coarse (the least one left
        has `least` rows), else an error."""
        if least and taken:
            self.notes.append(
                f"{draw.setting}: {taken:,} of {wanted:,} rows, because a group is never divided and the next "
                "groups were larger than the gap."
            )
            return
        if least:
            raise DataError(
                f"The split asks for {wanted:,} rows for `split.{draw.setting}`, and the smallest group that could go "
                f"there has {least:,}; a group is never divided. Ask for at least that many, or for a share."
            )
        limit = "easy_up_to" if self.config.easy_share is None else f"{self.threshold:.4g}"
        sides = {"ood": f"harder than {limit}", "id": f"up to {limit}"}
        where = f" ({sides[draw.stratum]})" if draw.stratum and self.threshold is not None else ""
        lost = sum(entry.role == draw.role for entry in self.dropped.values())
        raise DataError(
            f"The split asks for {wanted:,} rows for `split.{draw.setting}`{where} (set to {draw.size!r}), and only "
            f"{taken:,} can be given: of {len(self.rows):,} rows {eligible:,} are of the right kind, {lost:,} of "
            "those were left out as duplicates of other roles, and the rest serves roles that come first. Lower "
            f"`split.{draw.setting}` or another size, or give more data"
            + ("; `split.near_duplicates: report` keeps rows that are only nearly alike." if lost else ".")
        )

    def _note_repeats(self) -> None:
        """Note questions that occur more than once, and those whose gold answers differ."""
        answers: dict[str, list[str]] = {}
        for row in self.rows:
            answers.setdefault(exact_key(row.example), []).append(_answer_text(row))
        repeated = [given for given in answers.values() if len(given) > 1]
        if repeated:
            differing = sum(len({answer for answer in given if answer}) > 1 for given in repeated)
            self.notes.append(
                f"{len(repeated):,} questions occur more than once (each kept within one role); "
                f"{differing:,} of them with different gold answers."
            )


def _answer_text(row: TaskRow) -> str:
    """The gold answer as text: that of the option where it is a letter, because equal questions may order theirs
    differently."""
    answer = row.gold.answer if row.gold else ""
    place = ord(answer) - ord("A") if len(answer) == 1 else -1
    return row.example.choices[place] if 0 <= place < len(row.example.choices) else answer


def _count(size: Size, eligible: int) -> int:
    """The number of rows that `size` means: a share never rounds down to none."""
    if size == "rest":
        return eligible
    if isinstance(size, float):
        return min(eligible, max(1, int(size * eligible))) if size > 0 else 0
    return int(size)


def threshold_of(rows: Sequence[TaskRow], share: float) -> float:
    """Return the difficulty up to which rows count as easy: that of the last of the easiest `share` of all that have
    one.

    Raises:
        DataError: no row has a difficulty, or none is harder than that.
    """
    known = sorted(row.example.difficulty for row in rows if row.example.difficulty is not None)
    if not known:
        raise DataError(
            f"`split.easy_share` is {share:g}, and no row has a difficulty. Give the rows a column `difficulty`, rate "
            "them (`w2sg difficulty`) and name the file in `difficulty_from`, or leave `easy_share` out."
        )
    found = known[max(1, ceil(share * len(known))) - 1]
    if found == known[-1]:
        most = largest_share(known)
        lower = f"too many rows are as hard as the hardest. Lower `easy_share` to at most {most:g}" if most else ""
        raise DataError(
            f"`split.easy_share` is {share:g}, and no row is harder than {found:.4g}, the difficulty that this share "
            f"reaches: {lower or 'the rows are all as hard. Rate them with more samples or by another model'}, or "
            "leave it out."
        )
    return found


def largest_share(difficulties: Sequence[float]) -> float:
    """Return the largest `easy_share`, in whole hundredths, that leaves a row harder than the easy ones; 0 where even
    one in a hundred is too much, as where all are as hard."""
    hardest = max(difficulties)
    easier = sum(one < hardest for one in difficulties)
    shares = (hundredths / 100 for hundredths in range(99, 0, -1))
    return next((share for share in shares if max(1, ceil(share * len(difficulties))) <= easier), 0.0)


def components(rows: Sequence[TaskRow]) -> tuple[list[int], dict[int, str]]:
    """Join rows that share a group or ask exactly the same. Returns each row's component, and each component's name:
    the least of its groups' names."""
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    groups = [row.example.group or row.example.id for row in rows]
    for group, row in zip(groups, rows, strict=True):
        parent[root(f"question {exact_key(row.example)}")] = root(f"group {group}")
    numbers: dict[str, int] = {}
    names: dict[int, str] = {}
    component = []
    for group in groups:
        number = numbers.setdefault(root(f"group {group}"), len(numbers))
        component.append(number)
        names[number] = min(names.get(number, group), group)
    return component, names
