"""A model behind an OpenAI-compatible chat endpoint (vLLM, SGLang, llama.cpp, `transformers serve`, a service): asked
over HTTP, many requests at once.

Retries, backoff with jitter and `Retry-After` are the `openai` client's; here is what is asked, what a reply must hold,
and what a failure means in words. Keeping the replies is left to the caller, who gets each as it comes.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from w2sg.errors import MissingExtra, ModelError
from w2sg.models.base import Progress, silent
from w2sg.models.remote_config import EndpointConfig
from w2sg.records import Prompt, Response
from w2sg.seeding import derive

_READINGS = 3  # a proxy's error page in place of a reply is rare and passes
_PAUSE_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 120.0  # the longest `Retry-After` that the client waits out


class Question(Protocol):
    """What is asked: a prompt, and the id that names its replies."""

    @property
    def id(self) -> str: ...
    @property
    def prompt(self) -> Prompt: ...


class Drawing(Protocol):
    """How replies are drawn."""

    @property
    def samples(self) -> int: ...
    @property
    def temperature(self) -> float: ...
    @property
    def top_p(self) -> float: ...
    @property
    def max_new_tokens(self) -> int: ...


def respond(
    endpoint: EndpointConfig,
    questions: Sequence[Question],
    drawing: Drawing,
    *,
    seed: int,
    progress: Progress = silent,
) -> Iterator[list[Response]]:
    """Yield all replies to each question as soon as they are there, questions in the order in which they are answered.

    A sampled reply's seed is derived from (seed, question, sample); whether the server heeds it is the server's.
    `tokens` are what the server counted, or the words where it counts none.

    A question that gets no reply does not stop the others, unless the server refuses all, or fails as often in a row as
    questions are under way; what is under way is then still waited for.

    Raises:
        MissingExtra: the package `openai` is not installed.
        ModelError: in the end, when a question got no reply: the server is down, slow, overloaded, refuses, or replies
            with what is no chat completion; or the variable with the key is not set.
    """
    if not questions:
        return
    key = _key(endpoint)
    calls = [
        _Call(question.id, number, question.prompt, derive(seed, "remote", question.id, number) % 2**31)
        for question in questions
        for number in range(drawing.samples)
    ]
    with asyncio.Runner() as runner:
        exchange = runner.run(_opened(endpoint, drawing, key, calls))
        done = 0
        waiting: dict[str, list[Response]] = {}
        try:
            while (row := runner.run(exchange.next())) is not None:
                done += 1
                progress(done, len(calls), "")
                rows = waiting.setdefault(row.id, [])
                rows.append(row)
                if len(rows) == drawing.samples:
                    yield sorted(waiting.pop(row.id), key=lambda row: row.sample)
        finally:
            runner.run(exchange.close())
        exchange.check(len(calls))


def _key(endpoint: EndpointConfig) -> str:
    if endpoint.api_key_env is None:
        return ""
    key = os.environ.get(endpoint.api_key_env, "").strip()
    if not key:
        raise ModelError(
            f"The key for the endpoint {endpoint.base_url!r} should be in the environment variable "
            f"{endpoint.api_key_env!r}, which is not set. Set it, or leave api_key_env out where no key is needed."
        )
    return key


@dataclass(frozen=True)
class _Call:
    """One request: sample number `sample` of the reply to question `id`."""

    id: str
    sample: int
    prompt: Prompt
    seed: int


class _Failure(Exception):
    """Why a request got no reply; `for_all` when no other request would."""

    def __init__(self, why: str, for_all: bool = False) -> None:
        super().__init__(why)
        self.why, self.for_all = why, for_all


async def _opened(endpoint: EndpointConfig, drawing: Drawing, key: str, calls: Sequence[_Call]) -> _Exchange:
    return _Exchange(endpoint, drawing, key, calls)


class _Exchange:
    """Requests under way, as many at once as the settings allow; made within a running event loop."""

    def __init__(self, endpoint: EndpointConfig, drawing: Drawing, key: str, calls: Sequence[_Call]) -> None:
        try:
            from openai import AsyncOpenAI, Omit
        except ImportError:
            raise MissingExtra("openai", "remote", "A model behind an endpoint") from None
        # The client fills what it is not told from variables that are meant for one particular service.
        self._headers: dict[str, Any] = {"OpenAI-Organization": Omit(), "OpenAI-Project": Omit()}
        if not key:
            self._headers["Authorization"] = Omit()
        self._endpoint, self._drawing, self._key = endpoint, drawing, key
        self._client: Any = AsyncOpenAI(
            api_key=key,
            base_url=endpoint.base_url,
            timeout=endpoint.timeout_seconds,
            max_retries=endpoint.retries,
            _enforce_credentials=False,
        )
        self._calls = iter(calls)
        self._settled: asyncio.Queue[Response | Exception | None] = asyncio.Queue()
        self._stopped = False
        self._failed_in_a_row = 0
        self._failures: list[tuple[_Call, _Failure]] = []
        self._working = min(endpoint.concurrency, len(calls))
        self._workers = [asyncio.create_task(self._work()) for _ in range(self._working)]

    async def next(self) -> Response | None:
        """Return the next reply that comes; None when none is to come."""
        while self._working:
            found = await self._settled.get()
            if isinstance(found, Response):
                return found
            if isinstance(found, Exception):
                raise found
            self._working -= 1
        return None

    async def close(self) -> None:
        """Give up what is under way and hang up."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await self._client.close()

    def check(self, total: int) -> None:
        """Refuse to end where questions got no reply."""
        if not self._failures:
            return
        call, failure = next((pair for pair in self._failures if pair[1].for_all), self._failures[0])
        counted = f"{len(self._failures)} of {total} requests got no reply"
        if len(self._failures) > 1 or self._stopped:
            counted += f" ({'the rest was not sent; ' if self._stopped else ''}the first was for {call.id!r})"
        else:
            counted += f", the one for {call.id!r}"
        raise ModelError(
            f"The endpoint {self._endpoint.base_url!r} {self._shown(failure.why)} {counted}. The replies that came "
            "are kept; the same command asks for the others."
        )

    async def _work(self) -> None:
        for call in self._calls:
            if self._stopped:
                break
            try:
                self._settled.put_nowait(await self._ask(call))
                self._failed_in_a_row = 0
            except _Failure as failure:
                self._failures.append((call, failure))
                self._failed_in_a_row += 1
                if failure.for_all or self._failed_in_a_row >= self._endpoint.concurrency:
                    self._stopped = True
            except Exception as bug:
                self._settled.put_nowait(bug)
        self._settled.put_nowait(None)

    async def _ask(self, call: _Call) -> Response:
        for reading in range(_READINGS):
            if reading:
                await asyncio.sleep(_PAUSE_SECONDS * 2**reading)
            text = await self._post(call)
            try:
                return _read(text, call)
            except _Unreadable as error:
                why = str(error)
        raise _Failure(
            f"answers model {self._endpoint.model!r} with what is no chat completion: {why}, {_READINGS} times. See "
            "whether base_url leads to an OpenAI-compatible server (it mostly ends in /v1)."
        )

    async def _post(self, call: _Call) -> str:
        """Return the text of a reply of status 200."""
        import openai

        settings = self._endpoint
        drawing = self._drawing
        body: dict[str, Any] = {"max_tokens": drawing.max_new_tokens, "temperature": drawing.temperature}
        if drawing.top_p < 1:
            body["top_p"] = drawing.top_p
        if drawing.temperature > 0:
            body["seed"] = call.seed
        body = {name: value for name, value in {**body, **settings.extra}.items() if value is not None}
        # A server that sends a byte now and then is never silent, and must not hold the run for ever either.
        patience = (settings.retries + 1) * (settings.timeout_seconds + _LONGEST_WAIT_SECONDS)
        try:
            async with asyncio.timeout(patience):
                reply = await self._client.chat.completions.with_raw_response.create(
                    model=settings.model,
                    messages=[message.to_dict() for message in call.prompt],
                    extra_body=body,
                    extra_headers=self._headers,
                )
                return str(reply.text)
        except (openai.APITimeoutError, TimeoutError):
            tries = settings.retries + 1
            raise _Failure(
                f"did not answer within {settings.timeout_seconds:g} seconds, tried {tries} times. Raise "
                "timeout_seconds, lower concurrency, or see what keeps the server busy."
            ) from None
        except openai.APIStatusError as error:
            raise self._refused(error.status_code, error.response.text, call) from None
        except openai.APIConnectionError as error:
            cause = " ".join(str(error.__cause__ or error).split())
            raise _Failure(
                f"cannot be reached ({cause or type(error.__cause__).__name__}), tried {settings.retries + 1} times. "
                "See whether the server runs and base_url is its address."
            ) from None

    def _refused(self, status: int, text: str, call: _Call) -> _Failure:
        settings = self._endpoint
        said = f"status {status}: {_said(text)}"
        if status in (401, 403):
            hint = (
                f"See whether the variable {settings.api_key_env!r} holds a valid key for the model {settings.model!r}."
                if self._key
                else "If it wants a key, put it in an environment variable and name that in api_key_env."
            )
            return _Failure(f"refuses access ({said}). {hint}", for_all=True)
        if status == 404:
            return _Failure(
                f"knows no model {settings.model!r}, or is not at this address ({said}). See what "
                f"{settings.base_url}/models lists; base_url mostly ends in /v1.",
                for_all=True,
            )
        if status == 429 or status >= 500:
            return _Failure(
                f"is overloaded or failing ({said}), tried {settings.retries + 1} times. Wait, lower concurrency, or "
                "see the server's log."
            )
        return _Failure(f"refuses the request for {call.id!r} ({said}). See whether its settings and length fit.")

    def _shown(self, text: str) -> str:
        return text.replace(self._key, "(hidden)") if self._key else text


