"""Greedy and majority labels, by hand."""

from __future__ import annotations

import pytest

from w2sg.elicit.clusters import cluster_by_answer
from w2sg.elicit.greedy import Greedy
from w2sg.elicit.vote import Vote
from w2sg.errors import DataError
from w2sg.records import Example, Response, WeakLabel
from w2sg.tasks import build, task_config

TASK = build(task_config({"kind": "file", "labelled": "unread.jsonl", "grader": "numeric"}))
QUESTION = Example("q", "How many?")


def responses(*texts: str) -> list[Response]:
    return [Response("q", number, text, 5, True) for number, text in enumerate(texts)]


def test_the_vote_counts_equal_numbers_together_and_takes_the_first_text_of_the_largest_group() -> None:
    texts = ("Answer: 7", "so\nAnswer: 1,000", "Answer: 1000.0", "no idea", "Answer: 7 apples", "Answer: $1000")
    label = Vote(samples=6).label(TASK, QUESTION, responses(*texts))
    assert label.text == "so\nAnswer: 1,000"
    assert label.answer == "1000"
    assert label.histogram == (("1000", 3), ("7", 2))
    assert label.unparsed == 1
    assert label.confidence == pytest.approx(3 / 6)


def test_a_tie_goes_to_the_answer_seen_first() -> None:
    assert Vote(samples=2).label(TASK, QUESTION, responses("Answer: 2", "Answer: 1")).answer == "2"


def test_without_a_parseable_answer_there_is_no_label_and_no_confidence() -> None:
    label = Vote(samples=2).label(TASK, QUESTION, responses("hm", "well"))
    assert label == WeakLabel("q", "hm", None, (), 2, 0.0)


def test_a_vote_of_one_is_that_one() -> None:
    label = Vote(samples=1).label(TASK, QUESTION, responses("Answer: 3"))
    assert (label.answer, label.confidence) == ("3", 1.0)


def test_greedy_takes_the_response_as_it_is() -> None:
    assert Greedy().label(TASK, QUESTION, responses("Answer: 3")).histogram == (("3", 1),)
    assert Greedy().label(TASK, QUESTION, responses("hm")) == WeakLabel("q", "hm", None, (), 1)
    with pytest.raises(DataError, match="needs one response, and 'q' has 2"):
        Greedy().label(TASK, QUESTION, responses("a", "b"))


def test_clusters_hold_every_parsed_answer_once() -> None:
    clusters = cluster_by_answer(TASK, ["5", None, "6", "5"])
    assert [(cluster.answer, cluster.members) for cluster in clusters] == [("5", (0, 3)), ("6", (2,))]
    assert cluster_by_answer(TASK, [None]) == []


def test_sampling_settings_follow_the_elicitor() -> None:
    assert Greedy().sampling(9).temperature == 0
    vote = Vote(samples=4, temperature=0.5).sampling(9)
    assert (vote.samples, vote.temperature, vote.top_p, vote.max_new_tokens) == (4, 0.5, 0.95, 9)
