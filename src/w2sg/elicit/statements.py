"""How a supervisor's doubt is put into words: the writers' interface, the template, and the prompt for those asked.

A writer sees what the samples said (`Doubt`) and gives one statement per question. Some need no model (`Written`);
others ask one (`Asked`): a model of the run, which the step `state` loads, or a server, which the writer itself
reaches (`Asked.speaker`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from pydantic import Field

from w2sg.config import Part, added
from w2sg.decode.config import SamplingConfig
from w2sg.models.base import Progress
from w2sg.records import Example, Prompt, Response, WeakLabel, ask
from w2sg.registry import Registry
from w2sg.tasks.base import Task
from w2sg.tasks.revision import Listing, in_words, listed

if TYPE_CHECKING:
    from w2sg.decode.sampling import Request

WRITERS = Registry(
    "statement-writers",
    {
        "template": "w2sg.elicit.statements:Template",
        "none": "w2sg.elicit.statements:Silent",
        "teacher": "w2sg.elicit.statements:ByTeacher",
        "student": "w2sg.elicit.statements:ByStudent",
        "endpoint": "w2sg.elicit.statements_endpoint:ByEndpoint",
    },
)
"""The writers of statements, by the `kind` of their settings."""


@dataclass(frozen=True)
class Doubt:
    """What a supervisor's samples said of one question.

    `answers` holds (answer, count), most frequent first; `unparsed` counts the samples without a readable answer;
    `variants` are whole responses, one for each of the first answers, in their order.
    """

    example: Example
    answers: tuple[tuple[str, int], ...]
    unparsed: int
    variants: tuple[str, ...]

    @classmethod
    def of(cls, example: Example, label: WeakLabel) -> Doubt:
        """Return the doubt in a weak label."""
        return cls(example, label.told, label.unparsed, label.variants)

    @property
    def agreed(self) -> bool:
        """Whether every sample that can be read says the same; asked writers are not asked then."""
        return len(self.answers) == 1


class StatementWriter(Part):
    """Base of the writers. `by` says whose words they are: nobody's (a rule), a model of the run, or a helper's."""

    by: ClassVar[Literal["rule", "teacher", "student", "helper"]] = "rule"


class Written(StatementWriter):
    """Base of the writers that follow a rule and ask no model."""

    @abstractmethod
    def statement(self, task: Task, doubt: Doubt) -> str:
        """Return the statement on one question; empty where there is nothing to say."""


class Template(Written):
    """The histogram of answers in plain words; where the task has a manner of its own, in that."""

    kind: Literal["template"] = "template"
    listing: Listing = added("frequency")
    """In which order the answers stand: the most frequent first, or `shuffled`. A task with a manner of its own keeps
    it."""

    def statement(self, task: Task, doubt: Doubt) -> str:
        if not doubt.answers:
            return ""
        said = task.doubt_in_words(doubt.example, doubt.answers, doubt.unparsed)
        if self.listing != "frequency" and said == in_words(doubt.answers, doubt.unparsed):
            return in_words(doubt.answers, doubt.unparsed, self.listing, doubt.example.id)
        return said


class Silent(Written):
    """No statement."""

    kind: Literal["none"] = "none"

    def statement(self, task: Task, doubt: Doubt) -> str:
        return ""


class Speaker(Protocol):
    """Whoever replies to requests: a model of the run, a server."""

    def __call__(
        self, requests: Sequence[Request], sampling: SamplingConfig, seed: int, progress: Progress
    ) -> Iterator[list[Response]]:
        """Yield the replies in chunks, all replies to a request together, in any order of requests. The caller keeps
        every chunk, so that nothing is asked twice."""


class Asked(StatementWriter):
    """Base of the writers that ask a model. A question on which all samples agree is not asked about."""

    shown: int = Field(6, ge=2)
    """Different answers that the model is shown, the most frequent ones; bounds the prompt."""
    longest: int = Field(1200, ge=100)
    """Characters of each response that it is shown; bounds the prompt."""
    max_new_tokens: int = Field(160, ge=1)
    """The longest statement."""
    temperature: float = Field(0.0, ge=0)
    """How the statement is sampled; 0 is greedy."""
    listing: Listing = added("frequency")
    """In which order these responses stand: that of the most frequent answer first, or `shuffled`."""

    @property
    def helper(self) -> str:
        """The name of the model outside the run that it asks, which the report declares; "" for a model of the run."""
        return ""

    @property
    def stronger(self) -> bool | None:
        """Whether that helper is stronger than the student; None where unknown."""
        return None

    def sampling(self) -> SamplingConfig:
        """Return how one statement is sampled."""
        return SamplingConfig(samples=1, temperature=self.temperature, max_new_tokens=self.max_new_tokens)

    def prompt(self, task: Task, doubt: Doubt) -> Prompt:
        """Return what the model is asked: the question, one response per answer, and what to say of them."""
        cases = "\n\n".join(
            f"Draft {number}:\n{shortened(text, self.longest)}"
            for number, text in enumerate(listed(doubt.variants[: self.shown], self.listing, doubt.example.id), start=1)
        )
        return ask(f"{_OPENING}\n\nQuestion:\n{doubt.example.question}\n\n{cases}\n\n{_REQUEST}")

    def read(self, reply: str) -> str:
        """Return the statement in a reply: its first paragraph on one line, without surrounding quotes."""
        first = next((part for part in reply.strip().split("\n\n") if part.strip()), "")
        return " ".join(first.split()).strip('"“”')

    def speaker(self) -> Speaker | None:
        """Return who replies; None where it is a model of the run (`by`), which the step loads."""
        return None


_OPENING = (
    "One author answered the question below several times and came to different results. Some drafts may be right and "
    "others wrong; the author cannot tell which."
)
_REQUEST = (
    "Speak as this author, in the first person. In one to three sentences, say what exactly you are unsure of: which "
    "facts, steps or readings of the question the drafts disagree about, and which results hang on them. Use only what "
    "the drafts show, do not answer the question, do not mention drafts, and add nothing else."
)


def shortened(text: str, longest: int) -> str:
    """Return the text, or its beginning and its end where it is longer than `longest` characters."""
    if len(text) <= longest:
        return text
    half = (longest - 5) // 2
    return f"{text[:half]} ... {text[-half:]}"


class ByTeacher(Asked):
    """The supervisor's own words: it is shown its different responses and asked what it is unsure of."""

    by = "teacher"
    kind: Literal["teacher"] = "teacher"


class ByStudent(Asked):
    """The student's words on the supervisor's responses; the student is as it was before any tuning."""

    by = "student"
    kind: Literal["student"] = "student"
