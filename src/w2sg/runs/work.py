"""Running one step to its record, in this process: lock, parents checked, work, record. Also the worker's side
of the process pool; which steps run where is `runs.runner`."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import threading
import time
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2sg.models.base import Progress, RuntimeConfig
from w2sg.runs.store import ELAPSED, Store
from w2sg.steps.base import Step, Workspace
from w2sg.storage import make_folder, read_json, write_json

if TYPE_CHECKING:
    from multiprocessing.queues import Queue

_HEARTBEAT_SECONDS = 5.0


@dataclass(frozen=True)
class Message:
    """A running step's progress, on its way to whoever shows it."""

    fingerprint: str
    done: int
    total: int
    note: str


def perform(step: Step, store: Store, runtime: RuntimeConfig, progress: Progress, command: list[str]) -> bool:
    """Bring the step to its record; return False if another run had finished it meanwhile.

    Raises:
        UserError: the step cannot be done; what it finished stays for the next attempt.
    """
    with store.locked(step, wait=False) as free:
        if free:
            return _perform_locked(step, store, runtime, progress, command)
    progress(0, 1, "waiting for another run that works on it")
    with store.locked(step):
        return _perform_locked(step, store, runtime, progress, command)


def _perform_locked(step: Step, store: Store, runtime: RuntimeConfig, progress: Progress, command: list[str]) -> bool:
    if store.state(step) == "done":
        store.verify(step, deep=False)
        return False
    parents = {part: store.verify(parent, deep=True) for part, parent in step.parents.items()}
    folder = make_folder(store.folder(step))
    _forget_peak_memory()
    clock = _Clock(folder)

    def tick(done: int, total: int, note: str = "") -> None:
        clock.beat()
        progress(done, total, note)

    outcome = step.run(Workspace(folder, parents, runtime, tick))
    store.write_record(step, outcome, seconds=clock.seconds(), peak_memory_mb=_peak_memory_mb(), command=command)
    return True


class _Clock:
    """Seconds spent on a step, those of interrupted attempts included (to the last heartbeat)."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / ELAPSED
        before: Any = read_json(self._path) if self._path.is_file() else {}
        self._before = float(before.get("seconds", 0.0))
        self._start = self._last = time.monotonic()

    def seconds(self) -> float:
        return self._before + time.monotonic() - self._start

    def beat(self) -> None:
        if time.monotonic() - self._last >= _HEARTBEAT_SECONDS:
            self._last = time.monotonic()
            write_json(self._path, {"seconds": round(self.seconds(), 3)})


def _forget_peak_memory() -> None:
    """Let the process's peak memory count from here, where the system can: a worker does many steps."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _peak_memory_mb() -> float:
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


_queue: Queue[Message] | None = None


def start_worker(queue: Queue[Message], threads: int) -> None:
    """Make this process a worker: few threads, deaf to Ctrl-C (the parent decides), gone when the parent is."""
    global _queue
    _queue = queue
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _leave_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def work(step: Step, root: Path, runtime: RuntimeConfig, command: list[str]) -> bool:
    """Perform the step in a worker process."""
    queue = _queue
    assert queue is not None
    last = 0.0

    def tell(done: int, total: int, note: str) -> None:
        nonlocal last
        if done >= total or time.monotonic() - last > 0.1:
            last = time.monotonic()
            queue.put(Message(step.fingerprint, done, total, note))

    return perform(step, Store(root), runtime, tell, command)
