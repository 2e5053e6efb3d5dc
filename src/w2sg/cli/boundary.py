"""Where the program meets its user: how commands end, and how their arguments are folded.

Exit codes: 0 done, 2 something the user can mend (one paragraph on standard error), 130 stopped with Ctrl-C,
1 a bug (its traceback is shown). The commands themselves raise and return; nothing else in w2sg calls `sys.exit`.
"""

from __future__ import annotations

import errno
import re
import shlex
import sys
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup

from w2sg.errors import UserError

_DISK = {errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EIO, errno.ENAMETOOLONG}
_COMMANDING = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Commands(TyperGroup):
    """A group of commands that ends in a sentence, never in a traceback, unless w2sg itself is at fault."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; errors of the user, of the disk and Ctrl-C become messages and exit codes."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise _end(" ".join([str(error), *getattr(error, "__notes__", ())]), 2) from None
        except KeyboardInterrupt:
            command = shlex.join(["w2sg", *sys.argv[1:]])
            raise _end(
                f"Stopped. Everything that was finished is kept; continue where it stopped with: {command}", 130
            ) from None
        except Exception as error:
            if not _is_disk_trouble(error):
                raise
            raise _end(
                f"The disk refused: {error}. Free some space, mend permissions or choose another folder; what was "
                "finished before is kept, and the same command continues from there.",
                2,
            ) from None


def _end(message: str, code: int) -> typer.Exit:
    label = typer.style("Error: ", fg="red", bold=True) if code == 2 else ""
    # What a server or a file said may hold signs that command the terminal.
    typer.echo(label + _COMMANDING.sub("\N{REPLACEMENT CHARACTER}", " ".join(message.split())), err=True)
    return typer.Exit(code)


def _is_disk_trouble(error: BaseException) -> bool:
    """Whether a library met a full or read-only disk; safetensors tells it in its text alone."""
    if isinstance(error, OSError) and error.errno in _DISK:
        return True
    return any(f"os error {number})" in str(error) for number in _DISK)


class ManyValues(TyperCommand):
    """A command whose options in `many` take several words: `--seeds 0 1 2` is `--seeds 0 --seeds 1 --seeds 2`.

    A word after the first belongs to the option while it matches the option's pattern, so that an argument may
    follow.
    """

    many: ClassVar[dict[str, re.Pattern[str]]] = {
        "--seeds": re.compile(r"\d+([-,]\d+)*,?"),
        "--set": re.compile(r"[\w.-]+=.*", re.DOTALL),
    }

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Repeat the option before each further word, then parse as usual."""
        return super().parse_args(ctx, fold(args, self.many))


def fold(words: list[str], many: dict[str, re.Pattern[str]]) -> list[str]:
    """Return `words` with each option of `many` repeated before every further word that belongs to it."""
    folded: list[str] = []
    option = ""
    for position, word in enumerate(words):
        if word == "--":
            return folded + words[position:]
        if word in many:
            option = word
            folded.append(word)
            continue
        if option and folded[-1] != option:
            if many[option].fullmatch(word):
                folded.append(option)
            else:
                option = ""
        folded.append(word)
    return folded


def seeds_from(words: list[str]) -> list[int]:
    """Return the seeds that words such as `0`, `0,2` and `3-5` name, in order, each once.

    Raises:
        typer.BadParameter: a word names no seed.
    """
    seeds: dict[int, None] = {}
    for word in words:
        for part in filter(None, word.split(",")):
            first, dash, last = part.partition("-")
            if not first.isdecimal() or (dash and not (last.isdecimal() and int(first) <= int(last))):
                raise typer.BadParameter(f"{part!r} is no seed; give whole numbers (0 1 2) or a range (0-4).")
            if int(last or first) - int(first) >= 1000:
                raise typer.BadParameter(f"{part!r} names more than a thousand seeds.")
            seeds |= dict.fromkeys(range(int(first), int(last or first) + 1))
    return list(seeds)
