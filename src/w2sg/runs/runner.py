"""Runs a plan: every step whose parents are done, several at a time, until all is done or cannot be.

A failed step stops what rests on it and nothing else; finished work stays. Showing progress is the caller's
part (`Watcher`).
"""

from __future__ import annotations

import os
import queue as queues
import signal
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from w2sg.errors import StoreError, UserError
from w2sg.models.base import RuntimeConfig
from w2sg.runs.store import Store, command_line
from w2sg.runs.work import Message, perform, start_worker, work
from w2sg.steps.base import Step, with_ancestors

if TYPE_CHECKING:
    from multiprocessing.queues import Queue


class Watcher(Protocol):
    """Whoever is told how a run goes."""

    def begin(self, steps: int, reused: int) -> None:
        """The run has `steps` steps to do and found `reused` done."""

    def step_begins(self, step: Step) -> None:
        """Work on the step begins."""

    def step_moves(self, step: Step, done: int, total: int, note: str) -> None:
        """The step has done `done` of `total`."""

    def step_ends(self, step: Step, failure: str = "") -> None:
        """The step is done, or failed."""

    def steps_lost(self, step: Step, count: int) -> None:
        """`count` steps rest on the failed `step` and are not done."""


class Quiet:
    """The watcher that says nothing."""

    def begin(self, steps: int, reused: int) -> None: ...

    def step_begins(self, step: Step) -> None: ...

    def step_moves(self, step: Step, done: int, total: int, note: str) -> None: ...

    def step_ends(self, step: Step, failure: str = "") -> None: ...

    def steps_lost(self, step: Step, count: int) -> None: ...


@dataclass
class _Progress:
    """Where a run stands: what is still to do, what runs, what failed, what cannot be done since a parent failed."""

    waiting: dict[str, Step]
    done: set[str]
    failures: dict[str, UserError] = field(default_factory=dict)

    def ready(self) -> list[Step]:
        return [
            step
            for step in self.waiting.values()
            if all(parent.fingerprint in self.done for parent in step.parents.values())
        ]

    def fail(self, step: Step, error: UserError, watcher: Watcher) -> None:
        self.failures[step.fingerprint] = error
        watcher.step_ends(step, str(error))
        lost = {step.fingerprint}
        for other in list(self.waiting.values()):  # in order: parents come first
            if any(parent.fingerprint in lost for parent in other.parents.values()):
                lost.add(other.fingerprint)
                del self.waiting[other.fingerprint]
        watcher.steps_lost(step, len(lost) - 1)


def run_steps(
    steps: tuple[Step, ...], store: Store, runtime: RuntimeConfig, *, workers: int = 0, watcher: Watcher | None = None
) -> int:
    """Do every step, and what it rests on, that the store does not hold; return how many were done.

    `workers` processes work side by side; 1 works in this process; 0 chooses.

    Raises:
        UserError: a step could not be done (the first one's error, with how many failed); the rest was done.
    """
    watcher, steps = watcher or Quiet(), with_ancestors(steps)
    done = {step.fingerprint for step in steps if store.state(step) == "done"}
    for step in steps:
        if step.fingerprint in done:
            store.verify(step, deep=False)
    waiting = {step.fingerprint: step for step in steps if step.fingerprint not in done}
    watcher.begin(len(waiting), len(done))
    if not waiting:
        return 0
    progress = _Progress(waiting, done)
    total = len(waiting)
    workers = workers or choose_workers(runtime)
    if workers == 1 or total == 1:
        _run_here(progress, store, runtime, watcher)
    else:
        _run_in_pool(progress, store, runtime, workers, watcher)
    if progress.failures:
        first = next(iter(progress.failures.values()))
        if len(progress.failures) > 1:
            first.add_note(f"{len(progress.failures)} steps failed; this is the first.")
        raise first
    return total


def choose_workers(runtime: RuntimeConfig) -> int:
    """Return one worker per core's worth of threads on a CPU, one where a GPU is used."""
    device = runtime.device
    if device == "auto":
        device = "cuda" if _has_gpu() else "cpu"
    if device != "cpu":
        return 1
    return max(1, len(os.sched_getaffinity(0)) // runtime.threads) if hasattr(os, "sched_getaffinity") else 1


def _has_gpu() -> bool:
    """Whether a GPU shows itself to the system, without the seconds that importing torch takes."""
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/kfd").exists()


def _run_here(progress: _Progress, store: Store, runtime: RuntimeConfig, watcher: Watcher) -> None:
    command = command_line()
    while ready := progress.ready():
        step = ready[0]
        del progress.waiting[step.fingerprint]
        watcher.step_begins(step)
        try:
            perform(step, store, runtime, partial(watcher.step_moves, step), command)
        except UserError as error:
            progress.fail(step, error, watcher)
        else:
            progress.done.add(step.fingerprint)
            watcher.step_ends(step)


def _run_in_pool(progress: _Progress, store: Store, runtime: RuntimeConfig, workers: int, watcher: Watcher) -> None:
    command = command_line()
    context = get_context("spawn")
    messages = context.Queue()
    running: dict[Future[bool], Step] = {}
    pool = ProcessPoolExecutor(workers, context, start_worker, (messages, runtime.threads))
    try:
        while True:
            for step in progress.ready()[: workers - len(running)]:
                del progress.waiting[step.fingerprint]
                with _workers_deaf_to_interrupts():
                    running[pool.submit(work, step, store.root, runtime, command)] = step
                watcher.step_begins(step)
            if not running:
                return
            finished, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            _pass_on(messages, {step.fingerprint: step for step in running.values()}, watcher)
            for future in finished:
                _settle(future, running[future], progress, watcher)
                del running[future]
    except BrokenProcessPool:
        doing = ", ".join(repr(step.label) for step in running.values()) or "no step"
        raise StoreError(
            f"A worker process died while {doing} ran; often the machine ran out of memory. Finished work is kept: run "
            "the same command again, perhaps with --set workers=1."
        ) from None
    except BaseException:
        for process in list((pool._processes or {}).values()):
            process.terminate()  # safe: a killed step continues from what it left
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        messages.cancel_join_thread()


@contextmanager
def _workers_deaf_to_interrupts() -> Iterator[None]:
    """Let processes that start inside never hear of Ctrl-C, not even while they import; this one hears of it after."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _pass_on(messages: Queue[Message], steps: dict[str, Step], watcher: Watcher) -> None:
    while True:
        try:
            message = messages.get_nowait()
        except queues.Empty:
            return
        if message.fingerprint in steps:
            watcher.step_moves(steps[message.fingerprint], message.done, message.total, message.note)


def _settle(future: Future[bool], step: Step, progress: _Progress, watcher: Watcher) -> None:
    try:
        future.result()
    except UserError as error:
        progress.fail(step, error, watcher)
    else:
        progress.done.add(step.fingerprint)
        watcher.step_ends(step)
