"""Which methods test what boosting adds: settings decide, not names."""

from w2sg.report.boosting_controls import boosting_controls, cost_rivals, one_expert
from w2sg.schedules.methods import method


def methods(**made):
    """What methods are made of, as an experiment's settings have it."""
    known = {name.replace("_", "-"): changes for name, changes in made.items()}
    return {name: method(name, changes).model_dump(mode="json") for name, changes in known.items()}


def lacking(name, made):
    return boosting_controls(name, list(made), made)


def test_students_meet_students_and_experts_experts():
    known = methods(
        imitation=None,
        ensemw2s=None,
        ensemw2s_experts={"schedule": {"prefixes": True}},
        ensemw2s_uniform=None,
        uniform_ensemble=None,
        mine={"like": "uniform-ensemble", "schedule": "as-is"},
        bagging=None,
        single_expert=None,
    )
    assert lacking("ensemw2s", known) == {"ensemw2s-uniform": "weights", "uniform-ensemble": "boosting"}
    assert lacking("ensemw2s-experts", known) == {"mine": "boosting"}
    assert lacking("ensemw2s-uniform", known) == {"uniform-ensemble": "boosting"}
    for other in ("imitation", "uniform-ensemble", "mine", "bagging", "single-expert"):
        assert lacking(other, known) == {}


def test_every_control_at_equal_cost_is_met():
    """Judged itself or by its student; of several boosted rows the first meets the others."""
    names = ("uniform-ensemble", "bagging", "token-bagging", "weight-averaged", "single-expert", "single-expert-long")
    known = methods(imitation=None, ensemw2s=None, **{name.replace("-", "_"): None for name in names})
    known |= methods(ensemw2s_texts=None, ensemw2s_likeliest=None, ensemw2s_experts=None)
    known |= methods(**{f"{name}-itself": {"like": name, "schedule": "as-is"} for name in names})
    arms = list(known)
    assert list(cost_rivals("ensemw2s", arms, known)) == [*names, "ensemw2s-texts", "ensemw2s-likeliest"]
    assert list(cost_rivals("ensemw2s-texts", arms, known)) == list(names)
    assert list(cost_rivals("ensemw2s-experts", arms, known)) == [f"{name}-itself" for name in names]
    assert not [one for name in ("imitation", *names) for one in cost_rivals(name, arms, known)]


def test_the_first_expert_alone_is_what_a_verdict_names():
    known = methods(
        imitation=None, single_expert=None, ensemw2s=None, ensemw2s_experts={"schedule": {"prefixes": True}}
    )
    known |= methods(alone={"like": "single-expert", "schedule": "as-is"}, ensemw2s_texts=None)
    arms = list(known)
    assert list(one_expert("ensemw2s", arms, known)) == ["single-expert"]
    assert list(one_expert("ensemw2s-experts", arms, known)) == ["alone"]
    assert not [
        one for name in ("single-expert", "imitation", "ensemw2s-texts") for one in one_expert(name, arms, known)
    ]


def test_what_differs_in_more_is_no_test():
    known = methods(
        ensemw2s=None,
        three={"like": "ensemw2s", "supervisor": {"experts": 3}},
        product={"like": "ensemw2s", "supervisor": {"mixture": "log-linear"}},
        long={"like": "ensemw2s", "supervisor": {"fit": {"epochs": 9}}},
        warm={"like": "ensemw2s", "supervisor": {"warm": True}},
        other_base={"like": "ensemw2s", "supervisor": {"model": "zoo/micro"}},
        vote={"like": "ensemw2s", "elicit": "vote"},
        uniform_ensemble=None,
        four={"like": "uniform-ensemble", "supervisor": {"experts": 4}},
        uniform_long={"like": "uniform-ensemble", "supervisor": {"fit": {"epochs": 9}}},
    )
    found = {name: lacking(name, known) for name in known}
    assert {name: one for name, one in found.items() if one} == {
        "ensemw2s": {"uniform-ensemble": "boosting"},
        "long": {"uniform-long": "boosting"},
    }


def test_classifiers_are_tested_by_their_weights_alone():
    known = methods(ensemw2s_classes=None, ensemw2s_classes_uniform=None, uniform_ensemble=None)
    assert lacking("ensemw2s-classes", known) == {"ensemw2s-classes-uniform": "weights"}
    assert lacking("ensemw2s-classes-uniform", known) == {}


def test_the_same_draws_from_equal_weights_lack_the_reweighting():
    """The experts of `uniform-ensemble` learn all of the gold, boosted ones a draw: what else differs than weights."""
    apart = {"supervisor": {"weights": "uniform", "boosting": {"reweight": False}}}
    otherwise = {"supervisor": {"weights": "uniform", "boosting": {"reweight": False, "draw": "count"}}}
    known = methods(
        ensemw2s=None,
        retried={"like": "ensemw2s", "supervisor": {"retries": 2}},
        apart={"like": "ensemw2s", **apart},
        counted={"like": "ensemw2s", **otherwise},
        ensemw2s_classes=None,
        classes_apart={"like": "ensemw2s-classes", **apart},
    )
    assert lacking("ensemw2s", known) == lacking("retried", known) == {"apart": "reweighting"}
    assert lacking("ensemw2s-classes", known) == {"classes-apart": "reweighting"}
    assert lacking("apart", known) == {}
