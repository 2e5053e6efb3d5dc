"""Named random streams derived from one root seed.

A stream depends on its names alone (seed, item id, sample number, ...), never on a position in a batch or on
what was drawn before, so that interrupted and uninterrupted runs draw the same numbers.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def derive(seed: int, *names: str | int) -> int:
    """Return the 63-bit seed of the stream named by `names` under `seed`; the same on every machine."""
    text = "\x1f".join([str(seed), *(f"{type(name).__name__}:{name}" for name in names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """Return a fresh generator for the stream named by `names` under `seed`."""
    import numpy as np

    return np.random.Generator(np.random.Philox(key=derive(seed, *names)))
