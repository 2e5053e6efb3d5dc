"""Which arms are compared with which."""

from w2sg.report.counterparts import counterparts, null_control


def test_a_method_meets_its_variants_and_rivals_where_the_run_holds_them():
    arms = ["imitation", "imitation-vote", "alice", "alice-shuffled", "alice-no-uncertainty", "cascade-alice"]
    assert list(counterparts("alice", arms)) == ["alice-shuffled", "alice-no-uncertainty", "imitation-vote"]
    assert list(counterparts("cascade-alice", arms)) == ["alice", "imitation-vote"]
    assert list(counterparts("imitation", arms)) == []


def test_a_method_of_ones_own_has_its_null_control_by_name():
    assert list(counterparts("mine", ["mine", "mine-shuffled"])) == [null_control("mine")] == ["mine-shuffled"]
