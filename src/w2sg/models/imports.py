"""Quicker imports of torch and transformers, which are most of the start of a training or sampling step."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def quick() -> Iterator[None]:
    """Import within this block without the garbage collector, which otherwise walks thousands of new classes again
    and again: a fifth of the time of importing the Trainer and a model.

    What the first such import of torch brought is also spared from later collections; no model exists by then that
    this could keep alive.
    """
    enabled, first = gc.isenabled(), "torch" not in sys.modules
    gc.disable()
    try:
        yield
    finally:
        if first:
            gc.freeze()
        if enabled:
            gc.enable()
