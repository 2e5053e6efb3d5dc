"""Leader clustering by text: the published procedure, which embeds again for every leader, gives the same clusters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from w2sg.elicit.clusters import Cluster
from w2sg.elicit.clusters_embedding import Embeddings, joined, leader_groups, medoid, similarities
from w2sg.elicit.embedding import Encoder, SentenceModel, Tfidf
from w2sg.records import Example
from w2sg.tasks import build, task_config

TASK = build(task_config({"kind": "file", "labelled": "unread.jsonl", "grader": "numeric"}))
QUESTION = Example("q", "Which river?")

RIVER = "It is the long river that runs north through the desert."
RIVERS = "It is the long river that runs north through the deserts."
LAKE = "A lake, deep and cold, high in the mountains of the south."


def by_text(texts: Sequence[str], **settings: object) -> list[Cluster]:
    clustering = Embeddings.parse({"threshold": 0.8, **settings}, "the test")
    return clustering.clusters(TASK, QUESTION, texts, [None] * len(texts))


def published(texts: Sequence[str], encode: Encoder, threshold: float) -> list[tuple[int, ...]]:
    """The procedure as published: for every leader, embed all texts that remain, and compare one by one."""
    remaining, groups = list(range(len(texts))), []
    while remaining:
        vectors = encode([texts[place] for place in remaining])
        rows = np.asarray(vectors.todense() if hasattr(vectors, "todense") else vectors)
        lead = rows[0]
        group = [remaining[0]]
        for place, row in zip(remaining[1:], rows[1:], strict=True):
            length = np.linalg.norm(lead) * np.linalg.norm(row)
            if texts[place] == texts[remaining[0]] or (length > 0 and round(float(lead @ row) / length, 9) > threshold):
                group.append(place)
        groups.append(tuple(group))
        remaining = [place for place in remaining if place not in group]
    return groups


def by_letters(texts: Sequence[str]) -> np.ndarray:
    """Whole-number vectors of unit length or zero, so that no rounding decides: the share of each of four letters."""
    axes = np.zeros((len(texts), 4))
    for row, text in enumerate(texts):
        if text:
            axes[row, "abcd".index(text[0]) if text[0] in "abcd" else 3] = 1
    return axes


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("abc ", max_size=9), min_size=1, max_size=14), st.sampled_from([0.2, 0.5, 0.9]))
def test_embedding_once_gives_the_groups_of_the_published_procedure(texts: list[str], threshold: float) -> None:
    for encode in (Tfidf(shortest=1, longest=2).encoder(texts, ""), by_letters):
        assert leader_groups(similarities(texts, encode), threshold) == published(texts, encode, threshold)


def test_responses_of_whole_sentences_cluster_as_in_the_published_procedure() -> None:
    rivers = [f"{start} {RIVER} {end}" for start in ("Well,", "I think:", "So.") for end in ("", "Yes.", "Surely so!")]
    texts = [text for pair in zip(rivers, [f"{LAKE} ({n})" for n in range(9)], strict=True) for text in pair]
    encode = Tfidf().encoder(texts, "")
    groups = leader_groups(similarities(texts, encode), 0.4)
    assert groups == published(texts, encode, 0.4)
    assert 1 < len(groups) < len(texts)


def test_the_encoder_is_asked_once_for_each_different_text() -> None:
    asked = []

    def encode(texts: Sequence[str]) -> np.ndarray:
        asked.append(list(texts))
        return np.eye(4)[[ord(text[0]) % 4 for text in texts]]

    similarities(["a", "b", "a", "c", "b"], encode)
    assert asked == [["a", "b", "c"]]


def test_groups_by_hand() -> None:
    """0 takes 2 (0.95) and not 1 (0.9 is not above 0.9); 1 then takes 3, though 3 is as near to 2, which is gone."""
    alike = np.array([[1, 0.9, 0.95, 0.2], [0.9, 1, 0.1, 0.93], [0.95, 0.1, 1, 0.93], [0.2, 0.93, 0.93, 1]])
    assert leader_groups(alike, 0.9) == [(0, 2), (1, 3)]
    assert leader_groups(alike, 0.94) == [(0, 2), (1,), (3,)]
    assert leader_groups(alike, -1) == [(0, 1, 2, 3)]


def test_the_medoid_by_hand() -> None:
    """Sums with the others: 0.5 + 0.1, 0.5 + 0.6, 0.1 + 0.6."""
    alike = np.array([[1, 0.5, 0.1], [0.5, 1, 0.6], [0.1, 0.6, 1]])
    assert medoid(alike, (0, 1, 2)) == 1
    assert medoid(alike, (0, 2)) == 0  # equals: the first
    assert medoid(alike, (2,)) == 2


def test_clusters_are_the_largest_first_with_positions_among_all_responses() -> None:
    found = by_text(["", LAKE, RIVER, " \n", RIVERS, RIVER], leader="first")
    assert [(cluster.members, cluster.leader) for cluster in found] == [((2, 4, 5), 2), ((1,), 1)]
    assert found[0].answer == RIVER


def test_singletons_are_kept_or_dropped() -> None:
    texts = [LAKE, RIVER, RIVERS]
    assert [cluster.members for cluster in by_text(texts)] == [(1, 2), (0,)]
    assert [cluster.members for cluster in by_text(texts, singletons="drop")] == [(1, 2)]
    assert by_text([LAKE, RIVER], singletons="drop") == []


def test_one_response() -> None:
    assert by_text(["so\nit is"]) == [Cluster("so it is", (0,), 0)]


def test_all_the_same() -> None:
    for leader in ("first", "medoid"):
        assert by_text([RIVER] * 5, leader=leader) == [Cluster(RIVER, (0, 1, 2, 3, 4), 0)]


def test_all_different() -> None:
    texts = ["alpha", "be", "c", "delta 4"]
    assert [cluster.members for cluster in by_text(texts)] == [(0,), (1,), (2,), (3,)]


def test_nothing_said_belongs_to_no_cluster() -> None:
    assert by_text([]) == []
    assert by_text(["", " ", "\n"]) == []


def test_signs_without_letters_are_texts_too() -> None:
    assert [cluster.members for cluster in by_text(["?", "!", "?"])] == [(0, 2), (1,)]


def test_a_leader_is_drawn_the_same_way_each_time_and_not_always_the_first() -> None:
    texts = [f"{RIVER}{'.' * n}" for n in range(6)]
    first = by_text(texts, leader="random", threshold=0.5)
    assert first == by_text(texts, leader="random", threshold=0.5)
    assert len(first) == 1
    clustering = Embeddings(threshold=0.5, leader="random")
    leaders = {clustering.clusters(TASK, Example(f"q{n}", "?"), texts, [None] * 6)[0].leader for n in range(30)}
    assert leaders == set(range(6))


def test_the_answer_is_the_leaders() -> None:
    alike = [f"{RIVER}.", RIVER, f"{RIVER}!"]
    found = Embeddings(threshold=0.5, leader="medoid", answers_first=False).clusters(
        TASK, QUESTION, alike, ["1", "2", None]
    )
    assert [cluster.leader for cluster in found] == [1]
    assert found[0].answer == "2"


@pytest.mark.parametrize("leader", ["first", "medoid", "random"])
def test_a_member_that_can_be_read_stands_for_those_that_cannot(leader: str) -> None:
    """Else the label would have no answer, though its cluster gives one."""
    texts = [RIVER, RIVER, RIVER, f"{RIVER}!", f"{LAKE}"]
    (found, lake) = Embeddings.parse({"threshold": 0.5, "leader": leader, "answers_first": False}, "the test").clusters(
        TASK, QUESTION, texts, [None, None, None, "2", None]
    )
    assert (found.members, found.leader, found.answer) == ((0, 1, 2, 3), 3, "2")
    assert (lake.members, lake.answer) == ((4,), LAKE)  # nothing to read: what it says is its text


def test_clusters_of_one_answer_are_one() -> None:
    """Two ways to 5 and one to 6: sizes 2, 2 and 3 become 4 and 3, and the larger way to 5 (of equals the first)
    leads."""
    other = "?! 1234 ?! 5678"
    texts = [RIVER, LAKE, RIVER, LAKE, other, other, other]
    answers = ["5"] * 4 + ["6"] * 3
    found = Embeddings(threshold=0.8, answers_first=False).clusters(TASK, QUESTION, texts, answers)
    assert found == [Cluster("5", (0, 1, 2, 3), 0), Cluster("6", (4, 5, 6), 4)]


def test_texts_that_cannot_be_read_are_one_to_the_letter_alone() -> None:
    """A text is not an answer, even where the grader would find one in it."""
    clusters = [Cluster("so it is", (0, 1), 0), Cluster("so it is", (2,), 2), Cluster("It is 5", (3,), 3)]
    clusters.append(Cluster("5", (4,), 4))
    found = joined(TASK, clusters, [None, None, None, None, "5"])
    assert [(cluster.answer, cluster.members) for cluster in found] == [
        ("so it is", (0, 1, 2)),
        ("It is 5", (3,)),
        ("5", (4,)),
    ]
    assert joined(TASK, [], []) == []


def test_the_medoid_among_some() -> None:
    """Sums with all three: 1.6, 2.1, 1.7."""
    alike = np.array([[1, 0.5, 0.1], [0.5, 1, 0.6], [0.1, 0.6, 1]])
    assert medoid(alike, (0, 1, 2), (0, 2)) == 2


def test_readable_answers_are_grouped_by_answer_unless_texts_are_asked_for() -> None:
    texts, answers = [f"{RIVER} 7", f"{RIVER} 8", f"{LAKE} 7.0", RIVER], ["7", "8", "7", None]
    settings = {"threshold": 0.8, "leader": "first"}
    by_answer = Embeddings.parse(settings, "the test").clusters(TASK, QUESTION, texts, answers)
    assert [(cluster.answer, cluster.members) for cluster in by_answer] == [("7", (0, 2)), ("8", (1,))]
    dropped = Embeddings.parse({**settings, "singletons": "drop"}, "the test")
    assert [cluster.members for cluster in dropped.clusters(TASK, QUESTION, texts, answers)] == [(0, 2)]
    of_texts, answers = Embeddings.parse({**settings, "answers_first": False}, "the test"), ["7", "8", "9", None]
    assert [cluster.members for cluster in of_texts.clusters(TASK, QUESTION, texts, answers)] == [(0, 1, 3), (2,)]


def test_a_threshold_that_a_leader_itself_would_not_pass_is_refused() -> None:
    with pytest.raises(ValidationError, match="less than 1"):
        Embeddings(threshold=1.0)


def test_what_counts_as_alike_depends_on_the_embedder() -> None:
    """One word of eleven exchanged is the same text said anew; another text on the subject is not."""
    texts = [RIVER, RIVER.replace("desert", "steppe"), "A long river in the north has its springs in a desert."]
    assert [cluster.members for cluster in Embeddings().clusters(TASK, QUESTION, texts, [None] * 3)] == [(0, 1), (2,)]
    strict = Embeddings(threshold=SentenceModel.alike)
    assert len(strict.clusters(TASK, QUESTION, texts, [None] * 3)) == 3
