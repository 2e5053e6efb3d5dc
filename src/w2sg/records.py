"""The frozen rows that cross layers, and their plain-dictionary form on disk.

Gold travels on its own path: `Example` never holds an answer, `Gold` never a question. Every row is joined to
others by `id`, never by position. What reads and writes these rows as files is `storage`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Protocol, Self, TypeVar, get_args

from w2sg.errors import DataError

Role = Literal["supervise", "validate", "transfer", "test"]
ROLES: tuple[Role, ...] = get_args(Role)
OPEN_ROLES: tuple[Role, ...] = ("supervise", "validate")
SEALED_ROLES: tuple[Role, ...] = ("transfer", "test")
Stratum = Literal["id", "ood"]
STRATA: tuple[Stratum, ...] = get_args(Stratum)


class Row:
    """Mixin: a dataclass that turns into a JSON-ready dictionary and back."""

    __slots__ = ()

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready dictionary of all fields."""
        return asdict(self)  # type: ignore[call-overload,no-any-return]

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Self:
        """Build the row from `to_dict`'s form; unknown keys are refused.

        Raises:
            DataError: a key is unknown or a required one is missing.
        """
        names = {field.name for field in fields(cls)}  # type: ignore[arg-type]
        if unknown := set(row) - names:
            raise DataError(f"A stored {cls.__name__} row holds unknown keys {sorted(unknown)}.")
        try:
            return cls(**{key: cls._revive(key, value) for key, value in row.items()})
        except TypeError as error:
            raise DataError(f"A stored {cls.__name__} row is incomplete: {error}.") from None

    @classmethod
    def _revive(cls, key: str, value: Any) -> Any:
        return _tuples(value)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(part) for part in value) if isinstance(value, list | tuple) else value


@dataclass(frozen=True, slots=True)
class Message(Row):
    """One turn of a conversation with a model."""

    role: Literal["system", "user", "assistant"]
    content: str


Prompt = tuple[Message, ...]


def ask(question: str) -> Prompt:
    """Return the prompt of one user turn."""
    return (Message("user", question),)


@dataclass(frozen=True, slots=True)
class Example(Row):
    """A question without its answer.

    `group` is the unit of splitting (all rows of a group share a role; empty means the id itself).
    `difficulty` is in the task's own units, larger is harder; None where it is not known.
    """

    id: str
    question: str
    choices: tuple[str, ...] = ()
    group: str = ""
    difficulty: float | None = None


@dataclass(frozen=True, slots=True)
class Gold(Row):
    """The answer to the example of the same id; `aliases` are as right, `rationale` is the gold reasoning."""

    id: str
    answer: str
    aliases: tuple[str, ...] = ()
    rationale: str = ""


@dataclass(frozen=True, slots=True)
class TaskRow(Row):
    """An example with its gold (None in an unlabelled pool) and its place in the split ("" before splitting)."""

    example: Example
    gold: Gold | None
    role: Role | Literal[""] = ""
    stratum: Stratum | Literal[""] = ""


@dataclass(frozen=True, slots=True)
class Item(Row):
    """An example with its place in the split: role, and for test rows the stratum."""

    example: Example
    role: Role
    stratum: Stratum | Literal[""] = ""

    @classmethod
    def _revive(cls, key: str, value: Any) -> Any:
        return Example.from_dict(value) if key == "example" else _tuples(value)


@dataclass(frozen=True, slots=True)
class Response(Row):
    """One text sampled from a model. `tokens` counts sampled tokens, the end token included (bytes, where models with
    different tokenizers answer as one); `finished` is False when the token limit cut it."""

    id: str
    sample: int
    text: str
    tokens: int
    finished: bool


