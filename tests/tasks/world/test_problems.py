"""The three kinds of question: answers are worked out anew from the text, by code that shares nothing with ours."""

from __future__ import annotations

import itertools
import random
import re

import pytest

from w2sg.tasks.world import knowledge, logic, maths
from w2sg.tasks.world.problem import Problem, is_reserved, randomness
from w2sg.tasks.world.subjects import SUBJECTS


def problems(kind: str, level: int, count: int = 60, seed: int = 3) -> list[Problem]:
    rng = randomness(seed, kind, level)
    return [SUBJECTS[kind].draw(rng, level) for _ in range(count)]


def levels(kind: str) -> range:
    return range(1, SUBJECTS[kind].HARDEST + 1)


def solve_maths(question: str) -> tuple[int, int]:
    """Read a word problem sentence by sentence; return the total and the number of steps."""
    asked = re.search(r"(?:How many|What number of) (\w+) (?:does|has|do) (\w+) ", question)
    assert asked
    things, who = asked.groups()
    owned: dict[str, int] = {}
    steps = 0
    for sentence in re.findall(r"[^.?]+\.", question):
        words = sentence.strip(" .").removeprefix("Then ")
        if " ".join(words.split()[:2]) == "It rains":
            continue
        if found := re.fullmatch(r"(\w+) has (\d+) (more|fewer) (\w+) than (\w+)", words):
            person, n, degree, what, other = found.groups()
            if what == things:
                owned[person] = owned[other] + (int(n) if degree == "more" else -int(n))
                steps += 1
        elif found := re.fullmatch(r"(\w+) has (\d+) (\w+)", words):
            if found[3] == things:
                owned[found[1]] = int(found[2])
        elif re.fullmatch(rf"{who} (?:doubles the {things}|gets as many again)", words):
            owned[who] *= 2
            steps += 1
        elif found := re.fullmatch(r"(\w+) gives (\w+) (\d+) (\w+)", words):
            if found[4] == things:
                owned[who] += int(found[3]) * (1 if found[2] == who else -1)
                steps += 1
        elif found := re.fullmatch(r"(\w+) (finds|buys|gets|loses|sells|gives away) (\d+)(?: more)?(?: (\w+))?", words):
            if found[1] == who and found[4] in (None, things):
                gain = found[2] in ("finds", "buys", "gets")
                owned[who] += int(found[3]) * (1 if gain else -1)
                steps += 1
        else:
            pytest.fail(f"a sentence that the reader does not know: {words!r}")
    return owned[who], steps


QUOTED = r"(\w+) (means|makes|brings|gives) (not )?(\w+)"
RULE = r"(\w+) (?:means|makes|brings|gives) (not )?(\w+)"


def solve_logic(question: str) -> tuple[str, set[int]]:
    """Follow all rules forward from the fact; return the answer and how many deductions the ways there take, or the
    ways to where nothing more follows when none leads to what is asked."""
    fact, rules_text, asked = re.findall(r"[^.?]+[.?]", question)
    rules: dict[str, list[tuple[str, bool]]] = {}
    for a, sign, b in re.findall(RULE, rules_text):
        rules.setdefault(a, []).append((b, not sign))
    assert sum(map(len, rules.values())) == rules_text.count(",") + 1
    start = re.fullmatch(r"\w+ is (\w+)\.", fact)
    goal = re.search(r"(\w+)\?$", asked)
    assert start
    assert goal
    answers: dict[str, set[int]] = {}
    ways = [(start[1], True, 0)]
    while ways:
        here, positive, deductions = ways.pop()
        if here == goal[1]:
            answers.setdefault("true" if positive else "false", set()).add(deductions)
        elif not positive or here not in rules:
            answers.setdefault("unknown", set()).add(deductions)
        else:
            ways += [(there, sign, deductions + 1) for there, sign in rules[here]]
    if len(answers) > 1:
        answers.pop("unknown")
    ((answer, lengths),) = answers.items()
    return answer, lengths


@pytest.mark.parametrize("level", levels("maths"))
def test_maths_answers_follow_from_the_text(level: int) -> None:
    for problem in problems("maths", level):
        assert solve_maths(problem.question) == (int(problem.solution.answer), level), problem.question


@pytest.mark.parametrize("level", levels("maths"))
def test_maths_rationales_compute_right(level: int) -> None:
    for problem in problems("maths", level):
        equations = re.findall(r"(\d+) ([+x-]) (\d+) = (\d+)", problem.solution.rationale)
        assert len(equations) == level
        for a, sign, b, c in equations:
            assert {"+": int(a) + int(b), "-": int(a) - int(b), "x": int(a) * int(b)}[sign] == int(c)
        assert all(one[3] == two[0] for one, two in itertools.pairwise(equations))
        assert equations[-1][3] == problem.solution.answer
        assert 0 <= int(problem.solution.answer) <= maths.LARGEST


@pytest.mark.parametrize("level", levels("logic"))
def test_logic_answers_follow_from_the_text(level: int) -> None:
    for problem in problems("logic", level):
        answer, lengths = solve_logic(problem.question)
        assert answer == problem.solution.answer, problem.question
        assert level in lengths, problem.question


def test_logic_answers_are_balanced() -> None:
    answers = [problem.solution.answer for problem in problems("logic", 3, count=600)]
    assert all(0.27 < answers.count(answer) / 600 < 0.40 for answer in logic.ANSWERS)


