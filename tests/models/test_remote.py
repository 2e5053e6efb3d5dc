"""The client of chat endpoints against a real server process with faults: down, slow, overloaded, refusing, rubbish."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from fault_server import FaultServer, running
from w2sg.decode.config import SamplingConfig
from w2sg.errors import ConfigError, MissingExtra, ModelError
from w2sg.models import remote
from w2sg.models.remote import respond
from w2sg.models.remote_config import EndpointConfig
from w2sg.records import Message, Prompt, Response, ask

pytest.importorskip("openai", reason="the extra 'remote' is not installed")

GREEDY = SamplingConfig(max_new_tokens=50)


@dataclass(frozen=True)
class Question:
    id: str
    prompt: Prompt


def questions(*texts: str) -> list[Question]:
    return [Question(f"q{number}", ask(text)) for number, text in enumerate(texts)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultServer]:
    with running(tmp_path_factory.mktemp("server")) as found:
        yield found


def endpoint(server: FaultServer, behaviour: str, **settings: Any) -> EndpointConfig:
    return EndpointConfig(base_url=server.url(behaviour), model="big", **{"retries": 2, **settings})


def replies(
    config: EndpointConfig, asked: list[Question], sampling: SamplingConfig = GREEDY, seed: int = 0
) -> list[Response]:
    return [row for rows in respond(config, asked, sampling, seed=seed) for row in rows]


def refused(config: EndpointConfig, asked: list[Question] | None = None) -> str:
    """What the error says that asking ends in."""
    with pytest.raises(ModelError) as caught:
        replies(config, asked or questions("a"))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_reply_with_its_tokens(server: FaultServer) -> None:
    assert replies(endpoint(server, "ok"), questions("how?")) == [Response("q0", 0, "I heard: how?", 7, True)]


def test_nothing_to_ask_asks_nothing() -> None:
    assert replies(EndpointConfig(base_url="http://127.0.0.1:9/v1", model="m"), []) == []


def test_a_request_holds_what_decides_the_reply_and_no_more(server: FaultServer) -> None:
    prompt = (Message("system", "Be brief."), Message("user", "body?"))
    replies(endpoint(server, "body"), [Question("q", prompt)])
    (request,) = server.requests("body")
    assert request["path"] == "/body/v1/chat/completions"
    assert request["body"] == {
        "model": "big",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "body?"}],
        "max_tokens": 50,
        "temperature": 0.0,
    }


def test_samples_have_seeds_of_their_own_that_a_repetition_shares(server: FaultServer) -> None:
    sampling = SamplingConfig(samples=3, temperature=0.7, top_p=0.9, max_new_tokens=5)
    config = endpoint(server, "seeds", extra={"max_tokens": None, "max_completion_tokens": 5, "top_k": 4})
    rows = replies(config, questions("a", "b"), sampling, seed=3)
    assert sorted((row.id, row.sample) for row in rows) == [(f"q{n}", k) for n in range(2) for k in range(3)]
    assert [row.sample for row in rows] == [0, 1, 2, 0, 1, 2]
    bodies = [request["body"] for request in server.requests("seeds")]
    assert len({body["seed"] for body in bodies}) == 6
    assert all("max_tokens" not in body and body["top_k"] == 4 and body["top_p"] == 0.9 for body in bodies)
    replies(config, questions("a", "b"), sampling, seed=3)
    again = [request["body"]["seed"] for request in server.requests("seeds")][6:]
    assert sorted(again) == sorted(body["seed"] for body in bodies)


def test_replies_come_as_they_are_ready(server: FaultServer) -> None:
    asked = questions(*map(str, range(6)))
    told: list[tuple[int, int]] = []
    stream = respond(
        endpoint(server, "steady", concurrency=2),
        asked,
        GREEDY,
        seed=0,
        progress=lambda done, total, note: told.append((done, total)),
    )
    next(stream)
    assert len(server.requests("steady")) < 6
    assert len(list(stream)) == 5
    assert told == [(done, 6) for done in range(1, 7)]
    assert max(request["under_way"] for request in server.requests("steady")) == 2


def test_an_abandoned_exchange_asks_no_more(server: FaultServer) -> None:
    asked = [Question(f"z{number}", ask(f"z{number}")) for number in range(8)]
    stream = respond(endpoint(server, "steady", concurrency=1), asked, GREEDY, seed=0)
    next(stream)
    stream.close()
    time.sleep(0.5)
    assert sum("z" in request["body"]["messages"][0]["content"] for request in server.requests("steady")) <= 2


@pytest.mark.parametrize("behaviour", ["limited", "failing", "hanging-up"])
def test_what_passes_is_waited_out(server: FaultServer, behaviour: str) -> None:
    assert [row.text for row in replies(endpoint(server, behaviour), questions("x"))] == ["I heard: x"]
    times = [request["at"] for request in server.requests(behaviour)]
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert len(waits) == 2
    if behaviour == "limited":
        assert min(waits) >= 1  # as the server said
    else:
        assert waits[0] >= 0.75 * 0.5  # the backoff less its jitter
        assert waits[1] >= 0.75 * 1.0


def test_a_gateways_page_in_place_of_a_reply_is_waited_out(server: FaultServer) -> None:
    assert [row.text for row in replies(endpoint(server, "rubbish"), questions("x"))] == ["I heard: x"]


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [
        ("always-rubbish", "<html>Bad gateway</html> is no JSON"),
        ("empty", "its list of choices is empty"),
        ("no-choices", "not here holds no choices"),
        ("odd", "holds no text"),
    ],
)
def test_rubbish_is_told_in_the_end(server: FaultServer, behaviour: str, says: str) -> None:
    error = refused(endpoint(server, behaviour))
    assert says in error
    assert "no chat completion" in error
    assert len(server.requests(behaviour)) == 3


def test_a_server_that_fails_is_told_with_its_words(server: FaultServer) -> None:
    error = refused(endpoint(server, "failed", retries=1))
    assert "status 500: Out of memory." in error
    assert "tried 2 times" in error
    assert len(server.requests("failed")) == 2


def test_a_server_that_is_down_is_told() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        config = EndpointConfig(base_url=f"http://127.0.0.1:{free.getsockname()[1]}/v1", model="m", retries=1)
        error = refused(config)
    assert "cannot be reached" in error
    assert config.base_url in error


def test_a_server_that_is_slow_is_told(server: FaultServer) -> None:
    error = refused(endpoint(server, "slow", timeout_seconds=0.3, retries=1))
    assert "did not answer within 0.3 seconds, tried 2 times" in error


def test_a_server_that_dribbles_does_not_hold_the_run_for_ever(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_LONGEST_WAIT_SECONDS", 0.5)
    began = time.monotonic()
    assert "did not answer within 0.5 seconds" in refused(endpoint(server, "trickle", timeout_seconds=0.5, retries=0))
    assert time.monotonic() - began < 45  # it would dribble for a minute


@pytest.mark.parametrize(("status", "says"), [("401", "refuses access"), ("403", "No access"), ("404", "no model")])
def test_a_refusal_of_all_stops_at_once(server: FaultServer, status: str, says: str) -> None:
    error = refused(endpoint(server, status, concurrency=2), questions(*"abcdefgh"))
    assert says in error
    assert "the rest was not sent" in error
    assert len(server.requests(status)) <= 3


def test_the_key_comes_from_the_variable_and_is_shown_nowhere(
    server: FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIG_KEY", "secret-key-7")
    config = endpoint(server, "401", api_key_env="BIG_KEY")
    before = len(server.requests("401"))
    error = refused(config)
    assert server.requests("401")[before]["headers"]["authorization"] == "Bearer secret-key-7"
    assert "Incorrect API key provided: (hidden)" in error
    assert "'BIG_KEY'" in error
    assert "secret" not in error + repr(config) + config.model_dump_json()
    monkeypatch.delenv("BIG_KEY")
    assert "'BIG_KEY', which is not set" in refused(config)


def test_keys_of_other_services_stay_at_home(server: FaultServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, "private-7")
    replies(endpoint(server, "home"), questions("a"))
    (request,) = server.requests("home")
    assert "private-7" not in str(request["headers"])
    assert "authorization" not in request["headers"]


def test_one_question_that_is_refused_leaves_the_others(server: FaultServer) -> None:
    stream = respond(endpoint(server, "picky"), questions("a", "bad", "c", "d"), GREEDY, seed=0)
    found = [next(stream)[0].id for _ in range(3)]
    assert sorted(found) == ["q0", "q2", "q3"]
    with pytest.raises(ModelError) as caught:
        next(stream)
    assert "refuses the request for 'q1' (status 400: Your prompt is too long.)" in str(caught.value)
    assert "1 of 4 requests got no reply" in str(caught.value)


def test_failures_in_a_row_stop_the_rest(server: FaultServer) -> None:
    error = refused(endpoint(server, "picky", concurrency=3), questions(*[f"bad {n}" for n in range(40)]))
    assert "3 of 40" in error or "4 of 40" in error or "5 of 40" in error


def test_a_cut_reply_without_text_is_unfinished(server: FaultServer) -> None:
    assert replies(endpoint(server, "cut"), questions("a")) == [Response("q0", 0, "", 1, False)]


def test_half_a_character_can_be_written_down(server: FaultServer) -> None:
    (row,) = replies(endpoint(server, "half"), questions("a"))
    assert row.text == "so ? so"


def test_the_extra_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "openai", None)
    with pytest.raises(MissingExtra, match=r"w2sg\[remote\]"):
        replies(EndpointConfig(base_url="http://127.0.0.1:9/v1", model="m"), questions("a"))


def test_the_model_and_the_address_decide_and_how_it_is_asked_does_not() -> None:
    config = EndpointConfig(base_url="http://host:8000/v1/", model="m", concurrency=3, api_key_env="KEY", retries=1)
    assert config.identity() == {"base_url": "http://host:8000/v1", "model": "m"}
    assert config.model_copy(update={"extra": {"top_k": 4}}).identity()["extra"] == {"top_k": 4}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"base_url": "localhost:8000"}, "an address such as"),
        ({"base_url": "http://host:99999/v1"}, "an address such as"),
        ({"base_url": "http://host/v1/chat/completions"}, "up to /v1"),
        ({"base_url": "http://me:hunter2@host/v1"}, "no password"),
        ({"api_key_env": "sk-hunter2"}, "hidden"),
        ({"extra": {"model": "other"}}, "model cannot be set"),
        ({"model": ""}, "at least 1 character"),
    ],
)
def test_bad_settings(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        EndpointConfig.parse({"base_url": "http://host/v1", "model": "m", **changes}, "The test")
    assert "hunter2" not in str(caught.value)


def test_nothing_of_a_key_reaches_the_disk(
    server: FaultServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from w2sg.storage import RowWriter

    monkeypatch.setenv("BIG_KEY", "secret-key-9")
    monkeypatch.chdir(tmp_path)
    with RowWriter(tmp_path / "rows.jsonl") as writer:
        for rows in respond(endpoint(server, "ok", api_key_env="BIG_KEY"), questions("a", "b"), GREEDY, seed=0):
            writer.append(rows)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.name for path in written] == ["rows.jsonl"]
    assert b"secret" not in written[0].read_bytes()
