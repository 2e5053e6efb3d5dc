"""The one way responses are sampled: questions in fixed chunks, random streams keyed by question and sample.

Chunks follow from the requests and the settings alone, so a killed run continues with the same bits. How tokens are
computed is left to `decode.branching` (models of the Llama family), `decode.generic` (all others), `decode.drafting`
and `decode.speculative` (ensembles, where one expert drafts), `decode.bytewise` (ensembles of different tokenizers)
and, for tests, `models.scripted`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from w2sg.decode.base import Branch, Engine, Tick
from w2sg.decode.config import SamplingConfig
from w2sg.models.base import Progress, RuntimeConfig, silent
from w2sg.models.scripted import ScriptedModel
from w2sg.records import Prompt, Response, by_id
from w2sg.seeding import stream

if TYPE_CHECKING:
    from w2sg.models.hf import LanguageModel

STREAM = "sample"
"""Names the random streams of sampling under a run's seed."""

_TELL_EVERY_SECONDS = 0.5


@dataclass(frozen=True)
class Request:
    """A question to be answered; `id` joins the responses to it and names their random streams.

    `first` is the number of its first sample: where samples 0 to 7 are there already, `first` 8 draws those that
    would have followed them.
    """

    id: str
    prompt: Prompt
    first: int = 0

    def numbers(self, count: int) -> range:
        """Return the numbers of its next `count` samples."""
        return range(self.first, self.first + count)


def sample(
    model: LanguageModel | ScriptedModel,
    requests: Sequence[Request],
    config: SamplingConfig,
    *,
    seed: int,
    runtime: RuntimeConfig,
    finished: Collection[str] = (),
    progress: Progress = silent,
) -> Iterator[list[Response]]:
    """Yield, chunk by chunk, all responses to each question, in the order of `requests` and of sample numbers.

    The token at place t of sample k to question q is the inverse of the model's cumulative distribution (tokens in
    the order of their ids) at the t-th number of the stream (seed, q, k), so a response depends on its own question
    alone, up to the rounding of floating-point sums. A prompt that fills the model's context gets responses of no
    tokens, unfinished.

    Args:
        finished: ids of questions that need no sampling; a chunk is skipped when all of its questions are among them.
        progress: told of finished responses.

    Raises:
        DataError: two requests share an id.
        ModelError: the memory runs out.
    """
    by_id(requests, "requests")
    done, told = set(finished), _Progress(progress, len(requests) * config.samples)
    per_chunk = max(1, config.chunk // config.samples)
    for start in range(0, len(requests), per_chunk):
        chunk = requests[start : start + per_chunk]
        if all(request.id in done for request in chunk):
            told.tick(len(chunk) * config.samples, 0)
        elif isinstance(model, ScriptedModel):
            yield [
                _scripted(model, request, number, config, seed)
                for request in chunk
                for number in request.numbers(config.samples)
            ]
            told.tick(len(chunk) * config.samples, 0)
        else:
            yield _respond(model, chunk, config, seed, runtime, told.tick)
    told.finish()


def uniforms(seed: int, id: str, sample: int, count: int) -> np.ndarray:
    """Return the numbers in [0, 1) that decide the tokens of one response; a longer `count` only appends."""
    return stream(seed, STREAM, id, sample).random(count)


def _respond(
    model: LanguageModel,
    chunk: Sequence[Request],
    config: SamplingConfig,
    seed: int,
    runtime: RuntimeConfig,
    tick: Tick,
) -> list[Response]:
    from w2sg.models.machine import enough_memory, threads

    branches: dict[tuple[int, int], Branch] = {}
    for place, request in enumerate(chunk):
        prompt = model.prompt_ids(request.prompt)
        limit = model.room(prompt, config.max_new_tokens)
        if limit <= 0:
            tick(config.samples, 0)
            continue
        for number in request.numbers(config.samples):
            numbers = uniforms(seed, request.id, number, limit) if config.temperature > 0 else np.empty(0)
            branches[place, number] = Branch(prompt, limit, numbers)
    with threads(runtime.threads), enough_memory(f"sampling from {model.config.path!r}"):
        found = engine_of(model, runtime)(model, list(branches.values()), config, runtime, tick)
    tokens = dict(zip(branches, found, strict=True))
    rows = []
    for place, request in enumerate(chunk):
        for number in request.numbers(config.samples):
            ids = tokens.get((place, number), [])
            ended = bool(ids) and ids[-1] in model.stop_ids
            rows.append(Response(request.id, number, model.text(ids), len(ids), ended))
    return rows


def engine_of(model: LanguageModel, runtime: RuntimeConfig | None = None) -> Engine:
    """Return the engine that samples from `model`: of ensembles the drafting one where it is asked for and can, else
    the speculative one where it fits; else the branching one where it knows the architecture."""
    from w2sg.decode import bytewise, drafting, speculative
    from w2sg.decode.branching import respond as branch_off
    from w2sg.decode.generic import respond as run_batches
    from w2sg.decode.llama import LlamaForward
    from w2sg.models.mixture_bytes import BytewiseModel

    if isinstance(model, BytewiseModel):
        return bytewise.respond
    if runtime is not None and runtime.draft and drafting.fits(model.model):
        return drafting.respond
    if speculative.fits(model.model):
        return speculative.respond
    return branch_off if LlamaForward.fits(model.model) else run_batches


def _scripted(model: ScriptedModel, request: Request, number: int, config: SamplingConfig, seed: int) -> Response:
    greedy = config.temperature == 0
    uniform = None if greedy else float(uniforms(seed, request.id, number, 1)[0])
    text = model.respond(request.prompt, uniform)
    return Response(request.id, number, text, len(text.split()) + 1, True)


class _Progress:
    """Adds up what engines tell and passes it on a few times a second, with the speed."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total = progress, total
        self._done = self._tokens = 0
        self._start = self._told = monotonic()

    def tick(self, responses: int, tokens: int) -> None:
        self._done += responses
        self._tokens += tokens
        now = monotonic()
        if now - self._told >= _TELL_EVERY_SECONDS:
            self._told = now
            self._tell(now)

    def finish(self) -> None:
        self._tell(monotonic())

    def _tell(self, now: float) -> None:
        speed = self._tokens / max(now - self._start, 1e-9)
        self._progress(self._done, self._total, f"{speed:,.0f} tokens/s" if self._tokens else "")
