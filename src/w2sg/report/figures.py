"""The plots of the page as inline SVG: accuracy by arm, differences, accuracy by difficulty and by the number of
experts, reliability of labels and their risk at each coverage.

Deterministic, without outside references; text stays text, and colours are the page's CSS variables, so that the
figures follow its light or dark scheme.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from w2sg.report.results import ComparisonRow, DifficultyRow, Results, ResultStratum
from w2sg.report.schema import ReliabilityRow
from w2sg.report.sentences import items

# Stand-ins that matplotlib draws with, and the CSS that takes their place.
INK, MUTED, GRID, PAPER = "#010101", "#020202", "#030303", "#040404"
SERIES = tuple(f"#0501{number:02x}" for number in range(6))
_CSS = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    PAPER: "var(--paper)",
    **{colour: f"var(--series-{number})" for number, colour in enumerate(SERIES)},
}
_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "w2sg",
    "text.parse_math": False,  # a name with dollar signs is a name
    "font.size": 9,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
}
WIDTH = 4.7  # inches: the text stays readable when a phone scales the figure down
LONGEST_NAME = 24
MOST_BANDS = 3  # more bands than this hide each other
_CONTROL_LINES = {
    "teacher": (":", "s"),
    "untuned": ("-", "o"),
    "self-distillation": ("-.", "D"),
    "random-labels": (":", "x"),
    "ceiling": ("--", "^"),
}
_OWN_CONTROL_LINE = ((0, (6, 2)), "v")


def accuracy(results: Results, task: str) -> str:
    """Draw every arm's accuracy by stratum with its interval, and every seed as a small mark."""
    methods, controls = results.methods(task), results.controls(task)
    strata: list[ResultStratum] = [stratum for stratum in results.strata(task) if stratum != "all"] or ["all"]

    def draw(axes: Axes) -> None:
        for number, stratum in enumerate(strata):
            shift = (number - (len(strata) - 1) / 2) * 0.32
            for place, method in enumerate(methods):
                found = results.find(task, method, stratum)
                if found is None:
                    continue
                colour, row = SERIES[number], place + shift
                axes.plot([100 * found.low, 100 * found.high], [row, row], color=colour, linewidth=1.8, zorder=2)
                seeds = [
                    100 * one.accuracy
                    for one in results.rows
                    if (one.task, one.method, one.stratum) == (task, method, stratum)
                ]
                axes.plot(seeds, [row] * len(seeds), "|", color=INK, markersize=6, markeredgewidth=0.9, zorder=3)
                label = f"{stratum} ({found.n} items)" if place == 0 else None
                axes.plot(
                    [100 * found.accuracy], [row], "o", color=colour, markersize=5.5, label=label, zorder=4, alpha=0.9
                )
        axes.set_yticks(range(len(methods)), labels=[_short(method) for method in methods])
        for text, method in zip(axes.get_yticklabels(), methods, strict=True):
            text.set_fontweight("normal" if method in controls else "bold")
        axes.set_ylim(len(methods) - 0.4, -0.6)
        axes.set_xlim(-1, 101)
        axes.set_xlabel("accuracy (%)")
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
        axes.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=2, handletextpad=0.2)

    height = 0.9 + 0.27 * len(strata) ** 0.5 * len(methods)
    return _svg(draw, height, f"Accuracy of every arm on {task}, with intervals and every seed")


def differences(results: Results, task: str) -> str:
    """Draw each method's differences from what it is compared against, with intervals, around 0."""
    stratum, controls = results.headline(task), results.controls(task)
    rows = [
        row
        for row in results.comparisons
        if (row.task, row.stratum) == (task, stratum) and row.method not in controls and row.against != "ceiling"
    ]
    if not rows:
        return ""
    methods = list(dict.fromkeys(row.method for row in rows))

    def draw(axes: Axes) -> None:
        axes.axvline(0, color=INK, linewidth=1)
        labels: list[tuple[float, str, bool]] = []
        place = 0.0
        for method in methods:
            labels.append((place, _short(method), True))
            for row in (row for row in rows if row.method == method):
                place += 1
                _whisker(axes, row, place)
                labels.append((place, f"against {_short(row.against)}", False))
            place += 1.3
        axes.set_yticks([y for y, _, _ in labels], labels=[label for _, label, _ in labels])
        for text, (_, _, heading) in zip(axes.get_yticklabels(), labels, strict=True):
            text.set_fontweight("bold" if heading else "normal")
        axes.set_ylim(place - 0.6, -0.7)
        axes.set_xlabel(f"difference on {items(stratum)} (points)")
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)

    height = 0.75 + 0.2 * (len(rows) + 1.3 * len(methods))
    return _svg(draw, height, f"Differences of every method on {task}, with intervals")


