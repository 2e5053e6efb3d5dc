"""Methods are compositions: the named ones, changed ones, wrong ones."""

from __future__ import annotations

from typing import Any

import pytest

from w2sg.elicit.vote import Vote
from w2sg.errors import ConfigError
from w2sg.schedules.methods import CONTROLS, METHODS, method


@pytest.mark.parametrize("name", [*METHODS, *CONTROLS])
def test_every_named_method_is_whole(name: str) -> None:
    whole = method(name)
    assert whole == type(whole).parse(whole.model_dump(mode="json"), "it")


def test_a_named_method_can_be_changed_in_one_part() -> None:
    changed = method("imitation-vote", {"elicit": {"kind": "vote", "samples": 4}})
    assert isinstance(changed.elicit, Vote)
    assert changed.elicit.samples == 4
    assert changed.recipe == method("imitation-vote").recipe


def test_a_new_name_says_what_it_is_made_of() -> None:
    assert method("of-my-own", {"supervisor": "student"}).supervisor.identity() == {"kind": "student"}


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("imitaton", None, r"no method called 'imitaton' \(perhaps you meant 'imitation'\)"),
        ("mine", {}, "say what it is made of"),
        ("mine", {"elicit": "vot"}, r"elicit: there is no 'vot' here \(perhaps you meant 'vote'\)"),
        ("mine", {"elicit": {"kind": "vote", "sample": 3}}, r"unknown key \(perhaps you meant 'samples'\)"),
        ("mine", {"elicit": {"kind": "vote", "samples": 0}}, "greater than or equal to 1"),
        ("mine", {"elicit": {"samples": 3}}, "name a kind"),
        ("mine", {"recipes": "imitation"}, r"recipes: unknown key \(perhaps you meant 'recipe'\)"),
        ("mine", ["vote"], "must be a mapping of its parts"),
        ("mine", {"like": "alise"}, r"no method called 'alise' \(perhaps you meant 'alice'\)"),
        ("mine", {"like": ["alice"]}, "no method called"),
        ("alice", {"preset": "papre"}, "has the preset 'papre'; known are default, paper"),
        ("alice", {"elicit": {"sample": 3}}, r"unknown key \(perhaps you meant 'samples'\)"),
    ],
)
def test_what_does_not_fit_is_named(name: str, changes: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        method(name, changes)


def test_a_part_without_its_kind_changes_the_named_methods_part() -> None:
    changed = method("alice-shuffled", {"elicit": {"samples": 5}, "recipe": {"rewrites": 2}})
    assert changed.elicit.identity() | {"samples": 32} == method("alice").elicit.identity()
    assert (changed.recipe.identity()["shuffle"], changed.recipe.identity()["rewrites"]) == ("all", 2)


def test_a_method_of_ones_own_can_start_from_a_named_one() -> None:
    assert method("mine", {"like": "alice"}) == method("alice")
    assert method("mine", {"like": "alice", "preset": "paper"}) == method("alice", preset="paper") != method("alice")


@pytest.mark.parametrize("name", METHODS)
def test_the_published_settings_keep_what_makes_a_method(name: str) -> None:
    published = method(name, preset="paper")
    assert published == type(published).parse(published.model_dump(mode="json"), "it")
    assert published.schedule == method(name).schedule
    for part, kind in METHODS[name].items():
        for key, value in ({} if isinstance(kind, str) else kind).items():
            found = getattr(getattr(published, part), key)
            if isinstance(value, dict):
                assert value.items() <= found.model_dump().items()
            else:
                assert value == getattr(found, "kind", found)


def test_one_answer_is_no_agreement_that_could_be_copied() -> None:
    """With a single sample per question every question would be copied, and the row be one of imitation."""
    published = method("alice-on-greedy", preset="paper")
    assert published.elicit.identity()["samples"] == 1
    assert published.recipe.identity()["bypass"] is False


def test_controls_are_the_same_under_every_preset() -> None:
    assert all(method(name, preset="paper") == method(name) for name in CONTROLS)


def test_a_change_of_boosting_leaves_the_rest_as_published() -> None:
    texts, tokens = (method(name, preset="paper").supervisor.identity() for name in ("ensemw2s-texts", "ensemw2s"))
    assert texts["boosting"] == tokens["boosting"] | {"unit": "texts", "window": 0}
    assert tokens["boosting"]["prior"] == "pretrained"
    changed = {"like": "ensemw2s-texts", "preset": "paper", "supervisor": {"boosting": {"draw": "count"}}}
    assert method("mine", changed).supervisor.identity()["boosting"] == texts["boosting"] | {"draw": "count"}


def test_like_takes_a_row_of_the_file_in_any_order() -> None:
    rows = {"mute": {"like": "mine", "recipe": {"shuffle": "all"}}, "mine": {"like": "alice", "elicit": {"samples": 8}}}
    found = method("mute", rows["mute"], others=rows)
    assert found == method("mute", {"like": "alice-shuffled", "elicit": {"samples": 8}})
    again = {**rows, "mine": method("mine", rows["mine"])}
    assert method("mute", rows["mute"], others=again) == found
    rows["alice"] = {"elicit": {"samples": 9}}
    assert method("twin", {"like": "alice"}, others=rows) == method("alice")  # the known one is meant


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ({"a": {"like": "b"}, "b": {"like": "a"}}, "in a circle: a like b like a"),
        ({"a": {"like": "a-shuffled"}}, "in a circle: a like a"),
        ({"a": {"like": "a"}}, "no method called 'a'"),
        ({"a": {"like": "b"}, "b": ["vote"]}, "The method 'b' must be a mapping"),
        ({"a": {"like": "b"}, "b": {"recipe": 5}}, "The method 'a' does not fit"),
        ({"a": {"like": "b-shuffled"}, "b": {"recipe": 5}}, "no method called 'b-shuffled'"),
    ],
)
def test_rows_that_cannot_be_made_like_each_other(rows: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        method("a", rows["a"], others=rows)


def test_null_controls_and_variants_are_known_by_their_names() -> None:
    shuffled = {"like": "cascade-alice", "recipe": {"shuffle": "all"}}
    assert method("cascade-alice-shuffled") == method("mute", shuffled)
    assert method("cascade-alice-shuffled", preset="paper") == method("mute", {**shuffled, "preset": "paper"})
    assert method("mine", {"like": "cascade-alice-shuffled"}) == method("mute", shuffled)
    assert method("alice-matched-no-uncertainty").recipe == method("alice-no-uncertainty").recipe
    assert method("alice-matched-shuffled-statement").recipe == method("alice-shuffled-statement").recipe
    rows = {"mine": {"like": "alice", "elicit": {"samples": 8}}, "cascade-alice": {"elicit": {"samples": 8}}}
    assert method("mine-shuffled", others=rows) == method("mute", {"like": "alice-shuffled", "elicit": {"samples": 8}})
    assert method("cascade-alice-shuffled", others=rows).elicit.identity()["samples"] == 8  # the file's row is meant
    assert method("mine-shuffled", {"elicit": "vote"}, others=rows) == method("mine-shuffled", {"elicit": "vote"})


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("imitation-shuffled", "The ending '-shuffled' is known after a method whose recipe has that setting"),
        ("cascade-alise-shuffled", "no method called 'cascade-alise-shuffled'"),
        ("alicia", r"say what it is made of: alicia: \{like: alice, elicit: \{samples: 8\}\}"),
        ("imitaton", r"say what it is made of: imitaton: \{like: imitation, elicit: vote\}"),
    ],
)
def test_an_unknown_name_is_told_how_to_start_from_a_known_one(name: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        method(name)
