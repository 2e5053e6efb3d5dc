"""Quicker imports of torch and transformers, which are most of the start of a training or sampling step."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def quick() -> Iterator[None]:
    """Import within this block without the garbage collector, which otherwise walks thousands of new classes again
    and again: a fifth of the time of importing the Trainer and a model."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
