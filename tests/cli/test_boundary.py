"""How the program ends, and how its arguments are folded."""

from __future__ import annotations

import errno

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from w2sg.cli.boundary import Commands, ManyValues, fold, seeds_from
from w2sg.errors import DataError, MissingExtra


def ending(error: BaseException) -> tuple[int, str]:
    """The exit code and the standard error of a command that raises `error`."""
    app = typer.Typer(cls=Commands, pretty_exceptions_enable=False)

    @app.command()
    def work() -> None:
        raise error

    @app.command()
    def other() -> None: ...

    result = CliRunner().invoke(app, ["work"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stderr


def test_an_error_of_the_user_is_one_paragraph() -> None:
    code, text = ending(DataError("Line 3 of 'x.jsonl'\n has no question."))
    assert (code, text) == (2, "Error: Line 3 of 'x.jsonl' has no question.\n")


def test_what_a_server_said_cannot_command_the_terminal() -> None:
    _, text = ending(DataError("The server says 'no \x1b]0;a title\x07 \x1b[2J \x9b2J access', naïve \u200d 42."))
    assert text == "Error: The server says 'no \ufffd]0;a title\ufffd \ufffd[2J \ufffd2J access', naïve \u200d 42.\n"


def test_a_missing_extra_says_how_to_install_it() -> None:
    code, text = ending(MissingExtra("trl", "bench", "The benchmark"))
    assert code == 2
    assert "pip install 'w2sg[bench]'" in text


def test_control_c_says_how_to_continue() -> None:
    code, text = ending(KeyboardInterrupt())
    assert code == 130
    assert "kept" in text
    assert "continue" in text


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("I/O error: No space (os error 28)")]
)
def test_a_full_disk_met_by_a_library_is_told_too(error: Exception) -> None:
    code, text = ending(error)
    assert code == 2
    assert "disk" in text


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        ending(ZeroDivisionError())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("run e.yaml --seeds 0 1 2", "run e.yaml --seeds 0 --seeds 1 --seeds 2"),
        ("run --seeds 0 1 e.yaml", "run --seeds 0 --seeds 1 e.yaml"),
        ("run --seeds 0-4 7 --out 9", "run --seeds 0-4 --seeds 7 --out 9"),
        ("run --set a=1 b.c=2 --seeds 3", "run --set a=1 --set b.c=2 --seeds 3"),
        ("run --set a=1 e.yaml b=2", "run --set a=1 e.yaml b=2"),
        ("run --seeds 0 -- 1 2", "run --seeds 0 -- 1 2"),
        ("run --seeds", "run --seeds"),
    ],
)
def test_options_of_several_words(given: str, expected: str) -> None:
    assert fold(given.split(), ManyValues.many) == expected.split()


@given(st.lists(st.sampled_from(["--seeds", "--set", "0", "a=1", "x", "--out", "--", "-3"])))
def test_folding_only_repeats_options(words: list[str]) -> None:
    folded = fold(words, ManyValues.many)
    assert [word for word in folded if word not in ManyValues.many] == [
        word for word in words if word not in ManyValues.many
    ]


@pytest.mark.parametrize(
    ("words", "seeds"), [(["0", "1"], [0, 1]), (["0-2"], [0, 1, 2]), (["3,1", "1"], [3, 1]), (["7,"], [7]), ([], [])]
)
def test_seeds(words: list[str], seeds: list[int]) -> None:
    assert seeds_from(words) == seeds


@pytest.mark.parametrize("word", ["x", "-1", "3-1", "1.5", "0-", "0-99999999999", "²"])
def test_what_is_no_seed_is_refused(word: str) -> None:
    with pytest.raises(typer.BadParameter):
        seeds_from([word])
