"""Writes the zoo's model cards: `src/w2sg/zoo/CARD.md`, and `README.md` with `loss.svg` beside every member's weights.

    python scripts/zoo_card.py            write them
    python scripts/zoo_card.py --check    exit code 1 when a card is not what this script makes

Every figure is read from what is shipped (weights, configuration, training record, manifest, the corpus' constants)
or measured (`results/zoo`); measurements of other weights are not shown, and the card says so. Where facts come from
is `zoo_facts`, the description of the corpus `zoo_corpus`, the criteria `zoo_criteria`, whether counts are heard
`zoo_hearing`, what no figure says `zoo_prose`, the curve `zoo_curve`.
"""

from __future__ import annotations

import sys
import tomllib
from itertools import pairwise
from pathlib import Path

from zoo_corpus import LEVELS, data, filled, other_version
from zoo_criteria import criteria
from zoo_curve import curve
from zoo_facts import Known, Sheet, shipped, total
from zoo_hearing import hearing, verdicts
from zoo_markdown import bullets, paragraph, percent, table
from zoo_prose import FAMILY_SHORT, MEMBER_SHORT, READER_SHORT

from w2sg.metrics.quality import wilson
from w2sg.models import zoo
from w2sg.storage import write_atomic

ROOT = Path(__file__).parents[1]
CARD, README, CURVE = "CARD.md", "README.md", "loss.svg"


def shapes(members: list[Known]) -> str:
    """Return shape and pretraining, a row for each member."""
    rows = []
    for one in members:
        heads = one.config["num_attention_heads"]
        rows.append(
            [
                f"[{one.name}]({one.name}/{README})" if len(members) > 1 else one.name,
                one.family,
                f"{one.parameters:,}",
                f"{one.config['num_hidden_layers']} x {one.config['hidden_size']}",
                f"{heads} ({one.config.get('num_key_value_heads', heads)})",
                f"{one.config['vocab_size']:,}",
                f"{one.tokens / 1e6:.1f} M",
                "; ".join(f"{losses[0][1]:.2f} to {losses[-1][1]:.2f}" for losses in one.readings),
                f"{one.tokens / one.seconds / 1000:.1f}k",
                f"{one.seconds / 3600:.2f}",
            ]
        )
    head = ["member", "architecture", "parameters", "layers x width", "heads (key-value)", "vocabulary"]
    found = table([*head, "tokens seen", "loss, first to last", "tokens/s", "hours"], rows)
    if not any(one.reading for one in members):
        return found
    text = """Two ranges of losses are those of the first and of the second reading, whose documents are of another
        mixture: what the one ends with and the other begins with do not compare, nor do last losses of members with one
        reading and with two, or with another tokenizer. Tokens and hours are of both."""
    return f"{found}\n\n{paragraph(text)}"


