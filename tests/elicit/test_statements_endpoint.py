"""Statements by a helper behind an endpoint: the prompt that it gets, a kill that loses nothing, a real engine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fault_server import FaultServer, running
from w2sg.decode.sampling import Request
from w2sg.elicit.statements import WRITERS, Doubt
from w2sg.elicit.statements_endpoint import ByEndpoint
from w2sg.errors import ModelError
from w2sg.models.base import RuntimeConfig, silent
from w2sg.records import Example, Response, ask
from w2sg.steps.base import Workspace
from w2sg.steps.inputs import RESPONSES
from w2sg.steps.replies import keep_replies
from w2sg.storage import read_rows
from w2sg.tasks import build, task_config

pytest.importorskip("openai", reason="the extra 'remote' is not installed")

TASK = build(task_config({"kind": "file", "labelled": "unread.jsonl", "grader": "numeric"}))
DOUBT = Doubt(Example("q", "How many ducks?"), (("3", 5), ("4", 2)), 1, ("Two and one: 3.", "Two and two: 4."))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultServer]:
    with running(tmp_path_factory.mktemp("server")) as found:
        yield found


def writer(url: str, model: str = "big", **settings: object) -> ByEndpoint:
    return ByEndpoint.parse({"endpoint": {"base_url": url, "model": model, "retries": 2, **settings}}, "The test")


def work(folder: Path) -> Workspace:
    return Workspace(folder, {}, RuntimeConfig(), silent)


def keep(folder: Path, helper: ByEndpoint, texts: list[str]) -> list[Response]:
    """Ask as the step does, every reply kept as it comes; return what is on disk in the end."""
    requests = [Request(f"q{number:02d}", ask(text)) for number, text in enumerate(texts)]
    keep_replies(work(folder), requests, len(requests), helper.sampling(), 0, helper.speaker(), piecewise=True)
    return read_rows(folder / RESPONSES, Response)


def test_the_helper_is_asked_about_the_different_responses(server: FaultServer, tmp_path: Path) -> None:
    helper = writer(server.url("asked"))
    prompt = helper.prompt(TASK, DOUBT)
    (row,) = keep(tmp_path, helper, [prompt[-1].content])
    (request,) = server.requests("asked")
    said = request["body"]["messages"][-1]["content"]
    assert all(part in said for part in ("How many ducks?", *DOUBT.variants))
    assert request["body"]["temperature"] == 0
    assert row.text.startswith("I heard: ")
    assert helper.read(row.text) == " ".join(row.text.split("\n\n")[0].split())


def test_the_helper_is_in_the_identity_and_declared() -> None:
    helper = writer("http://host/v1", "llama-70b", concurrency=2)
    assert WRITERS.get("endpoint") is ByEndpoint
    assert helper.by == "helper"
    assert helper.helper == "llama-70b at http://host/v1"
    assert helper.identity()["endpoint"] == {"base_url": "http://host/v1", "model": "llama-70b"}


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
sys.path.insert(0, {here!r})
from test_statements_endpoint import keep, writer
keep(Path({folder!r}), writer({url!r}, concurrency=1), [f"n{{n}}" for n in range(12)])
"""


def test_a_kill_loses_nothing(server: FaultServer, tmp_path: Path) -> None:
    here = Path(__file__).parent
    names = {"tests": str(here.parent), "here": str(here), "folder": str(tmp_path), "url": server.url("steady")}
    with subprocess.Popen([sys.executable, "-c", KILLED.format(**names)]) as process:
        while len(server.requests("steady")) < 5 and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    (part,) = tmp_path.rglob("*.part")
    kept = read_rows(part, Response)
    assert 3 <= len(kept) < 12
    rows = keep(tmp_path, writer(server.url("steady"), concurrency=1), [f"n{n}" for n in range(12)])
    assert [(row.id, row.text) for row in rows] == [(f"q{n:02d}", f"I heard: n{n}") for n in range(12)]
    assert len(server.requests("steady")) <= 12 + 2  # what was under way at the kill, at most


def test_what_was_answered_before_a_refusal_is_not_asked_again(server: FaultServer, tmp_path: Path) -> None:
    texts = ["a", "bad", "c"]
    for _ in range(2):
        with pytest.raises(ModelError, match="'q01'"):
            keep(tmp_path, writer(server.url("picky")), texts)
    asked = [request["body"]["messages"][-1]["content"] for request in server.requests("picky")]
    assert sorted(asked) == ["a", "bad", "bad", "c"]


@contextmanager
def engine(folder: Path) -> Iterator[tuple[str, str]]:
    """The address and model name of a real engine that serves the model in `folder`: `transformers serve`, or, when
    the variables W2SG_TEST_ENDPOINT and W2SG_TEST_ENDPOINT_MODEL name one that runs already (vLLM, say), that."""
    if url := os.environ.get("W2SG_TEST_ENDPOINT"):
        yield url, os.environ["W2SG_TEST_ENDPOINT_MODEL"]
        return
    pytest.importorskip("uvicorn", reason="the server of transformers is not installed: transformers[serving]")
    pytest.importorskip("fastapi", reason="the server of transformers is not installed: transformers[serving]")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from transformers.cli.transformers import main; main()", "serve", str(folder)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    surroundings = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    log = folder.parent / "serve.log"
    with log.open("wb") as file, subprocess.Popen(command, env=surroundings, stdout=file, stderr=file) as process:
        try:
            for _ in range(600):
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                        break
                except (urllib.error.URLError, OSError):
                    assert process.poll() is None, log.read_text()
                    time.sleep(0.5)
            yield f"http://127.0.0.1:{port}/v1", str(folder)
        finally:
            process.terminate()


@pytest.mark.slow
def test_a_real_engine_writes_statements(tiny_model: Callable[..., Path], tmp_path: Path) -> None:
    with engine(tiny_model("llama", max_position_embeddings=2048)) as (url, model):
        helper = writer(url, model, concurrency=3)
        doubts = [helper.prompt(TASK, DOUBT)[-1].content, "Why?", "Who else?"]
        rows = keep(tmp_path / "one", helper, doubts)
        again = keep(tmp_path / "two", helper, doubts)
        with pytest.raises(ModelError, match=r"no model|refuses|failing"):
            keep(tmp_path / "three", writer(url, "there-is-no-such-model", retries=0), ["a"])
    assert [row.id for row in rows] == ["q00", "q01", "q02"]
    assert [row.text for row in rows] == [row.text for row in again]  # greedy
    assert all(0 < row.tokens <= helper.max_new_tokens for row in rows)
