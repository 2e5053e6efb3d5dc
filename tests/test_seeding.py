"""Random streams depend on their names alone."""

from __future__ import annotations

from w2sg.seeding import derive, stream


def test_a_stream_is_the_same_wherever_it_is_drawn() -> None:
    stream(0, "other").random(5)
    assert stream(7, "item", 3).random() == stream(7, "item", 3).random()


def test_names_do_not_run_into_each_other() -> None:
    seeds = {derive(0, "a", "bc"), derive(0, "ab", "c"), derive(0, "abc"), derive(0, "1"), derive(0, 1), derive(1, 1)}
    assert len(seeds) == 6


def test_a_seed_is_known_by_value() -> None:
    """Results on disk rest on these numbers: a change of the derivation must be deliberate."""
    assert derive(0, "item", 3) == 8473609177890217800
