"""Small pieces of Markdown for the zoo's cards."""

from __future__ import annotations

import textwrap


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table; all columns but the first are right-aligned."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def paragraph(text: str) -> str:
    """Return the text filled to the line length."""
    return textwrap.fill(" ".join(text.split()), 120, break_long_words=False, break_on_hyphens=False)


def percent(part: float, whole: float = 1.0) -> str:
    """Return a share in whole per cent."""
    return f"{100 * part / whole:.0f}"


def bullets(lines: list[str]) -> str:
    """Return a Markdown list."""
    return "\n".join(f"- {line}" for line in lines)
