"""How many threads this process computes with. Light: what asks it need not load the report's parts."""

from __future__ import annotations

import os

SMALL = 50e6
"""Parameters below which one thread is as fast as several: they wait for each other at every layer."""


def use_threads(threads: int) -> None:
    """Let this process compute with as many threads as a worker does. Comes before torch is imported."""
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(threads)