def _whisker(axes: Axes, row: ComparisonRow, place: float) -> None:
    shown = row.low > 0 or row.high < 0
    colour = SERIES[0] if row.low > 0 else SERIES[1] if row.high < 0 else MUTED
    axes.plot([100 * row.low, 100 * row.high], [place, place], color=colour, linewidth=1.8)
    face = colour if shown else PAPER
    axes.plot([100 * row.difference], [place], "o", color=colour, markerfacecolor=face, markersize=5.5)


def difficulty(results: Results, task: str) -> str:
    """Draw accuracy against difficulty: methods in colour with their intervals, controls in grey."""
    rows = [row for row in results.difficulty if row.task == task]
    if not rows:
        return ""
    controls = results.controls(task)
    methods = list(dict.fromkeys(row.method for row in rows))
    learnt = [method for method in methods if method not in controls]

    def draw(axes: Axes) -> None:
        for method in methods:
            curve = [row for row in rows if row.method == method]
            x, y = [(row.easiest + row.hardest) / 2 for row in curve], [100 * row.accuracy for row in curve]
            if method in controls:
                line, marker = _CONTROL_LINES.get(method, _OWN_CONTROL_LINE)
                axes.plot(
                    x,
                    y,
                    linestyle=line,
                    marker=marker,
                    color=MUTED,
                    linewidth=1.2,
                    markersize=3.5,
                    label=_short(method),
                )
            else:
                colour = SERIES[learnt.index(method) % len(SERIES)]
                axes.plot(x, y, "-o", color=colour, linewidth=2, markersize=4.5, label=_short(method), zorder=3)
                low, high = [100 * row.low for row in curve], [100 * row.high for row in curve]
                if len(learnt) <= MOST_BANDS:
                    axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0, zorder=1)
        axes.set_ylim(-2, 102)
        axes.set_xlabel("difficulty (the task's units; right is harder)")
        axes.set_ylabel("accuracy (%)")
        _difficulty_ticks(axes, [row for row in rows if row.method == methods[0]])
        axes.legend(loc="lower center", bbox_to_anchor=(0.46, 1.0), ncols=3, columnspacing=1.2, handlelength=2.6)

    height = 2.5 + 0.17 * -(-len(methods) // 3)
    return _svg(draw, height, f"Accuracy against difficulty on {task}")


def experts(results: Results, task: str) -> str:
    """Draw accuracy against the number of experts: a colour for each ensemble, with intervals; `id` dashed."""
    rows = [row for row in results.rungs if (row.task, row.kind) == (task, "prefix")]
    if not rows:
        return ""
    methods = list(dict.fromkeys(row.method for row in rows))
    strata = [one.stratum for one in rows[0].accuracies if one.stratum != "all" or len(rows[0].accuracies) == 1]

    def draw(axes: Axes) -> None:
        for place, method in enumerate(methods):
            for number, stratum in enumerate(strata):
                curve = [
                    (row.rung, one)
                    for row in rows
                    for one in row.accuracies
                    if (row.method, one.stratum) == (method, stratum)
                ]
                # moved apart by a little, so that no interval hides another
                x = [count + 0.06 * (number * len(methods) + place) for count, _ in curve]
                y = [100 * one.accuracy for _, one in curve]
                below = [100 * (one.accuracy - one.low) for _, one in curve]
                above = [100 * (one.high - one.accuracy) for _, one in curve]
                axes.errorbar(
                    x,
                    y,
                    yerr=[below, above],
                    fmt="--s" if stratum == "id" else "-o",
                    color=SERIES[place % len(SERIES)],
                    linewidth=1.6,
                    elinewidth=1.2,
                    markersize=4.5,
                    label=f"{_short(method)}, {stratum}",
                )
        axes.set_xticks(range(1, max(row.of for row in rows) + 1))
        axes.set_xlabel("experts in the ensemble (T)")
        axes.set_ylabel("accuracy (%)")
        axes.legend(loc="lower center", bbox_to_anchor=(0.46, 1.0), ncols=2)

    height = 2.6 + 0.17 * -(-len(methods) * len(strata) // 2)
    return _svg(draw, height, f"Accuracy against the number of experts on {task}")


def _difficulty_ticks(axes: Axes, curve: Sequence[DifficultyRow]) -> None:
    if all(row.easiest == row.hardest for row in curve):
        axes.set_xticks([row.easiest for row in curve], labels=[f"{row.easiest:g}" for row in curve])


def reliability(results: Results, task: str) -> str:
    """Draw how often weak labels of each confidence are right: as used, and where calibrated also as stated."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 100], [0, 100], ":", color=MUTED, linewidth=1.2)
        for row, style in _styled(results, task):
            x = [100 * bar.confidence for bar in row.bins]
            axes.plot(x, [100 * bar.accuracy for bar in row.bins], **style)
        axes.set_xlim(-2, 102)
        axes.set_ylim(-2, 102)
        axes.set_xlabel("confidence (%)")
        axes.set_ylabel("labels that are right (%)")
        axes.legend(loc="lower center", bbox_to_anchor=(0.46, 1.0), ncols=2)

    return _of_labels(results, task, draw, "Reliability of the weak labels")


def risk(results: Results, task: str) -> str:
    """Draw the share of wrong labels among the most confident ones, against the share of labels kept."""

    def draw(axes: Axes) -> None:
        for row, style in _styled(results, task):
            x = [100 * point.coverage for point in row.curve]
            axes.plot(x, [100 * point.risk for point in row.curve], **{**style, "marker": "", "drawstyle": "steps-pre"})
        axes.set_xlim(-2, 102)
        axes.set_ylim(bottom=-2)
        axes.set_xlabel("most confident labels kept (%)")
        axes.set_ylabel("of these, wrong (%)")
        axes.legend(loc="lower center", bbox_to_anchor=(0.46, 1.0), ncols=2)

    return _of_labels(results, task, draw, "Risk and coverage of the weak labels")


def _of_labels(results: Results, task: str, draw: Callable[[Axes], None], title: str) -> str:
    sets = {row.used_by for row in results.reliability if row.task == task}
    return _svg(draw, 2.6 + 0.17 * -(-len(sets) // 2), f"{title} on {task}") if sets else ""


def _styled(results: Results, task: str) -> Iterator[tuple[ReliabilityRow, dict[str, Any]]]:
    """Yield every row about the confidence of labels with how it is drawn: a colour for each set of labels, a thin
    dashed line for what was calibrated afterwards, which has no name of its own."""
    rows = [row for row in results.reliability if row.task == task]
    sets = list(dict.fromkeys(row.used_by for row in rows))
    calibrated = {row.used_by for row in rows if row.stage == "calibrated"}
    for row in rows:
        style: dict[str, Any] = {"color": SERIES[sets.index(row.used_by) % len(SERIES)], "marker": "o"}
        if row.stage == "stated" and row.used_by in calibrated:
            yield row, {**style, "linestyle": "--", "linewidth": 1.0, "markersize": 3, "markerfacecolor": PAPER}
        else:
            more = f" +{len(row.used_by) - 1}" if len(row.used_by) > 1 else ""
            yield row, {**style, "linewidth": 1.8, "markersize": 4.5, "label": _short(row.used_by[0]) + more}


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _svg(draw: Callable[[Axes], None], height: float, title: str) -> str:
    with rc_context(_SETTINGS):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        FigureCanvasSVG(figure)
        figure.patch.set_visible(False)
        axes: Any = figure.add_subplot()
        axes.patch.set_visible(False)
        draw(axes)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Type": None, "Format": None})
    return _inline(out.getvalue(), title)


def _inline(text: str, title: str) -> str:
    """Turn matplotlib's file into an element of the page: its colours and fonts, no prologue, no clashing ids."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    for colour, variable in _CSS.items():
        text = text.replace(colour, variable)
    text = re.sub(r"font: ([^;\"]*?)(\d+(?:\.\d+)?px) [^;\"]*", r"font: \1\2 var(--sans)", text)
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)  # it would style the whole page
    used = set(re.findall(r"#([\w.-]+)", text))
    mark = re.sub(r"\W+", "-", title.lower())
    text = re.sub(r' id="([\w.-]+)"', lambda found: f' id="{mark}-{found[1]}"' if found[1] in used else "", text)
    text = re.sub(r'(url\(#|href="#)', rf"\g<1>{mark}-", text)
    name = title.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    size = re.search(r'width="([\d.]+)pt"', text)
    width = f"{float(size[1]) * 4 / 3:.0f}px" if size else "100%"
    head = f'<svg role="img" aria-label="{name}" style="width: 100%; max-width: {width}; height: auto" '
    return re.sub(r'<svg (.*?)width="[^"]*" height="[^"]*"|<svg ', lambda found: head + (found[1] or ""), text, count=1)
