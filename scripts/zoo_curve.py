"""The loss curve of a member as a small SVG file: deterministic, readable on light and dark pages."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

MOST_POINTS = 150
INK = "#808890"
"""Grey that stands out from white and from black."""


def thinned(losses: Sequence[tuple[int, float]], most: int = MOST_POINTS) -> list[tuple[float, float]]:
    """Return at most `most` points: the means of neighbours, each as many, the last group maybe fewer."""
    size = -(-len(losses) // most)
    groups = [losses[start : start + size] for start in range(0, len(losses), size)]
    return [
        (sum(step for step, _ in group) / len(group), sum(loss for _, loss in group) / len(group)) for group in groups
    ]


def curve(losses: Sequence[tuple[int, float]], steps: int, tokens: int) -> str:
    """Return the SVG text: loss (nats per token, logarithmic) by millions of tokens seen."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    settings: Any = {"svg.fonttype": "none", "svg.hashsalt": "w2sg", "font.size": 9, "axes.edgecolor": INK}
    settings |= {f"{axis}tick.{part}": INK for axis in "xy" for part in ("color", "labelcolor")}
    settings |= {"axes.labelcolor": INK, "axes.spines.top": False, "axes.spines.right": False}
    with rc_context(settings):
        figure = Figure(figsize=(5.2, 2.6), layout="constrained")
        FigureCanvasSVG(figure)
        figure.patch.set_visible(False)
        axes = figure.add_subplot()
        axes.patch.set_visible(False)
        points = thinned(losses)
        axes.plot([step / steps * tokens / 1e6 for step, _ in points], [loss for _, loss in points], color="#3d85c6")
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.grid(True, color=INK, linewidth=0.5, alpha=0.3)
        axes.set_xlabel("tokens seen (millions)")
        axes.set_ylabel("loss (nats per token)")
        out = io.StringIO()
        nothing = {"Date": None, "Creator": None, "Type": None, "Format": None}
        figure.savefig(out, format="svg", metadata=nothing)
    text = re.sub(r"<metadata>.*?</metadata>\n?", "", out.getvalue(), flags=re.DOTALL)
    return re.sub(r"[ \t]+$", "", text, flags=re.MULTILINE)
