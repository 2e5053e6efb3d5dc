"""Items that are worked on side by side, in slots."""

from __future__ import annotations

from w2sg.decode.generic import in_slots


def test_the_longest_go_first_and_results_come_in_the_order_of_items() -> None:
    seen: list[list[str]] = []

    def work(some: list[str]) -> list[str]:
        seen.append(some)
        return [word.upper() for word in some]

    assert in_slots(["a", "bbb", "cc", "ddd"], len, 2, work) == ["A", "BBB", "CC", "DDD"]
    assert seen == [["bbb", "ddd"], ["cc", "a"]]
    assert in_slots([], len, 2, work) == []
