"""Which arm answers which question about another: a method's null control, its variants, its matched rival.

What all methods meet (teacher, untuned student, ...) is `collect`'s; these comparisons come on top, where a run holds
both arms.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

_VARIANTS = ("-shuffled", "-shuffled-statement", "-no-uncertainty")
_VOTES = ("imitation-vote", "imitation-on-alice")
_RIVALS = {
    "alice": ("alice-on-greedy", "alice-no-attempt", "alice-swapped", "alice-blind"),
    "alice-adaptive": ("alice",),
    "alice-selected": ("alice",),
    "alice-multi-turn": ("alice",),
    "alice-matched": ("imitation-matched",),
    "cascade-alice": ("alice", "alice-matched", "cascade-imitation"),
    "cascade-imitation": ("imitation-matched",),
}


def null_control(method: str) -> str:
    """Return the name of the arm that does as `method` does, but is shown another question's work."""
    return f"{method}-shuffled"


def counterparts(method: str, arms: Collection[str]) -> Iterator[str]:
    """Yield the arms among `arms` that `method` is also compared with, each once."""
    rivals = [f"{method}{variant}" for variant in _VARIANTS]
    rivals += _RIVALS.get(method, ())
    if method in ("alice", "cascade-alice"):
        rivals += _VOTES
    yield from (name for name in dict.fromkeys(rivals) if name in arms)
