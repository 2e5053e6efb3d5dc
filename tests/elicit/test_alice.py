"""Alice's labels and statements, by hand."""

from __future__ import annotations

import pytest

from w2sg.elicit.alice import VARIANTS, Alice
from w2sg.elicit.clusters import Answers
from w2sg.elicit.clusters_embedding import Embeddings
from w2sg.elicit.statements import ByStudent, ByTeacher, Doubt, Silent, Template, shortened
from w2sg.elicit.vote import Vote
from w2sg.records import Example, Response
from w2sg.tasks import build, task_config

TASK = build(task_config({"kind": "file", "labelled": "unread.jsonl", "grader": "numeric"}))
QUESTION = Example("q", "How many?")
TEXTS = ("a\nAnswer: 7", "b\nAnswer: 5", "c\nAnswer: 5.0", "no idea", "d\nAnswer: 5", "e\nAnswer: 8")


def responses(*texts: str) -> list[Response]:
    return [Response("q", number, text, 5, True) for number, text in enumerate(texts)]


def test_a_label_by_hand() -> None:
    label = Alice(samples=6).label(TASK, QUESTION, responses(*TEXTS))
    assert (label.text, label.answer, label.unparsed) == ("b\nAnswer: 5", "5", 1)
    assert label.histogram == (("5", 3), ("7", 1), ("8", 1))
    assert label.confidence == pytest.approx(3 / 6)
    assert label.variants == ("b\nAnswer: 5", "a\nAnswer: 7", "e\nAnswer: 8")
    assert label.statement == (
        "Asked 6 times, I gave 5 (3 times), 7 (once), 8 (once) and no clear answer (once). I am in doubt about 5."
    )


def test_singletons_can_be_dropped_and_then_nothing_may_be_left() -> None:
    dropping = Alice(clustering=Answers(singletons="drop"))
    assert dropping.label(TASK, QUESTION, responses(*TEXTS)).histogram == (("5", 3),)
    label = dropping.label(TASK, QUESTION, responses("Answer: 1", "Answer: 2"))
    assert (label.answer, label.histogram, label.confidence, label.statement) == (None, (), 0.0, "")


def test_dropped_singletons_still_count_among_the_samples() -> None:
    """Two of twenty alike are not `every time`, whatever is dropped."""
    texts = ["Answer: 7", "Answer: 7", *(f"Answer: {number}" for number in range(100, 118))]
    label = Alice(clustering=Answers(singletons="drop")).label(TASK, QUESTION, responses(*texts))
    assert (label.histogram, label.unparsed, label.confidence) == ((("7", 2),), 18, 0.1)
    assert label.statement == (
        "Asked 20 times, I gave 7 (twice) and no clear answer (18 times). I am mostly guessing when I say 7."
    )


def test_nothing_readable_gives_no_answer_and_no_statement() -> None:
    label = Alice().label(TASK, QUESTION, responses("hm", "oh"))
    assert (label.text, label.answer, label.histogram, label.unparsed) == ("hm", None, (), 2)
    assert (label.confidence, label.statement, label.variants) == (0.0, "", ())


def test_texts_that_cannot_be_read_are_counted_once() -> None:
    """They stand in the histogram by what they say, or among the unparsed, never in both."""
    alice = Alice(clustering=Embeddings(singletons="drop"))
    label = alice.label(TASK, QUESTION, responses("the long river", "the long river", "a lake", " "))
    assert (label.answer, label.histogram, label.unparsed) == (None, (("the long river", 2),), 2)
    assert label.confidence == pytest.approx(0.5)
    assert label.statement.startswith("Asked 4 times, ")


def test_a_random_leader_is_a_member_and_the_same_again() -> None:
    drawing = Alice(clustering=Answers(leader="random"))
    texts = [f"{number}\nAnswer: 5" for number in range(20)]
    label = drawing.label(TASK, QUESTION, responses(*texts))
    assert label == drawing.label(TASK, QUESTION, responses(*texts))
    assert label.text in texts
    others = {drawing.label(TASK, Example(f"q{n}", "?"), responses(*texts)).text for n in range(10)}
    assert len(others) > 1


