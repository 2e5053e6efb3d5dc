"""How work with a model is fitted to the machine: its CPU threads, and what is said when its memory runs out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch

from w2sg.errors import ModelError


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with `count` CPU threads, and with as many as before afterwards.

    How many threads share a sum decides how it is rounded, so work that has to repeat to the bit sets their number.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def out_of_memory(error: BaseException) -> bool:
    """Return whether `error` says that a GPU's memory, or the computer's own, does not suffice."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "DefaultCPUAllocator" in str(error)


@contextlib.contextmanager
def enough_memory(what: str) -> Iterator[None]:
    """Say what to change when memory runs out while doing `what` (a gerund).

    Raises:
        ModelError: the memory does not suffice.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, ModelError) or not out_of_memory(error):
            raise
        first = (str(error).splitlines() or [type(error).__name__])[0][:300]
        raise ModelError(
            f"The memory ran out while {what} ({first.rstrip('.')}). Set runtime.micro_batch (training) or "
            "runtime.slots (sampling) to a small number, train adapters (student_fit.lora) or with "
            "student_fit.activation_checkpointing, end what else uses this memory, or take a smaller model."
        ) from None
