"""Statements written by a helper: any model behind an OpenAI-compatible endpoint, such as the 70B model that wrote
those of Alice's published results (Wu et al., 2025). It may be stronger than the student, so the report declares it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from w2sg.config import runtime
from w2sg.decode.config import SamplingConfig
from w2sg.elicit.statements import Asked, Speaker
from w2sg.models.base import Progress
from w2sg.models.remote_config import EndpointConfig
from w2sg.records import Response

if TYPE_CHECKING:
    from w2sg.decode.sampling import Request


class ByEndpoint(Asked):
    """A helper's words: a model behind an OpenAI-compatible endpoint is shown the supervisor's different responses and
    asked what the supervisor is unsure of. It needs the extra `remote`."""

    by: ClassVar[Literal["rule", "teacher", "student", "helper"]] = "helper"
    kind: Literal["endpoint"] = "endpoint"
    endpoint: EndpointConfig
    """The helper."""
    stronger_than_student: bool | None = runtime(None)
    """What the report says of it; not given, that it may be."""

    @property
    def helper(self) -> str:
        return f"{self.endpoint.model} at {self.endpoint.base_url}"

    @property
    def stronger(self) -> bool | None:
        return self.stronger_than_student

    def speaker(self) -> Speaker:
        from w2sg.models.remote import respond

        def speak(
            requests: Sequence[Request], sampling: SamplingConfig, seed: int, progress: Progress
        ) -> Iterator[list[Response]]:
            return respond(self.endpoint, requests, sampling, seed=seed, progress=progress)

        return speak
