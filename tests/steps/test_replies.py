"""Replies are kept block by block: nothing that was finished is asked again, and no more than a block is held."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from w2sg.decode.config import SamplingConfig
from w2sg.decode.sampling import Request
from w2sg.models.base import Progress, RuntimeConfig, silent
from w2sg.records import Response, ask
from w2sg.steps.base import Workspace
from w2sg.steps.inputs import RESPONSES, read_responses
from w2sg.steps.replies import keep_replies


class Counting:
    """Replies to each request by its name, in reverse order; stops after `last` requests, as if killed."""

    def __init__(self, last: int = 10**6) -> None:
        self.asked: list[str] = []
        self.blocks: list[int] = []
        self.last = last

    def __call__(
        self, requests: Sequence[Request], sampling: SamplingConfig, seed: int, progress: Progress
    ) -> Iterator[list[Response]]:
        self.blocks.append(len(requests))
        for request in reversed(requests):
            if len(self.asked) >= self.last:
                raise KeyboardInterrupt
            self.asked.append(request.id)
            yield [Response(request.id, number, f"to {request.id}", 3, True) for number in range(sampling.samples)]


def keep(folder: Path, speaker: Counting, count: int = 10, *, piecewise: bool = False, samples: int = 2) -> None:
    work = Workspace(folder, {}, RuntimeConfig(), silent)
    requests = (Request(f"q{number}", ask(f"Question {number}")) for number in range(count))
    sampling = SamplingConfig(samples=samples, temperature=0.9, chunk=4 * samples)
    outcome = keep_replies(work, requests, count, sampling, 0, speaker, piecewise)
    assert outcome.summary == {"questions": count, "responses": count * samples, "cut": 0}
    assert outcome.cost.tokens_sampled == 3 * count * samples


def test_replies_stand_in_the_order_of_the_requests(tmp_path: Path) -> None:
    speaker = Counting()
    keep(tmp_path, speaker)
    assert speaker.blocks == [4, 4, 2]
    found = list(read_responses(tmp_path))
    assert [id for id, _ in found] == [f"q{number}" for number in range(10)]
    assert all([row.sample for row in rows] == [0, 1] for _, rows in found)
    assert [path.name for path in tmp_path.iterdir()] == [RESPONSES]


@pytest.mark.parametrize("piecewise", [False, True])
def test_a_killed_step_repeats_one_block_at_most(tmp_path: Path, piecewise: bool) -> None:
    keep(tmp_path / "whole", Counting(), piecewise=piecewise)
    first = Counting(last=6)
    with pytest.raises(KeyboardInterrupt):
        keep(tmp_path / "killed", first, piecewise=piecewise)
    second = Counting()
    keep(tmp_path / "killed", second, piecewise=piecewise)
    again = set(first.asked) & set(second.asked)
    assert again == (set() if piecewise else {"q7", "q6"})
    assert (tmp_path / "killed" / RESPONSES).read_bytes() == (tmp_path / "whole" / RESPONSES).read_bytes()


def test_a_finished_file_is_not_asked_for_again(tmp_path: Path) -> None:
    keep(tmp_path, Counting())
    keep(tmp_path, Counting(last=0))


def test_a_step_without_requests_is_done(tmp_path: Path) -> None:
    keep(tmp_path, Counting(last=0), 0)
    assert list(read_responses(tmp_path)) == []


def test_requests_are_made_one_block_at_a_time(tmp_path: Path) -> None:
    made = 0

    def requests() -> Iterator[Request]:
        nonlocal made
        for number in range(20):
            made += 1
            yield Request(f"q{number}", ask("?"))

    speaker = Counting(last=4)
    work = Workspace(tmp_path, {}, RuntimeConfig(), silent)
    with pytest.raises(KeyboardInterrupt):
        keep_replies(work, requests(), 20, SamplingConfig(chunk=4), 0, speaker)
    assert made == 8
