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
from contextlib import AbstractContextManager, contextmanager, suppress
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
START_SECONDS = 900  # vLLM's imports alone take minutes on a busy machine


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
def transformers_serve(folder: Path) -> Iterator[tuple[str, str]]:
    """`transformers serve`."""
    for package in ("uvicorn", "fastapi"):
        pytest.importorskip(package, reason="the server of transformers is not installed: transformers[serving]")
    command = [sys.executable, "-c", "from transformers.cli.transformers import main; main()", "serve", str(folder)]
    with serving([*command, "--device", "cpu"], folder.parent / "serve.log") as url:
        yield url, str(folder)


@contextmanager
def vllm(folder: Path) -> Iterator[tuple[str, str]]:
    """vLLM, from the environment whose Python is named by W2SG_TEST_VLLM."""
    python = os.environ.get("W2SG_TEST_VLLM")
    if not python:
        pytest.skip("set W2SG_TEST_VLLM to the Python of an environment that holds vLLM (CONTRIBUTING.md)")
    command = [
        python,
        "-m",
        "vllm.entrypoints.openai.api_server",
        "--model",
        str(folder),
        "--served-model-name",
        "tiny",
    ]
    command += ["--dtype", "float32", "--max-model-len", "2048", "--max-num-seqs", "16", "--enforce-eager"]
    on_cpu = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    with serving(command, folder.parent / "vllm.log", **on_cpu) as url:
        yield url, "tiny"


@contextmanager
def running_already(folder: Path) -> Iterator[tuple[str, str]]:
    """Whatever W2SG_TEST_ENDPOINT is the address of."""
    url, model = os.environ.get("W2SG_TEST_ENDPOINT"), os.environ.get("W2SG_TEST_ENDPOINT_MODEL")
    if not url or not model:
        pytest.skip("set W2SG_TEST_ENDPOINT and W2SG_TEST_ENDPOINT_MODEL to a running server's (CONTRIBUTING.md)")
    yield url, model


@contextmanager
def serving(command: list[str], log: Path, **variables: str) -> Iterator[str]:
    """The base URL of a server that `command` starts on a free port, as soon as it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    surroundings = {**os.environ, "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "OMP_NUM_THREADS": "1", **variables}
    surroundings.pop("PYTHONPATH", None)  # the server's environment is its own
    command = [*command, "--host", "127.0.0.1", "--port", str(port)]
    with (
        log.open("wb") as file,
        subprocess.Popen(command, env=surroundings, stdout=file, stderr=file, start_new_session=True) as process,
    ):
        try:
            began = time.monotonic()
            while not is_healthy(port):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() - began < START_SECONDS, log.read_text()
                time.sleep(0.5)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(30)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # what the server started and did not end


def is_healthy(port: int) -> bool:
    """Whether a server answers there and calls itself ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
            return True
    except (urllib.error.URLError, OSError):
        return False


@pytest.mark.slow
@pytest.mark.parametrize("engine", [transformers_serve, vllm, running_already], ids=lambda engine: engine.__name__)
def test_a_real_engine_writes_statements(
    engine: Callable[[Path], AbstractContextManager[tuple[str, str]]], tiny_model: Callable[..., Path], tmp_path: Path
) -> None:
    # heads of 32: vLLM's attention on a CPU takes no smaller ones
    with engine(tiny_model("llama", max_position_embeddings=2048, hidden_size=128)) as (url, model):
        helper = writer(url, model, concurrency=3)
        doubts = [helper.prompt(TASK, DOUBT)[-1].content, "Why?", "Who else?"]
        rows = keep(tmp_path / "one", helper, doubts)
        again = keep(tmp_path / "two", helper, doubts)
        with pytest.raises(ModelError, match=r"no model|refuses|failing"):
            keep(tmp_path / "three", writer(url, "there-is-no-such-model", retries=0), ["a"])
    assert [row.id for row in rows] == ["q00", "q01", "q02"]
    assert [row.text for row in rows] == [row.text for row in again]  # greedy
    assert all(0 < row.tokens <= helper.max_new_tokens for row in rows)
