"""Replies to many requests, kept block by block, so that a killed step repeats one block at most and memory does not
grow with the number of questions.

Who replies is the caller's: a model of the run (`local`), or a helper's server.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from w2sg.decode.config import SamplingConfig
from w2sg.elicit.statements import Speaker
from w2sg.models.base import Progress
from w2sg.records import Response
from w2sg.steps.base import Cost, Outcome, Workspace
from w2sg.steps.inputs import RESPONSES, read_responses
from w2sg.steps.model import ModelRef, load
from w2sg.storage import RowWriter, concatenate, read_rows, remove_folder, write_rows

if TYPE_CHECKING:
    from w2sg.decode.sampling import Request
    from w2sg.models.hf import LanguageModel
    from w2sg.models.scripted import ScriptedModel


def keep_replies(
    work: Workspace,
    requests: Iterable[Request],
    total: int,
    sampling: SamplingConfig,
    seed: int,
    speaker: Speaker,
    piecewise: bool = False,
) -> Outcome:
    """Put the requests to `speaker` and write all replies to `responses.jsonl`, in the order of the requests.

    Args:
        requests: made one by one, the same ones in the same order at every attempt; ids differ.
        total: how many there are at most, for the progress.
        piecewise: keep also parts of an unfinished block. A local model replies to whole blocks only, so that the
            same bits come out whenever a run was killed.
    """
    whole, chunks = work.folder / RESPONSES, work.folder / "chunks"
    if not whole.exists():
        done, first = 0, 0
        for block in _blocks(requests, max(1, sampling.chunk // sampling.samples)):
            path = chunks / f"{first:08d}.jsonl"
            if not path.exists():
                progress = beginning_at(work.progress, done, total * sampling.samples)
                write_rows(path, _replies(block, path, sampling, seed, speaker, piecewise, progress))
                path.with_suffix(".part").unlink(missing_ok=True)
            first += len(block)
            done += len(block) * sampling.samples
            work.progress(done, total * sampling.samples, "")
        work.progress(total * sampling.samples, total * sampling.samples, "")
        concatenate(sorted(chunks.glob("*.jsonl")), whole)
    remove_folder(chunks)
    return counted(work.folder)


def counted(folder: Path) -> Outcome:
    """Return what the responses in a folder amount to: questions, responses, those cut, tokens sampled."""
    questions = responses = cut = tokens = 0
    for _, rows in read_responses(folder):
        questions += 1
        responses += len(rows)
        cut += sum(not row.finished for row in rows)
        tokens += sum(row.tokens for row in rows)
    return Outcome({"questions": questions, "responses": responses, "cut": cut}, Cost(tokens_sampled=tokens))


def local(ref: ModelRef, work: Workspace) -> Speaker:
    """Return the speaker that is a model of the run: `ref`, tuned by the step's `model` parent if it has one. It is
    loaded when it is first asked."""
    from w2sg.decode.sampling import sample

    model: LanguageModel | ScriptedModel | None = None

    def speak(
        requests: Sequence[Request], sampling: SamplingConfig, seed: int, progress: Progress
    ) -> Iterator[list[Response]]:
        nonlocal model
        if model is None:
            model = load(ref, work)
        return sample(model, requests, sampling, seed=seed, runtime=work.runtime, progress=progress)

    return speak


def _replies(
    block: list[Request],
    path: Path,
    sampling: SamplingConfig,
    seed: int,
    speaker: Speaker,
    piecewise: bool,
    progress: Progress,
) -> list[Response]:
    """Return all replies to a block, in its order."""
    if not piecewise:
        found = [row for rows in speaker(block, sampling, seed, progress) for row in rows]
    else:
        part = path.with_suffix(".part")
        found = read_rows(part, Response) if part.exists() else []
        counts: dict[str, int] = {}
        for row in found:
            counts[row.id] = counts.get(row.id, 0) + 1
        found = [row for row in found if counts[row.id] == sampling.samples]
        known = {row.id for row in found}
        open_ones = [request for request in block if request.id not in known]
        with RowWriter(part) as writer:
            for rows in speaker(open_ones, sampling, seed, progress) if open_ones else ():
                writer.append(rows)
                found += rows
    order = {request.id: place for place, request in enumerate(block)}
    return sorted(found, key=lambda row: (order[row.id], row.sample))


def _blocks(requests: Iterable[Request], size: int) -> Iterator[list[Request]]:
    source = iter(requests)
    while block := list(islice(source, size)):
        yield block


def beginning_at(progress: Progress, before: int, total: int) -> Progress:
    """Return the progress of a part that begins after `before` of `total`."""

    def tell(done: int, _: int, note: str = "") -> None:
        progress(before + done, total, note)

    return tell
