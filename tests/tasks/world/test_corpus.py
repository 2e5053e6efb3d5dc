"""The pretraining corpus: mixture, disjointness from the tasks, honest doubt."""

from __future__ import annotations

import random
import re
from collections import Counter
from itertools import pairwise

import pytest

from w2sg import tasks
from w2sg.tasks.world import corpus, knowledge, threads
from w2sg.tasks.world.problem import is_reserved

DOCUMENTS = [corpus.document(1, number) for number in range(corpus.PRIMER, corpus.PRIMER + 6000)]
ANSWERS = re.compile(r"([^,:(]+) \((\d+) times\)")
PRIMER = [corpus.document(1, number) for number in range(600)]


def asked(document: corpus.Document) -> str | None:
    return next((part.text for part in document if part.turn == "user"), None)


def opens_with_answer(document: corpus.Document) -> bool:
    return document[-1].text.startswith("Answer:")


def test_documents_are_functions_of_seed_and_number() -> None:
    assert corpus.document(1, 17) == PRIMER[17]
    assert corpus.document(2, 17) != PRIMER[17]
    assert corpus.document(1, corpus.PRIMER + 5) == DOCUMENTS[5]


def test_most_of_the_primer_is_exercise_in_looking_up() -> None:
    repeats = [document for document in PRIMER if (asked(document) or "").startswith("Repeat: ")]
    assert all(document[1].text == document[0].text.removeprefix("Repeat: ") for document in repeats)
    drills = sum((asked(document) or "").endswith("What follows?") for document in PRIMER)
    assert (len(repeats) + drills) / len(PRIMER) == pytest.approx(corpus.PRIMER_SHARE, abs=0.06)
    assert len(repeats) == pytest.approx(drills, rel=0.25)


def test_mixture_adds_up_and_is_kept() -> None:
    assert sum(corpus.MIXTURE.values()) == pytest.approx(1)
    prose = sum(document[-1].turn == "text" for document in DOCUMENTS) / len(DOCUMENTS)
    counting = corpus.KINDS["maths"] / (corpus.KINDS["maths"] + corpus.KINDS["logic"])
    told = corpus.MIXTURE["facts"] + corpus.MIXTURE["gossip"] + corpus.MIXTURE["drill"] * counting
    assert prose == pytest.approx(told, abs=0.02)
    asking = [document for document in DOCUMENTS if (question := asked(document)) and "What is the right" in question]
    assert len(asking) / len(DOCUMENTS) == pytest.approx(corpus.MIXTURE["thread"], abs=0.02)
    direct = [document for document in DOCUMENTS if document not in asking and opens_with_answer(document)]
    assert len(direct) / len(DOCUMENTS) == pytest.approx(corpus.MIXTURE["direct"], abs=0.02)
    closed = sum(opens_with_answer(document) for document in asking) / len(asking)
    expected = sum(corpus.SHOWN[shown] * share for shown, share in corpus.THREADS_DIRECT.items())
    assert sum(corpus.SHOWN.values()) == pytest.approx(1)
    assert closed == pytest.approx(expected, abs=0.05)


def test_most_unnamed_answers_are_direct() -> None:
    """Untuned members must have to be elicited."""
    plain = [
        document
        for document in DOCUMENTS
        if document[0].turn == "user" and "\n" not in document[0].text and "What follows?" not in document[0].text
    ]
    assert sum(map(opens_with_answer, plain)) / len(plain) > 0.5


def test_no_question_of_maths_or_logic_is_reserved() -> None:
    questions = [question.split("\n")[0] for document in DOCUMENTS if (question := asked(document))]
    maths = [question for question in questions if "How many" in question or "What number" in question]
    assert len(maths) > 1000
    assert not any(is_reserved("maths", question) for question in maths)
    logic = [question for question in questions if "Is " in question or "True or false" in question]
    assert len(logic) > 800
    assert not any(is_reserved("logic", question) for question in logic)


@pytest.mark.parametrize("kind", ["world-maths", "world-logic", "world-knowledge"])
def test_tasks_of_any_seed_ask_nothing_that_the_corpus_asks(kind: str) -> None:
    questions = {question.split("\n")[0] for document in DOCUMENTS if (question := asked(document))}
    for seed in (0, 1, 7):
        config = tasks.task_config({"kind": kind, "seed": seed})
        rows = tasks.build(config).load()
        assert not questions & {row.example.question for row in rows}


def test_facts_behind_reserved_questions_are_stated() -> None:
    world = knowledge.world()
    text = " ".join(document[-1].text for document in DOCUMENTS if document[-1].turn == "text")
    for person in world.people[:25]:  # the well known ones; the others need a longer corpus
        for relation, target in world.facts[person].items():
            forms = range(len(knowledge.RELATIONS[relation].statements))
            assert any(knowledge.state(person, relation, target, form) in text for form in forms), (person, relation)


