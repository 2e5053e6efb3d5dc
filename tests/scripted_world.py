"""A task, a weak teacher and a strong student that play scripts: whole runs in milliseconds, without torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from w2sg.seeding import stream


def weak(question: str) -> dict[str, float]:
    """Right on three questions in five; the answer to `What is a plus b?` is in the question."""
    return _answers(question, 0.6, "weak")


def blank(question: str) -> dict[str, float]:
    """As `weak`, but with nothing to say when it is asked for its doubts."""
    return {" \n": 1.0} if "Draft 1:" in question else weak(question)


def middle(question: str) -> dict[str, float]:
    """Right on seven questions in ten."""
    return _answers(question, 0.7, "middle")


def strong(question: str) -> dict[str, float]:
    """Right on four questions in five."""
    return _answers(question, 0.8, "strong")


def mute(question: str) -> str:
    """Never gives an answer that can be read."""
    return "I would rather not say."


def _answers(question: str, skill: float, who: str) -> dict[str, float]:
    numbers = [int(word) for word in question.splitlines()[0].replace("?", " ").split() if word.isdigit()]
    right = sum(numbers)
    favourite = right if stream(0, who, question).random() < skill else right + 1
    return {f"I think so.\nAnswer: {favourite}": 0.7, f"Perhaps.\nAnswer: {right + 2}": 0.2, "Hm.": 0.1}


def write_files(folder: Path, labelled: int = 40, unlabelled: int = 0) -> dict[str, str]:
    """Write gold (and a pool) of additions to `folder`; return the settings that name them."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "id": f"q{n}",
            "question": f"What is {n} plus {7 * n % 13}?",
            "answer": str(n + 7 * n % 13),
            "difficulty": n % 3,
        }
        for n in range(labelled + unlabelled)
    ]
    files = {"labelled": folder / "gold.jsonl"}
    files["labelled"].write_text("".join(json.dumps(row) + "\n" for row in rows[:labelled]))
    if unlabelled:
        files["unlabelled"] = folder / "pool.jsonl"
        pool = [{"id": row["id"], "question": row["question"]} for row in rows[labelled:]]
        files["unlabelled"].write_text("".join(json.dumps(row) + "\n" for row in pool))
    return {name: str(path) for name, path in files.items()}


def experiment(folder: Path, **changes: Any) -> dict[str, Any]:
    """Return the data of an experiment on scripted models and files in `folder`."""
    split = {"supervise": 8, "validate": 4, "transfer": 14, "test_id": 14, "near_duplicates": "exact"}
    task = {"kind": "file", "name": "sums", "grader": "numeric", "split": split, **write_files(folder)}
    return {
        "name": "scripted",
        "tasks": [task],
        "teacher": "scripted:scripted_world:weak",
        "student": "scripted:scripted_world:strong",
        "methods": ["imitation", "imitation-vote"],
        "seeds": [0, 1],
        "workers": 1,
        **changes,
    }