def how_measured(sheet: Sheet) -> str:
    """Return how the world's questions were put."""
    names, samples = sheet["system_messages"], sheet["sampling"]["sampled"]
    levels = [level for kind in sheet.kinds for level in sheet["questions"][kind]["levels"].values()]
    sizes = sorted({level["questions"] for level in levels})
    low, high = wilson(sizes[0] // 2, sizes[0])
    return paragraph(
        f"""{sheet.state} Per cent right, untuned, {", ".join(map(str, sizes))} questions of every difficulty from a
        seed of their own, all reserved for tasks; where half are right, a cell's 95 % interval is {percent(low)} to
        {percent(high)}. `plain`: the question alone; `direct` and `reasoning`: the system message "{names["direct"]}"
        or "{names["reasoning"]}" names an author of the corpus who only answers, or who reasons first. `sampled`: the
        mean of {samples["samples"]} replies at temperature {samples["temperature"]:g}. `reasons`: replies with text
        before the answer line. `unread`: replies without an answer that can be read; they are wrong."""
    )


def accuracy(sheet: Sheet) -> str:
    """Return a member's accuracy: a table for each kind."""
    if not sheet.usable:
        return sheet.state
    parts = [how_measured(sheet)]
    for kind in sheet.kinds:
        rows = []
        for way in sheet.ways:
            levels = sheet.levels(kind, *way)
            cells = [percent(counts["right"], counts["asked"]) for counts in levels.values()]
            shares = [percent(total(levels, key), total(levels, "asked")) for key in ("right", "reasoned", "unread")]
            rows.append([", ".join(way), *filled(cells), *shares])
        usual = [percent(level["share"]) for level in sheet["questions"][kind]["levels"].values()]
        rows.append(["always the most frequent answer", *filled(usual), "", "", ""])
        parts.append(f"### {kind}\n\n" + table(["difficulty", *LEVELS, "all", "reasons", "unread"], rows))
    return "\n\n".join(parts)


def family_accuracy(members: list[Known]) -> str:
    """Return every member's accuracy over all difficulties, and by difficulty when asked to reason."""
    missing = [f"{one.name}: {one.world.state}" for one in members if not one.world.usable]
    measured = [one for one in members if one.world.usable]
    if not measured:
        return bullets(missing)
    first = measured[0].world
    overall, graded = [], []
    for kind in first.kinds:
        for one in measured:
            found = [one.world.levels(kind, *way) for way in first.ways]
            cells = [percent(total(levels, "right"), total(levels, "asked")) for levels in found]
            overall.append([f"{kind}, {one.name}", *cells])
            levels = one.world.levels(kind, "reasoning", "greedy")
            graded.append(
                [
                    f"{kind}, {one.name}",
                    *filled([percent(counts["right"], counts["asked"]) for counts in levels.values()]),
                ]
            )
    ways = [", ".join(way) for way in first.ways]
    reasons = [
        [
            one.name,
            *(
                percent(total(levels, "reasoned"), total(levels, "asked"))
                for kind in first.kinds
                for levels in (one.world.levels(kind, *way) for way in first.ways if way[0] == "plain")
            ),
        ]
        for one in measured
    ]
    heads = [f"{kind}, {way[1]}" for kind in first.kinds for way in first.ways if way[0] == "plain"]
    parts = [how_measured(first), *([bullets(missing)] if missing else []), table(["all difficulties", *ways], overall)]
    parts.append(table(["reasoning, greedy, by difficulty", *LEVELS], graded))
    return "\n\n".join([*parts, table(["`reasons`, of plain replies, %", *heads], reasons)])


def prontoqa(members: list[Known]) -> str:
    """Return the outside check of the members, or why there is none."""
    missing = bullets([f"{one.name}: {one.prontoqa.state}" for one in members if not one.prontoqa.usable])
    measured = [one for one in members if one.prontoqa.usable]
    if not measured:
        return missing
    rows = []
    for one in measured:
        found, too_long = one.prontoqa["found"], one.prontoqa["too_long"]
        for arm, value in found["summary"]["arms"].items():
            runs = [counts for name, counts in found.items() if name.startswith(f"{arm}/")]
            unread = percent(sum(counts["unread"] for counts in runs), sum(counts["asked"] for counts in runs))
            interval = f"{100 * value['accuracy']:.1f} [{100 * value['low']:.1f}, {100 * value['high']:.1f}]"
            long = [str(count) for count in too_long[arm].values()] if arm in too_long else ["", ""]
            rows.append([f"{one.name}, {arm}", interval, str(value["seeds"]), unread, *long])
    sheet = measured[0].prontoqa
    fit, chance, rows_of, steps = sheet["fit"], sheet["chance"], sheet["rows"], sheet["deductions"]
    head = ["", "right, % [95 %]", "seeds", "unread, %", "training texts too long", "dev replies too long"]
    text = paragraph(
        f"""{sheet.state} Tuned on {rows_of["train"]:,} training questions (of {_listed(steps["train"])} deductions),
        asked {rows_of["dev"]:,} dev questions (of {_listed(steps["dev"])}), greedy; learning rate
        {fit["learning_rate"]:g}, {fit["epochs"]:g} epochs, batches of {fit["batch_size"]}. `reasoning`: tuned on the
        gold deductions and the answer; `direct`: on the answer alone. **Chance is {100 * chance["coin"]:.0f} %**;
        always the training file's most frequent answer gives {100 * chance["most_frequent_of_train"]:.1f} %. Texts
        longer than the context of {sheet["context"]} tokens were left out of training; dev questions all count,
        whether or not their gold reply would fit. Intervals cover questions and, with several seeds, the tuning."""
    )
    return f"{text}\n\n{table(head, rows)}\n\n{missing}".strip()


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))


def member_short(one: Known) -> list[str]:
    """Return what falls short with a member, by its figures."""
    found = list(MEMBER_SHORT.get(one.name, ()))
    for kind in one.world.kinds if one.world.usable else ():
        unshown = []
        for level, usual in one.world["questions"][kind]["levels"].items():
            greedy = [one.world.levels(kind, *way)[level] for way in one.world.ways if way[1] == "greedy"]
            if all(wilson(counts["right"], counts["asked"])[0] <= usual["share"] for counts in greedy):
                unshown.append(level)
        if unshown:
            found.append(
                f"{kind}: at difficulty {', '.join(unshown)} no way of asking is shown to be above always giving the "
                "most frequent answer (greedy, 95 % interval)."
            )
    if one.prontoqa.usable:
        summary, chance = one.prontoqa["found"]["summary"], max(one.prontoqa["chance"].values())
        unshown = [arm for arm in one.prontoqa["too_long"] if summary["arms"][arm]["low"] <= chance]
        found += [f"ProntoQA, {arm}: not shown to be above chance." for arm in unshown]
        if summary["reasoning_against_direct"]["low"] <= 0:
            found.append("ProntoQA: tuning on the deductions is not shown to be better than on answers alone.")
    return found


def prose_short(members: list[Known]) -> list[str]:
    """Return what falls short with these members by what is known of their making, and by how they hear counts."""
    readers = [one for one in members if one.reading]
    return [*FAMILY_SHORT, *(READER_SHORT if readers else ()), *verdicts(readers)[1:]]