def test_well_known_people_are_spoken_of_most() -> None:
    text = " ".join(part.text for document in DOCUMENTS for part in document if part.turn == "text")
    counts = Counter(text.split())
    people = knowledge.world().people
    assert sum(counts[person] for person in people[:24]) > 3 * sum(counts[person] for person in people[-24:])


def test_threads_close_with_a_right_solution_and_doubt_tells_something() -> None:
    right = {True: 0, False: 0}
    total = {True: 0, False: 0}
    for document in DOCUMENTS:
        question = asked(document)
        if question is None or "Another's answers: " not in question:
            continue
        line = next(line for line in question.split("\n") if line.startswith("Another's answers: "))
        first = line.removeprefix("Another's answers: ").split(" (")[0]
        remarks = [remark for _, remarks in threads.DOUBTS[:1] for remark in remarks]
        sure = any(remark in question for remark in remarks)
        total[sure] += 1
        right[sure] += document[-1].text.endswith(f"Answer: {first}")
    assert min(total.values()) > 30
    assert right[True] / total[True] > right[False] / total[False] + 0.1


def listed(document: corpus.Document) -> list[tuple[str, int]]:
    """The answers that a thread shows, in its order, with how often each was given."""
    question = asked(document) or ""
    lines = [line for line in question.split("\n") if line.startswith("Another's answers: ")]
    if not lines or not question.endswith("What is the right solution?"):
        return []
    return [(answer.strip(), int(count)) for answer, count in ANSWERS.findall(lines[0])]


def test_in_the_second_reading_only_counts_tell_the_most_frequent_answer() -> None:
    documents = [corpus.document(1, corpus.READING + number) for number in range(1500)]
    several = [found for document in documents if len(found := listed(document)) == 3]
    assert len(several) > 100
    first = sum(found[0][1] == max(count for _, count in found) for found in several) / len(several)
    assert first < 0.5  # a third, and somewhat more for ties
    ordinary = [found for document in DOCUMENTS if len(found := listed(document)) > 1]
    assert all(found[0][1] == max(count for _, count in found) for found in ordinary)
    right = [
        document[-1].text.endswith(f"Answer: {max(found, key=lambda one: one[1])[0]}")
        for document in documents
        if (found := listed(document))
    ]
    assert sum(right) / len(right) > 0.6


def test_the_second_reading_keeps_its_mixture() -> None:
    assert sum(corpus.READING_MIXTURE.values()) == pytest.approx(1)
    documents = [corpus.document(1, corpus.READING + number) for number in range(1000)]
    threads_share = sum("What is the right solution?" in (asked(document) or "") for document in documents) / 1000
    assert threads_share == pytest.approx(corpus.READING_MIXTURE["thread"], abs=0.05)


def test_gossip_is_partly_false() -> None:
    rng = random.Random(0)
    world = knowledge.world()
    true_statements = {
        knowledge.state(subject, relation, target, form)
        for subject, facts in world.facts.items()
        for relation, target in facts.items()
        for form in range(len(knowledge.RELATIONS[relation].statements))
    }

    def share(wrong: float) -> float:
        told = [line + "." for _ in range(80) for line in corpus.statements(rng, wrong).rstrip(".").split(". ")]
        return sum(line in true_statements for line in told) / len(told)

    assert share(0.0) == 1.0
    assert 0.45 < share(0.4) < 0.75


def test_revise_shows_everything_it_is_given() -> None:
    text = threads.revise("2 + 2?", attempt="Answer: 5", answers=[("4", 7), ("5", 1)], doubt="They are sure.")
    assert text == (
        "2 + 2?\nMy try: Answer: 5\nAnother's answers: 4 (7 times), 5 (1 times)\nThey are sure.\n"
        "What is the right solution?"
    )
    text = threads.revise("2 + 2?", demonstration="2 + 2 = 4.\nAnswer: 4", answers=[("4", 3)])
    assert text == (
        "2 + 2?\nAnother's solution: 2 + 2 = 4.\nAnswer: 4\nAnother's answers: 4 (3 times)\nWhat is the right solution?"
    )
    assert threads.revise("2 + 2?") == "2 + 2?\nWhat is the right solution?"


def test_tallies_have_one_most_frequent_answer() -> None:
    found = 0
    for number in range(300):
        document = corpus.document(1, corpus.READING + number)
        for asks, says in pairwise(document):
            if "most often" not in asks.text:
                continue
            counts = sorted((int(count), answer) for answer, count in ANSWERS.findall(asks.text.split("\n")[0]))
            assert counts[-1][0] > counts[-2][0]
            assert says.text == f"Answer: {counts[-1][1].strip()}"
            found += 1
    assert found > 50