def test_variants_are_bounded() -> None:
    texts = [f"Answer: {number}" for number in range(30)]
    label = Alice().label(TASK, QUESTION, responses(*texts))
    assert len(label.histogram) == 30
    assert len(label.variants) == VARIANTS
    assert "25 other answers (25 times)" in label.statement


def test_who_writes_no_words_or_is_yet_to_be_asked_leaves_none() -> None:
    for writer in (Silent(), ByTeacher()):
        assert Alice(statement=writer).label(TASK, QUESTION, responses(*TEXTS)).statement == ""
    assert (ByTeacher().by, ByStudent().by, Template().by) == ("teacher", "student", "rule")


@pytest.mark.parametrize(
    ("answers", "unparsed", "words"),
    [
        ((("5", 8),), 0, "Asked 8 times, I answered 5 every time. I am sure of it."),
        ((("5", 7), ("6", 1)), 0, "Asked 8 times, I gave 5 (7 times) and 6 (once). I am nearly sure of 5."),
        ((("5", 5), ("6", 3)), 0, "Asked 8 times, I gave 5 (5 times) and 6 (3 times). "
         "I lean towards 5, with some doubt."),
        ((("5", 2), ("6", 1)), 5, "Asked 8 times, I gave 5 (twice), 6 (once) and no clear answer (5 times). "
         "I am mostly guessing when I say 5."),
        ((("5", 1),), 0, "Asked once, I answered 5 every time. I am sure of it."),
    ],
)  # fmt: skip
def test_the_template_in_words(answers: tuple[tuple[str, int], ...], unparsed: int, words: str) -> None:
    assert Template().statement(TASK, Doubt(QUESTION, answers, unparsed, ())) == words


def test_an_asked_writer_sees_one_response_per_answer_and_no_counts() -> None:
    doubt = Doubt(QUESTION, (("5", 70), ("6", 30)), 0, ("It is 5.", "x" * 5000))
    (message,) = ByTeacher(longest=100).prompt(TASK, doubt)
    assert message.content.count("Draft ") == 2
    assert "70" not in message.content
    assert "It is 5." in message.content
    assert len(message.content) < 1500
    many = Doubt(QUESTION, tuple((str(n), 1) for n in range(9)), 0, tuple(f"text {n}" for n in range(9)))
    assert ByTeacher(shown=3).prompt(TASK, many)[0].content.count("Draft ") == 3


def test_a_statement_is_the_first_paragraph_without_quotes() -> None:
    assert ByTeacher().read('\n"I am unsure\nwhether 5 holds."\n\nAnswer: 5') == "I am unsure whether 5 holds."
    assert ByTeacher().read("  ") == ""


def test_long_texts_keep_both_ends() -> None:
    assert shortened("short", 10) == "short"
    assert shortened("a" * 50 + "b" * 50, 25) == "a" * 10 + " ... " + "b" * 10


@pytest.mark.parametrize("elicitor", [Alice(), Vote()])
def test_others_are_told_answers_as_the_samples_wrote_them(elicitor: Alice | Vote) -> None:
    """Compared is `johal`, told is `Johal`: a model has seldom read names without their capitals."""
    task = build(task_config("world-knowledge"))
    label = elicitor.label(
        task, QUESTION, responses("Answer: Johal", "So it is johal.\nAnswer: JOHAL", "Answer: Belvo")
    )
    assert label.histogram == (("johal", 2), ("belvo", 1))
    assert label.told == (("Johal", 2), ("Belvo", 1))
    assert Doubt.of(QUESTION, label).answers == label.told


def test_answers_that_are_written_as_they_are_compared_are_kept_once() -> None:
    label = Alice().label(TASK, QUESTION, responses("Answer: 5", "Answer: 5.0", "Answer: 6"))
    assert label.wordings == ()
    assert label.told == label.histogram == (("5", 2), ("6", 1))
