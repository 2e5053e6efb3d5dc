"""Which arms are compared with which."""

import json

from w2sg.report.counterparts import counterparts, foremost, is_null, made_of, null_control, own_supervisors
from w2sg.schedules.methods import method


def test_a_method_meets_its_variants_and_rivals_where_the_run_holds_them():
    arms = ["imitation", "imitation-vote", "alice", "alice-shuffled", "alice-no-uncertainty", "cascade-alice"]
    assert list(counterparts("alice", arms)) == ["alice-shuffled", "alice-no-uncertainty", "imitation-vote"]
    assert list(counterparts("cascade-alice", arms)) == ["alice", "imitation-vote"]
    assert list(counterparts("imitation", arms)) == []


def test_a_method_of_ones_own_has_its_null_control_by_name():
    assert list(counterparts("mine", ["mine", "mine-shuffled"])) == [null_control("mine")] == ["mine-shuffled"]


def made(**changes):
    """What arms are made of; underscores stand for hyphens."""
    given = {name.replace("_", "-"): change for name, change in changes.items()}
    return {name: method(name, change).model_dump(mode="json") for name, change in given.items()}


def test_an_arm_that_is_only_called_so_is_no_null_control():
    called = {"mine": {"like": "alice"}, "mine_shuffled": {"like": "alice-shuffled-order"}}
    arms = made(**called)
    assert not is_null("mine-shuffled", arms, arms)
    assert null_control("mine", arms, arms) not in arms
    assert "mine-shuffled" in counterparts("mine", arms, arms)  # compared as any other arm
    arms = made(**called, mute={"like": "alice-shuffled"})
    assert null_control("mine", arms, arms) == "mute"
    arms = made(mine={"like": "alice"}, mine_shuffled={"like": "alice-shuffled"}, mute={"like": "alice-shuffled"})
    assert null_control("mine", arms, arms) == "mine-shuffled"


def pairs(**changes):
    """All pairs of a run, its arms being named methods or changed ones; underscores stand for hyphens."""
    methods = made(**changes)
    known = made_of({"methods": methods})
    return [(name, other) for name in methods for other in counterparts(name, methods, known)]


FROM_MINI = {"supervisor": {"kind": "teacher", "model": "zoo/mini"}}


def test_methods_with_the_same_teacher_meet_whatever_they_are_called():
    found = pairs(
        imitation=None, alice=None, imitation_from_mini={"like": "imitation", **FROM_MINI},
        alice_from_mini={"like": "alice", **FROM_MINI}, mute={"like": "alice-shuffled", **FROM_MINI},
        short={"like": "alice-no-uncertainty", **FROM_MINI},
    )  # fmt: skip
    assert found == [
        ("alice", "imitation"),
        ("alice-from-mini", "mute"),  # its null control
        ("alice-from-mini", "imitation-from-mini"),
        ("alice-from-mini", "short"),  # one setting differs
    ]


def test_experts_in_the_teachers_place_meet_the_teacher_there_and_imitation_of_them():
    boosted = {"supervisor": "boosted"}
    found = pairs(
        imitation=None, ensemw2s=None, alice=None, from_mini={"like": "alice", **FROM_MINI},
        both={"like": "alice", **boosted}, cascade_alice=None, cascade={"like": "cascade-alice", **boosted},
    )  # fmt: skip
    assert found == [
        ("ensemw2s", "imitation"),
        ("alice", "imitation"),
        ("both", "ensemw2s"),
        ("both", "alice"),
        ("cascade-alice", "alice"),
        ("cascade", "cascade-alice"),
    ]


def test_students_of_an_ensemble_meet_equal_labels_of_the_teacher_and_the_ensemble_itself():
    """Labels as soft on both sides, and the ensemble as the other end of the gap."""
    found = pairs(imitation_soft=None, ensemw2s_soft=None, ensemw2s_experts=None, ensemw2s_uniform=None)
    assert found == [("ensemw2s-soft", "imitation-soft"), ("ensemw2s-soft", "ensemw2s-experts")]
    found = pairs(imitation=None, imitation_sure=None, ensemw2s=None, ensemw2s_sure=None, ensemw2s_likeliest=None)
    assert found == [
        ("imitation", "imitation-sure"),
        ("ensemw2s", "imitation"),
        ("ensemw2s", "ensemw2s-sure"),
        ("ensemw2s-sure", "imitation-sure"),
    ]  # one that chooses is not what one that writes is with the teacher
    arms = made(teacher={"schedule": "as-is"}, imitation=None, ensemw2s=None, ensemw2s_experts=None)
    assert list(own_supervisors("ensemw2s", arms, arms)) == ["ensemw2s-experts"]
    assert not [*own_supervisors("imitation", arms, arms), *own_supervisors("ensemw2s-experts", arms, arms)]


def test_settings_of_an_earlier_version_mean_what_they_meant():
    now = made_of({"methods": made(ensemw2s=None, uniform_ensemble=None)})
    earlier = json.loads(json.dumps(now))
    for one in earlier.values():
        del one["supervisor"]["answers"], one["elicit"]["confidence"], one["recipe"]["keep"]
    assert made_of({"methods": earlier}) == now
    strange = {"methods": {"mine": {"supervisor": {"kind": "mine"}}}}
    assert made_of(strange) == strange["methods"]


def test_a_preset_meets_imitation_of_the_same_and_of_the_other():
    found = pairs(
        imitation=None, imitation_as_published={"like": "imitation", "preset": "paper"},
        alice_as_published={"like": "alice", "preset": "paper"},
    )  # fmt: skip
    assert found == [("alice-as-published", "imitation"), ("alice-as-published", "imitation-as-published")]


def test_a_variant_leaves_imitators_to_what_it_is_a_variant_of():
    found = pairs(imitation_vote=None, alice=None, alice_adaptive=None, alice_blind=None)
    assert found == [("alice", "alice-blind"), ("alice", "imitation-vote"), ("alice-adaptive", "alice")]


def test_rungs_and_questions_are_part_of_who_teaches_whom():
    found = pairs(imitation=None, imitation_matched=None, alice_matched=None, cascade_imitation=None, long={
        "like": "cascade-alice", "schedule": {"through": ["zoo/micro"]}}, short={"like": "cascade-alice"})  # fmt: skip
    assert found == [
        ("alice-matched", "imitation-matched"),
        ("cascade-imitation", "imitation-matched"),
        ("short", "cascade-imitation"),
    ]


def test_without_settings_a_null_control_is_known_by_its_name():
    assert is_null("random-labels", ["random-labels"])
    assert is_null("mine-shuffled", ["mine", "mine-shuffled"])
    assert not is_null("mine-shuffled", ["mine-shuffled"])
    assert not is_null("alice", ["alice"])
    assert made_of({"methods": ["alice"]}) == made_of({}) == {}


def test_the_verdict_names_what_a_cascade_or_an_ensembles_pupil_was_run_for():
    boosted = {"supervisor": "boosted"}
    arms = made(imitation=None, ensemw2s=None, alice=None, both={"like": "alice", **boosted}, cascade_alice=None,
                alice_matched=None, imitation_matched=None, cascade_imitation=None)  # fmt: skip
    named = {name: list(foremost(name, arms, arms)) for name in arms}
    assert {name: others for name, others in named.items() if others} == {
        "both": ["alice", "ensemw2s"],
        "cascade-alice": ["alice-matched"],
        "cascade-imitation": ["imitation-matched"],
    }
    assert all({*others} <= {*counterparts(name, arms, arms)} for name, others in named.items())