@pytest.mark.parametrize("level", levels("logic"))
def test_number_of_rules_does_not_tell_the_answer(level: int) -> None:
    counts: dict[str, set[int]] = {}
    for problem in problems("logic", level):
        counts.setdefault(problem.solution.answer, set()).add(problem.question.count(","))
    assert len(counts) == 3
    assert counts["true"] == counts["false"] == counts["unknown"]


@pytest.mark.parametrize("level", levels("logic"))
def test_one_rule_leads_to_the_asked_property_and_one_to_its_contrary(level: int) -> None:
    for problem in problems("logic", level):
        chain: logic.Chain = problem.facts
        assert sorted(rule.positive for rule in chain.rules if rule.b == chain.asked) == [False, True]
        assert all(rule.positive for rule in chain.rules if rule.b != chain.asked)
        assert len({rule.a for rule in chain.rules}) == len(chain.rules) - (level > 1)


def test_the_way_forks_once_and_the_other_branch_is_a_dead_end() -> None:
    assert not any(problem.facts.dead_end for problem in problems("logic", 1))
    for level in range(2, 7):
        for problem in problems("logic", level):
            chain: logic.Chain = problem.facts
            left = [rule.a for rule in chain.rules]
            forks = {word for word in left if left.count(word) == 2}
            assert forks == {chain.dead_end[0].a}
            assert forks <= {rule.a for rule in chain.used}
            assert chain.dead_end[-1].b not in {*left, chain.asked}


def test_a_careless_solution_may_take_the_dead_end() -> None:
    rng = random.Random(4)
    taken = 0
    for problem in problems("logic", 3, count=200):
        chain: logic.Chain = problem.facts
        slip = logic.slip(problem, rng)
        assert slip.answer != chain.answer
        if chain.answer != "unknown" and str(chain.dead_end[-1]) in slip.rationale:
            assert slip.answer == "unknown"
            taken += 1
    assert 40 < taken < 100


@pytest.mark.parametrize("level", [2, 6])
def test_places_of_the_rules_do_not_tell_the_answer(level: int) -> None:
    """Whether the rule that leads to the asked property stands before the one to its contrary, by answer."""
    before: dict[str, list[bool]] = {answer: [] for answer in logic.ANSWERS}
    for problem in problems("logic", level, count=900):
        signs = [rule.positive for rule in problem.facts.rules if rule.b == problem.facts.asked]
        before[problem.solution.answer].append(signs[0])
    for found in before.values():
        assert sum(found) / len(found) == pytest.approx(0.5, abs=0.1)


def test_drills_follow_from_their_rules() -> None:
    rng = random.Random(2)
    for _ in range(50):
        asked, follows = logic.drill(rng)
        rules = {a: (f"{a} {verb} {sign}{b}", b, not sign) for a, verb, sign, b in re.findall(QUOTED, asked)}
        starts = re.findall(r"(\w+) is (\w+)\.", asked)
        expected = []
        for who, here in starts:
            quoted, positive = [f"{who} is {here}"], True
            while positive and here in rules:
                text, here, positive = rules[here]
                quoted.append(text)
            expected.append(", ".join(quoted) + ".")
        assert follows == " ".join(expected)


@pytest.mark.parametrize("level", levels("knowledge"))
def test_knowledge_answers_follow_from_the_facts(level: int) -> None:
    facts = knowledge.world().facts
    for path in knowledge.paths(level)[::17]:
        here = path.subject
        for relation in path.relations:
            here = facts[here][relation]
        problem = knowledge.problem(path, random.Random(1))
        assert here == problem.solution.answer
        assert problem.question.count(path.subject) == 1
        assert problem.difficulty == len(path.relations) == level
        assert problem.solution.rationale.count(".") == level


def test_knowledge_questions_of_different_paths_differ() -> None:
    rng = random.Random(0)
    questions = [knowledge.problem(path, rng).question for level in (1, 2, 3) for path in knowledge.paths(level)]
    assert len(set(questions)) == len(questions)


@pytest.mark.parametrize("kind", list(SUBJECTS))
def test_careless_solutions_and_guesses_are_wrong(kind: str) -> None:
    rng = random.Random(5)
    for level in levels(kind):
        for problem in problems(kind, level, count=30):
            assert SUBJECTS[kind].slip(problem, rng).answer != problem.solution.answer
            assert SUBJECTS[kind].guess(problem, rng) != problem.solution.answer


@pytest.mark.parametrize("kind", list(SUBJECTS))
def test_same_seed_same_questions(kind: str) -> None:
    assert problems(kind, 2) == problems(kind, 2)
    assert problems(kind, 2) != problems(kind, 2, seed=4)


def test_reserved_share_of_the_questions() -> None:
    keys = [f"question {number}" for number in range(4000)]
    assert sum(is_reserved("maths", key) for key in keys) / 4000 == pytest.approx(1 / 8, abs=0.02)
    assert sum(is_reserved("knowledge", key) for key in keys) / 4000 == pytest.approx(1 / 2, abs=0.03)


def test_response_ends_in_the_answer_line() -> None:
    problem = problems("maths", 2, count=1)[0]
    assert problem.solution.response().splitlines()[-1] == f"Answer: {problem.solution.answer}"
    assert problem.solution.response(reasoning=False) == f"Answer: {problem.solution.answer}"
