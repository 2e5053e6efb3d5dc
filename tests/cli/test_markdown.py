"""Tables of a model card in a narrow terminal: nothing of them is lost."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from w2sg.cli.markdown import WholeMarkdown

NARROW = """
| member | what it is |
|---|---:|
| small | of four layers, pretrained from scratch on the corpus of a world that is made up |
"""
WIDE = """
| member | architecture | parameters | vocabulary |
|---|---|---|---|
| small | `llama` | 1,771,200 | 1,024 |
"""


def shown(text: str, width: int) -> str:
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(WholeMarkdown(text))
    assert max(map(len, out.getvalue().splitlines())) <= width
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 40, 24])
def test_cells_wrap_at_words(width: int) -> None:
    words = shown(NARROW, width).split()
    assert "…" not in "".join(words)
    written = [word for word in NARROW.replace("|", " ").split() if "--" not in word]
    assert sorted(word for word in words if "─" not in word) == sorted(written)


def test_where_columns_do_not_fit_rows_are_written_out() -> None:
    assert "small   llama         1,771,200   1,024" in " ".join(shown(WIDE, 80).split("\n"))
    lines = [line.rstrip() for line in shown(WIDE, 30).splitlines() if line.strip()]
    assert lines == ["• member: small", "  architecture: llama", "  parameters: 1,771,200", "  vocabulary: 1,024"]
