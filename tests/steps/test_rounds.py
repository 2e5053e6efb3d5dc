"""Sampling in rounds: what is drawn is the beginning of what drawing all at once gives, whenever a run is killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from w2sg.decode.config import SamplingConfig
from w2sg.decode.sampling import Request, sample
from w2sg.elicit.alice import Alice
from w2sg.elicit.statements import Speaker
from w2sg.elicit.stopping import Posterior, Stopping, TopTwo
from w2sg.models import hf
from w2sg.models.base import ModelConfig, Progress, RuntimeConfig, silent
from w2sg.models.hf import LanguageModel
from w2sg.models.scripted import ScriptedModel
from w2sg.records import Example, Response, ask
from w2sg.steps.base import Outcome, Workspace
from w2sg.steps.inputs import RESPONSES, read_responses
from w2sg.steps.rounds import keep_rounds
from w2sg.tasks import build, task_config

TASK = build(task_config({"kind": "file", "labelled": "unread.jsonl", "grader": "numeric", "instruction": ""}))
SCRIPT = {
    "sure": {"Answer: 1": 1.0},
    "leaning": {"Answer: 1": 0.8, "Answer: 2": 0.1, "Hm.": 0.1},
    "torn": {"Answer: 1": 0.5, "Answer: 2": 0.5},
    "mute": {"Hm.": 1.0},
    "sure again": {"Answer: 3": 0.98, "Answer: 4": 0.02},
}
EXAMPLES = [Example(f"q{number}", question) for number, question in enumerate(SCRIPT)]
MODEL = ScriptedModel(SCRIPT.__getitem__, "the script")
FULL = SamplingConfig(samples=40, temperature=1.0, chunk=64)


def speaker(model: ScriptedModel | LanguageModel, last: int = 10**6) -> Speaker:
    """The model as steps speak to it; stops before it begins block number `last`, as if killed."""
    blocks = 0

    def speak(
        requests: Sequence[Request], sampling: SamplingConfig, seed: int, progress: Progress
    ) -> Iterator[list[Response]]:
        nonlocal blocks
        blocks += 1
        if blocks > last:
            raise KeyboardInterrupt
        return sample(model, requests, sampling, seed=seed, runtime=RuntimeConfig(), progress=progress)

    return speak


def rounds(folder: Path, stopping: Stopping, speak: Speaker, sampling: SamplingConfig = FULL, seed: int = 5) -> Outcome:
    work = Workspace(folder, {}, RuntimeConfig(), silent)
    return keep_rounds(work, TASK, EXAMPLES, sampling, stopping, seed, speak)


def all_at_once(model: ScriptedModel | LanguageModel, sampling: SamplingConfig = FULL) -> dict[str, list[Response]]:
    requests = [Request(example.id, ask(TASK.prompt(example))) for example in EXAMPLES]
    found: dict[str, list[Response]] = {}
    for chunk in sample(model, requests, sampling, seed=5, runtime=RuntimeConfig()):
        for row in chunk:
            found.setdefault(row.id, []).append(row)
    return found


@pytest.mark.parametrize("stopping", [Posterior(round=4), TopTwo(round=3), Posterior(error=0, round=7)], ids=str)
def test_what_is_drawn_is_the_beginning_of_all_samples(tmp_path: Path, stopping: Stopping) -> None:
    outcome = rounds(tmp_path, stopping, speaker(MODEL))
    drawn, whole = dict(read_responses(tmp_path)), all_at_once(MODEL)
    assert list(drawn) == [example.id for example in EXAMPLES]
    assert all(rows == whole[id][: len(rows)] for id, rows in drawn.items())
    counts = {SCRIPT_OF[id]: len(rows) for id, rows in drawn.items()}
    assert counts["sure"] < counts["torn"]
    assert counts["mute"] == 40
    assert outcome.summary["responses"] == sum(counts.values())
    assert outcome.summary["samples_per_question"] == sum(counts.values()) / 5
    assert outcome.summary["share_of_samples"] == pytest.approx(sum(counts.values()) / 200)
    assert outcome.summary["settled"] == sum(count < 40 for count in counts.values())
    assert outcome.cost.tokens_sampled == sum(row.tokens for rows in drawn.values() for row in rows)
    assert [path.name for path in tmp_path.iterdir()] == [RESPONSES]


SCRIPT_OF = {example.id: example.question for example in EXAMPLES}


def test_a_vote_that_cannot_change_gives_the_label_of_all_samples(tmp_path: Path) -> None:
    rounds(tmp_path, Posterior(error=0, round=1), speaker(MODEL))
    whole = all_at_once(MODEL)
    for id, rows in read_responses(tmp_path):
        example = EXAMPLES[int(id[1:])]
        some, all_of_them = (Alice().label(TASK, example, responses) for responses in (rows, whole[id]))
        assert (some.answer, some.text) == (all_of_them.answer, all_of_them.text)


def test_rounds_end_at_the_number_of_samples(tmp_path: Path) -> None:
    outcome = rounds(tmp_path / "uneven", Posterior(error=0, round=16), speaker(MODEL))
    assert outcome.summary["rounds"] == 3  # 16, 16 and 8
    assert {len(rows) for _, rows in read_responses(tmp_path / "uneven")} == {32, 40}
    one = rounds(tmp_path / "one", Posterior(), speaker(MODEL), SamplingConfig(samples=1, temperature=1.0))
    assert (one.summary["responses"], one.summary["rounds"], one.summary["settled"]) == (5, 1, 0)


def test_no_question_is_no_work(tmp_path: Path) -> None:
    work = Workspace(tmp_path, {}, RuntimeConfig(), silent)
    outcome = keep_rounds(work, TASK, [], FULL, Posterior(), 5, speaker(MODEL))
    assert outcome.summary["samples_per_question"] is None
    assert list(read_responses(tmp_path)) == []


def test_a_run_killed_at_every_block_ends_in_the_same_file(tmp_path: Path) -> None:
    stopping = Posterior(round=4)
    small = FULL.model_copy(update={"chunk": 8})  # two questions a block
    whole = rounds(tmp_path / "whole", stopping, speaker(MODEL), small)
    kills = 0
    while True:
        try:
            again = rounds(tmp_path / "killed", stopping, speaker(MODEL, last=1), small)
        except KeyboardInterrupt:
            kills += 1
            continue
        break
    assert kills > 10
    assert again == whole
    assert (tmp_path / "killed" / RESPONSES).read_bytes() == (tmp_path / "whole" / RESPONSES).read_bytes()


def test_progress_never_goes_back_and_ends_at_all_samples(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []

    def tell(done: int, total: int, note: str = "") -> None:
        told.append((done, total))

    work = Workspace(tmp_path, {}, RuntimeConfig(), tell)
    keep_rounds(work, TASK, EXAMPLES, FULL, Posterior(), 5, speaker(MODEL))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (200, 200)


@pytest.mark.parametrize("family", ["llama", "gpt_neox"])
def test_the_engines_draw_the_same_samples_in_rounds(
    tmp_path: Path, tiny_model: Callable[..., Path], family: str
) -> None:
    """On both engines, token for token; in float64, as other company in a batch rounds sums otherwise."""
    model = hf.load(ModelConfig(path=str(tiny_model(family))), RuntimeConfig(device="cpu"))
    model.model.double()
    sampling = SamplingConfig(samples=6, temperature=1.0, max_new_tokens=12)
    rounds(tmp_path, Posterior(round=4), speaker(model), sampling)
    assert dict(read_responses(tmp_path)) == all_at_once(model, sampling)  # nothing can be read, so all are drawn