class _Unreadable(Exception):
    """A reply of status 200 that is no chat completion."""


def _read(text: str, call: _Call) -> Response:
    try:
        found = json.loads(text)
    except ValueError:
        raise _Unreadable(f"{_said(text)} is no JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get("choices"), list):
        raise _Unreadable(f"{_said(text)} holds no choices")
    if not found["choices"]:
        raise _Unreadable("its list of choices is empty")
    choice = found["choices"][0]
    message = choice.get("message") if isinstance(choice, dict) else None
    content = message.get("content", 0) if isinstance(message, dict) else 0
    if content is not None and not isinstance(content, str):  # null: all tokens went into hidden thought, or a tool
        raise _Unreadable(f"the first choice, {_said(json.dumps(choice))}, holds no text")
    usage = found.get("usage")
    counted = usage.get("completion_tokens") if isinstance(usage, dict) else None
    reply = (content or "").encode("utf-8", "replace").decode().strip()  # half a character cannot be written down
    tokens = counted if isinstance(counted, int) and not isinstance(counted, bool) else len(reply.split()) + 1
    return Response(call.id, call.sample, reply, tokens, choice.get("finish_reason") != "length")


def _said(text: str) -> str:
    """Return what a server said, on one line and not at length; the message alone where it is an error object."""
    try:
        found = json.loads(text)
        error = found.get("error", found)
        said = str(error.get("message") or error.get("detail") or text) if isinstance(error, dict) else str(error)
    except (ValueError, AttributeError):
        said = text
    line = " ".join(said.split())
    return (line if len(line) <= 200 else line[:197] + "...") or "(nothing)"