@dataclass(frozen=True, slots=True)
class WeakLabel(Row):
    """What a supervisor says of one question.

    `text` is the demonstration to learn from; `answer` its final answer (None if it does not parse).
    `histogram` holds (answer, count) over the samples, most frequent first; `unparsed` counts the samples
    that are not in it, mostly for want of an answer; `confidence` in [0, 1] and `statement` state how sure the
    supervisor is; `variants` are whole responses, one for each of the histogram's first answers, where the elicitor
    keeps them; `wordings` are the histogram's answers as the samples wrote them, where that is not the form in which
    answers are compared.
    """

    id: str
    text: str
    answer: str | None
    histogram: tuple[tuple[str, int], ...] = ()
    unparsed: int = 0
    confidence: float | None = None
    statement: str = ""
    variants: tuple[str, ...] = ()
    wordings: tuple[str, ...] = ()

    @property
    def told(self) -> tuple[tuple[str, int], ...]:
        """The histogram as others are told it, in the samples' own words."""
        if not self.wordings:
            return self.histogram
        return tuple((words, count) for words, (_, count) in zip(self.wordings, self.histogram, strict=True))


@dataclass(frozen=True, slots=True)
class SoftTargets(Row):
    """Token distributions for one response of T tokens: `token_ids[t]` and `probabilities[t]`, K entries each
    (K may vary with t), over the student's vocabulary; probabilities at one position sum to 1."""

    token_ids: tuple[tuple[int, ...], ...]
    probabilities: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Target(Row):
    """One training text: the loss falls on `response` (and its end token) only, times `weight`.

    `token_weights`, when given, has one weight per response token (end token included) under the student's
    tokenizer, and multiplies `weight`. `soft`, when given, replaces the one-hot targets.
    """

    id: str
    prompt: Prompt
    response: str
    weight: float = 1.0
    token_weights: tuple[float, ...] = ()
    soft: SoftTargets | None = None

    @classmethod
    def _revive(cls, key: str, value: Any) -> Any:
        if key == "prompt":
            return tuple(Message.from_dict(message) for message in value)
        if key == "soft":
            return None if value is None else SoftTargets.from_dict(value)
        return _tuples(value)


@dataclass(frozen=True, slots=True)
class ItemScore(Row):
    """The grade of one prediction on one test item. An unparsed prediction is never correct."""

    id: str
    stratum: Stratum | Literal[""]
    correct: bool
    parsed: bool
    answer: str | None
    difficulty: float | None = None


@dataclass(frozen=True, slots=True)
class LabelScore(Row):
    """The grade of one weak label, given after training: `confidence` in [0, 1], or None where none is stated;
    `stated` is what it was before it was calibrated, None where it was not."""

    id: str
    answer: str | None
    correct: bool
    confidence: float | None = None
    stated: float | None = None


@dataclass(frozen=True, slots=True)
class RewriteScore(Row):
    """The grades, given after training, of what a student that rewrites was shown and what it learnt, on one question.

    `shown` is the answer of the demonstration, `own` of the student's attempt, `learnt` of the text it is tuned on;
    each is None where there is no such text or it cannot be read, and is then not right. `taught` is False where the
    question was left out, `bypassed` True where the demonstration was learnt as it is.
    """

    id: str
    shown: str | None
    own: str | None
    learnt: str | None
    shown_right: bool
    own_right: bool
    learnt_right: bool
    taught: bool
    bypassed: bool
    confidence: float | None = None


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


_Identified = TypeVar("_Identified", bound=_HasId)
_Any = TypeVar("_Any")


def by_id(rows: Iterable[_Identified], what: str = "rows") -> dict[str, _Identified]:
    """Index rows by `id`.

    Raises:
        DataError: an id occurs twice.
    """
    index: dict[str, _Identified] = {}
    for row in rows:
        if row.id in index:
            raise DataError(f"The {what} hold the id {row.id!r} twice; ids must be unique.")
        index[row.id] = row
    return index


def join(ids: Sequence[str], index: Mapping[str, _Any], what: str) -> list[_Any]:
    """Return the rows of `index` in the order of `ids`.

    Raises:
        DataError: some ids have no row; the message gives how many and the first.
    """
    missing = [id for id in ids if id not in index]
    if missing:
        raise DataError(f"No {what} for {len(missing)} of {len(ids)} examples, first {missing[0]!r}.")
    return [index[id] for id in ids]
