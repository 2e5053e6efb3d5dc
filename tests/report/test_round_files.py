"""What rounds left is read as it stands in the store, without a model: classifiers' rounds, and rounds that never
were."""

import numpy as np
import pytest

from w2sg.decode.config import SamplingConfig
from w2sg.models.base import ModelConfig
from w2sg.models.fit_config import FitConfig
from w2sg.recipes.gold import GoldTargets
from w2sg.records import Target, ask
from w2sg.report.round_files import RoundReader
from w2sg.runs.store import Store
from w2sg.steps.base import Step
from w2sg.steps.boost_classes import ClassBoostSettings
from w2sg.steps.boost_files import write_arrays, write_round
from w2sg.steps.choose import PREFIXES, ChooseSettings, PrefixScore
from w2sg.steps.ensemble import EnsembleSettings, as_parents
from w2sg.steps.inputs import TARGETS
from w2sg.steps.model import ModelRef
from w2sg.steps.score import ScoreSettings
from w2sg.storage import write_rows

REF = ModelRef(config=ModelConfig(path="somewhere/small"), content={"files": "x"})
VERDICT = {
    "error": 0.25, "prior": 0.5, "alpha": 1.0, "step": 1.0, "normaliser": 1.4, "measured": 4, "mass": 1.0,
    "effective_size": 1.0, "heaviest": 0.25, "kept": True, "ends": "",
}  # fmt: skip
WHY = "the expert made no error that another could learn from"


@pytest.fixture
def left(tmp_path):
    """Three rounds of classifiers on four questions, the third never trained; their store and ensembles of them."""
    store = Store(tmp_path)
    task = Step("task", ScoreSettings(), {}, "questions")
    targets = Step("targets", GoldTargets(role="supervise", reasoning=False), {"task": task}, "gold")
    folder = store.folder(targets)
    folder.mkdir(parents=True)
    write_rows(folder / TARGETS, [Target(f"q{n}", ask(f"Which one? {n}"), f"({n})") for n in range(4)])
    rounds = []
    for number in (1, 2, 3):
        settings = ClassBoostSettings(
            model=REF, fit=FitConfig(), seed=0, number=number, drawing=0, boosting={"measured": "in-sample"}
        )
        parents = {"task": task, "targets": targets, **({"previous": rounds[-1]} if rounds else {})}
        rounds.append(Step("boost-classes", settings, parents, f"round {number}"))
        store.folder(rounds[-1]).mkdir(parents=True)
    first, second, third = map(store.folder, rounds)
    arrays = {"weights": np.ones(4), "wrong": np.array([1, 1, 0, 0], bool), "drawn": np.array([0.0, 2, 0, 2])}
    write_arrays(first, arrays)
    write_round(first, {"number": 1, **VERDICT})
    arrays = {"weights": np.array([1.0, 2, 0.5, 0.5]), "wrong": np.array([1, 0, 0, 0], bool), "drawn": np.zeros(4)}
    write_arrays(second, arrays)
    write_round(second, {"number": 2, **VERDICT, "alpha": 0.5, "ends": WHY})
    write_round(third, {"number": 3, "kept": False, "ends": WHY, "alpha": 0.0})
    chains = (rounds, rounds[:2])
    settings = EnsembleSettings(model=REF, mixture="probability", weights="alpha")
    return store, [Step("ensemble", settings, as_parents(chain), "ensemble") for chain in chains]


def test_rounds_of_classifiers_by_hand(left):
    store, (whole, _) = left
    (made,) = RoundReader(store).behind(whole.ancestors(), 7)
    assert (made.unit, made.n, made.final_tokens, made.model, made.measured) == (
        "questions", 4, None, "small", "in-sample",
    )  # fmt: skip
    assert [(one.seed, one.number, one.alpha, one.final_answer) for one in made.rounds] == [
        (7, 1, 1.0, None),
        (7, 2, 0.5, None),
    ]
    assert (made.asked, made.why) == (3, WHY)
    (pair,) = made.pairs
    assert pair.correlation == pytest.approx((4 * 1 - 2 * 1) / (2 * 2 * 1 * 3) ** 0.5)
    assert pair.unlearnt == pytest.approx(1.0)  # of the first and the third question, both err on the first alone
    assert [(one.id, one.token, one.weight, one.wrong) for one in made.heaviest] == [
        ("q1", "(1)", 2.0, (1,)),
        ("q0", "(0)", 1.0, (1, 2)),
        ("q2", "(2)", 0.5, ()),
        ("q3", "(3)", 0.5, ()),
    ]


def test_of_two_ensembles_behind_one_another_the_longer_is_told(left):
    store, (whole, fewer) = left
    reader = RoundReader(store)
    both = reader.behind([*whole.ancestors(), *fewer.ancestors()], 7)
    assert [len(made.names) for made in both] == [3]
    assert [len(made.names) for made in reader.behind(fewer.ancestors(), 7)] == [2]
    assert both[0].names[:2] == reader.behind(fewer.ancestors(), 7)[0].names
    assert reader.behind([step for step in whole.ancestors() if step.kind == "targets"], 7) == ()


def test_behind_a_choice_of_their_number_stand_all_rounds(left):
    """The rounds are told as without the choice, and what every first few made of `validate` with them."""
    store, (whole, _) = left
    parents = {"task": whole.parents["expert-001"].parents["task"], "model": whole}
    choose = Step("choose", ChooseSettings(model=REF, sampling=SamplingConfig(max_new_tokens=8)), parents, "how many")
    scores = [PrefixScore(1, 4, 1, 1, 0.25), PrefixScore(2, 4, 3, 0, 0.75), PrefixScore(3, 4, 3, 0, 0.75)]
    store.folder(choose).mkdir(parents=True)
    write_rows(store.folder(choose) / PREFIXES, scores)
    reader = RoundReader(store)
    (made,) = reader.behind(choose.ancestors(), 7)
    (plain,) = reader.behind(whole.ancestors(), 7)
    assert made.choice is not None
    assert (made.choice.kept, made.choice.prefixes, made.choice.name) == (2, tuple(scores), choose.fingerprint)
    assert plain.choice is None
    assert (made.names, made.rounds, made.heaviest) == (plain.names, plain.rounds, plain.heaviest)
