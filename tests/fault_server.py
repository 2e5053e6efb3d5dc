"""A small chat server with faults, run as a process of its own: `python tests/fault_server.py LOG` prints its port.

The first part of the address says how it behaves (`http://localhost:PORT/<behaviour>/v1`); every request leaves a line
in LOG: when it came, its behaviour, headers and body.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

REFUSALS = {"401": "Incorrect API key provided: secret-key-7", "403": "No access.", "404": "The model does not exist."}


class Handler(BaseHTTPRequestHandler):
    """Answers the last message with itself, unless its behaviour is another."""

    protocol_version = "HTTP/1.1"
    log: Path
    lock = threading.Lock()
    seen: ClassVar[Counter[tuple[str, str]]] = Counter()
    under_way = 0

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        behaviour = self.path.strip("/").split("/")[0]
        text = body["messages"][-1]["content"]
        with Handler.lock:
            Handler.seen[behaviour, text] += 1
            time_of = Handler.seen[behaviour, text]
            Handler.under_way += 1
            row = {
                "at": time.monotonic(),
                "behaviour": behaviour,
                "path": self.path,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "body": body,
                "under_way": Handler.under_way,
            }
            with Handler.log.open("a") as file:
                file.write(json.dumps(row) + "\n")
        try:
            self.behave(behaviour, time_of, text)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with Handler.lock:
                Handler.under_way -= 1

    def behave(self, behaviour: str, time_of: int, text: str) -> None:
        """Answer the `time_of`-th request for this text."""
        early = time_of <= 2
        if behaviour in REFUSALS:
            self.answer({"error": {"message": REFUSALS[behaviour]}}, int(behaviour))
        elif behaviour == "slow":
            time.sleep(3)
            self.answer(completion(text))
        elif behaviour == "trickle":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            for _ in range(600):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.1)
        elif behaviour == "steady":
            time.sleep(0.3)
            self.answer(completion(text))
        elif behaviour == "limited" and early:
            self.answer({"error": {"message": "Slow down."}}, 429, {"Retry-After": "1"})
        elif (behaviour == "failing" and early) or behaviour == "failed":
            self.answer({"error": {"message": "Out of memory."}}, 500)
        elif behaviour == "hanging-up" and early:
            self.close_connection = True
        elif (behaviour == "rubbish" and early) or behaviour == "always-rubbish":
            self.answer("<html>Bad gateway</html>")
        elif behaviour == "empty":
            self.answer({"choices": []})
        elif behaviour == "odd":
            self.answer({"choices": [{"message": {"content": [1]}}]})
        elif behaviour == "no-choices":
            self.answer({"detail": "not here"})
        elif behaviour == "picky" and "bad" in text:
            self.answer({"error": {"message": "Your prompt is too long."}}, 400)
        elif behaviour == "cut":
            self.answer({"choices": [{"message": {"content": None}, "finish_reason": "length"}]})
        elif behaviour == "half":
            self.answer('{"choices": [{"message": {"content": "so \\ud800 so"}, "finish_reason": "stop"}]}')
        else:
            self.answer(completion(text))

    def answer(self, found: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        """Send JSON, or text as it is."""
        data = (found if isinstance(found, str) else json.dumps(found)).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing."""


def completion(text: str) -> dict[str, Any]:
    """A chat completion that repeats the text."""
    choice = {"index": 0, "message": {"role": "assistant", "content": f" I heard: {text}\n"}, "finish_reason": "stop"}
    return {"object": "chat.completion", "choices": [choice], "usage": {"completion_tokens": 7}}


@dataclass(frozen=True)
class FaultServer:
    """A running server."""

    port: int
    process: subprocess.Popen[str]
    log: Path

    def url(self, behaviour: str = "ok") -> str:
        """The base URL under which the server behaves so."""
        return f"http://127.0.0.1:{self.port}/{behaviour}/v1"

    def requests(self, behaviour: str) -> list[dict[str, Any]]:
        """What was asked under this behaviour."""
        rows = [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []
        return [row for row in rows if row["behaviour"] == behaviour]


@contextmanager
def running(folder: Path) -> Iterator[FaultServer]:
    """A server process with its log in `folder`."""
    log = folder / "requests.jsonl"
    with subprocess.Popen([sys.executable, __file__, str(log)], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield FaultServer(int(process.stdout.readline()), process, log)
        finally:
            process.kill()


def main() -> None:
    """Serve until killed."""
    Handler.log = Path(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