def family_short(members: list[Known]) -> list[str]:
    """Return what falls short with the family: prose, and steps between members of one architecture not climbed."""
    sizes = sorted(one.parameters / 1e6 for one in members)
    found = [
        *prose_short(members),
        f"Sizes go from {sizes[0]:.2f} to {sizes[-1]:.2f} million parameters. Six million were planned; the hours that "
        "they take on a CPU are why there is no such member.",
    ]
    measured = sorted((one for one in members if one.world.usable), key=lambda one: one.parameters)
    for family in dict.fromkeys(one.family for one in measured):
        for small, large in pairwise([one for one in measured if one.family == family]):
            for kind in small.world.kinds:
                levels = [one.world.levels(kind, "reasoning", "greedy") for one in (small, large)]
                ends = [wilson(total(counts, "right"), total(counts, "asked")) for counts in levels]
                if ends[1][0] <= ends[0][1]:
                    found.append(
                        f"{large.name} is not shown to be better than {small.name} on {kind} (reasoning asked for, "
                        "greedy, all difficulties: the 95 % intervals overlap)."
                    )
    return found


def licence() -> str:
    """Return the repository's licence, by its SPDX name."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["license"])


def opening() -> str:
    """Return the head of a card that the Hub reads."""
    fields = {"license": licence().lower(), "library_name": "transformers", "pipeline_tag": "text-generation"}
    lines = "\n".join(f"{key}: {value}" for key, value in {**fields, "language": "en"}.items())
    return f"---\n{lines}\n---\n\n<!-- Written by scripts/zoo_card.py. -->"


def tokenizers(members: list[Known]) -> str:
    """Return who shares a tokenizer with whom."""
    sharing: dict[str, list[str]] = {}
    for one in members:
        sharing.setdefault(one.files["tokenizer.json"], []).append(one.name)
    return "; ".join(f"{', '.join(names)} {'share' if len(names) > 1 else 'has'} one" for names in sharing.values())


def family_card(members: list[Known]) -> str:
    """Return the card of the family."""
    size = sum((one.folder / zoo.WEIGHTS).stat().st_size for one in members) / 1e6
    return f"""\
{opening()}

# The zoo: {", ".join(one.name for one in members)}

{len(members)} small language models, pretrained from scratch on the corpus of w2sg's embedded world. They exist to
develop and try weak-to-strong methods on a laptop, and for nothing else. Every result on the zoo depends on what is
written here; each member's own card has its settings, loss curve, full accuracy and hashes.

{shapes(members)}

bfloat16 safetensors, {size:.1f} MB of weights in all. Tokenizers: {tokenizers(members)}. Made by `w2sg zoo build
MEMBER`; `{zoo.MANIFEST}` has the SHA-256 of every file, which a test checks.

## What the corpus holds

{other_version(members)}{data(members)}

## Accuracy in the world

{family_accuracy(members)}

## Whether it can judge methods

{criteria()}

{hearing(members)}## Outside the world: ProntoQA

{prontoqa(members)}

## What falls short

{bullets(family_short(members))}
{bullets([f"{one.name}: {line}" for one in members for line in member_short(one)])}

## Licence

{licence()}. The texts are generated; no outside data went in.
"""


def second_begins(one: Known) -> str:
    """Return where in the loss curve the second reading begins; nothing without one."""
    if not one.reading:
        return ""
    begins = (one.tokens - one.reading["tokens"]) / 1e6
    return f"The second reading, of another mixture, begins at {begins:.1f} million tokens.\n\n"


def member_card(one: Known) -> str:
    """Return the card of a member."""
    settings = [f"{key.replace('_', ' ')} {value}" for key, value in one.settings.items()]
    files = [[file, f"`{digest}`"] for file, digest in one.files.items()]
    return f"""\
{opening()}

# zoo/{one.name}

One of [the zoo's](../{CARD}) small language models, pretrained from scratch on the corpus of w2sg's embedded world, to
develop and try weak-to-strong methods on a laptop, and for nothing else.

{shapes([one])}

## Pretraining

![Loss by tokens seen]({CURVE})

{second_begins(one)}Made by `w2sg zoo build {one.name}`. Its record: {", ".join(settings)}.

## Data

{other_version([one])}{data([one])}

## Accuracy in the world

{accuracy(one.world)}

{hearing([one])}## Outside the world: ProntoQA

{prontoqa([one])}

## What falls short

{bullets([*member_short(one), *prose_short([one])])}

## Files

{table(["file", "SHA-256"], files)}

## Licence

{licence()}. The texts are generated; no outside data went in.
"""


def pages(members: list[Known]) -> dict[Path, str]:
    """Return the content of every card and curve."""
    found = {zoo.home() / CARD: family_card(members)}
    for one in members:
        found[one.folder / README] = member_card(one)
        found[one.folder / CURVE] = curve(one.losses, int(one.record["steps"]), one.tokens)
    return found


def main() -> int:
    """Write the cards, or check them."""
    stale = 0
    for path, text in pages(shipped()).items():
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            continue
        if "--check" in sys.argv[1:]:
            stale = 1
            print(f"{path.relative_to(ROOT)} is stale: run python scripts/zoo_card.py")
        else:
            write_atomic(path, text)
    return stale


if __name__ == "__main__":
    sys.exit(main())
