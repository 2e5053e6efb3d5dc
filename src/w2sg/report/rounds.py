"""From the rounds behind ensembles to the report: one row for each set of experts, whoever rests on them, with means
over seeds.

What a round left is read by `round_files`; tables are the terminal's and the page's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from w2sg.ensemble.config import Errors, Measured
from w2sg.report.arms import ArmResult, ChoiceMade, RoundsMade
from w2sg.report.schema_rounds import (
    ChoiceRow,
    EndRow,
    KeptRow,
    PairRow,
    PrefixRow,
    RoundRow,
    RoundsRow,
    SeedRound,
)

_MEASURED: dict[Measured, str] = {
    "in-sample": "on all {}, those that the expert learnt among them (in sample)",
    "out-of-bag": "on the {} that the expert was not trained on (out of bag)",
    "held-out": "on a part of the texts that was left out of the expert's training (held out)",
}
_COUNTED: dict[Errors, str] = {
    "all": "",
    "critical": ", those of final answers alone",
    "generations": ", where a whole answer generated freely is right or wrong",
}


@dataclass
class _Group:
    """One set of experts by seed, and the names of those that rest on it."""

    made: Mapping[int | None, RoundsMade]
    used_by: list[str]
    choices: dict[str, dict[int | None, ChoiceMade]] = field(default_factory=dict)

    def holds(self, made: Mapping[int | None, RoundsMade]) -> bool:
        """Whether the rounds of `made` are the first of this group's in every seed."""
        return all(
            seed in self.made and self.made[seed].names[: len(one.names)] == one.names for seed, one in made.items()
        )


def rounds_rows(task: str, by_method: Mapping[str, Sequence[ArmResult]]) -> Iterator[RoundsRow]:
    """Yield a row for every set of experts that was made in rounds. Methods that rest on the first few of another's
    share its row."""
    for group in _groups(by_method):
        made = list(group.made.values())
        one = made[0]
        pairs = tuple(_pairs(made))
        known = [pair.correlation for pair in pairs if pair.correlation is not None]
        shown_seed = next((seed for seed, rounds in group.made.items() if rounds.heaviest), next(iter(group.made)))
        shown = group.made[shown_seed]
        yield RoundsRow(
            task=task,
            used_by=tuple(group.used_by),
            model=one.model,
            measured=one.measured,
            errors=one.errors,
            reweighted=one.reweighted,
            asked=one.asked,
            unit=one.unit,
            n=fmean(rounds.n for rounds in made),
            final_tokens=_known([rounds.final_tokens for rounds in made]),
            rounds=tuple(_rounds(made)),
            ends=tuple(_end(seed, rounds) for seed, rounds in group.made.items()),
            pairs=pairs,
            correlation=fmean(known) if known else None,
            heaviest_seed=shown_seed,
            heaviest_round=shown.rounds[-1].number if shown.rounds else 1,
            heaviest=shown.heaviest,
            choices=tuple(_choices(group.choices)),
        )


def told(row: RoundsRow) -> str:
    """Return what the table of some rounds does not hold: what measured the errors, how alike they are, where and why
    boosting ended before its time, and how many experts were kept where that was chosen."""
    weighed = _MEASURED[row.measured].format("answer tokens" if row.unit == "tokens" else "questions")
    said = [f"Errors are measured {weighed}{_COUNTED[row.errors]}."]
    if row.measured == "held-out":
        said.append("Every round leaves out another part; what is not in it keeps its weight.")
    if not row.reweighted:
        said.append("Nothing is reweighted: every expert draws anew from equal weights, and all are kept.")
    if row.correlation is not None:
        said.append(f"The experts' errors correlate at {row.correlation:.2f}, the mean over pairs and seeds.")
    elif row.pairs:
        said.append("The experts' errors have no correlation: of every two one errs everywhere or nowhere.")
    ended = [end for end in row.ends if end.why]
    if ended:
        seeds = "; ".join(f"seed {end.seed} with round {end.trained}, as {end.why}" for end in ended)
        said.append(f"Boosting ended in {len(ended)} of {len(row.ends)} seeds: {seeds}.")
    return " ".join([*said, *map(_chosen, row.choices)])


def _chosen(row: ChoiceRow) -> str:
    seeds = ", ".join(f"{one.experts} of {one.of} with seed {one.seed}" for one in row.kept)
    right = ", ".join(
        f"{100 * one.accuracy:.1f} % with {one.experts}"
        + (f" ({one.seeds} of {len(row.kept)} seeds)" if one.seeds < len(row.kept) else "")
        for one in row.prefixes
    )
    return (
        f"Experts kept by the questions of validate, for {', '.join(row.used_by)}: {seeds}. Right on these "
        f"{row.n:.0f}: {right} (the largest was picked as such, so it flatters)."
    )


def _groups(by_method: Mapping[str, Sequence[ArmResult]]) -> list[_Group]:
    sets: dict[str, dict[int | None, RoundsMade]] = {}
    for method, members in by_method.items():
        for arm in members:
            for place, made in enumerate(arm.rounds):
                name = f"{method} (supervisor {place + 1})" if place else method
                sets.setdefault(name, {})[arm.seed] = made
    groups: list[_Group] = []
    for name, found in sorted(sets.items(), key=lambda item: -sum(len(made.names) for made in item[1].values())):
        group = next((group for group in groups if group.holds(found)), None)
        chosen = {seed: made.choice for seed, made in found.items() if made.choice is not None}
        if group is None:
            groups.append(_Group(found, [name], {name: chosen} if chosen else {}))
            continue
        if chosen:
            group.choices[name] = chosen
        count = max(made.asked for made in found.values())
        whole = max(made.asked for made in group.made.values())
        group.used_by.append(name if count == whole else f"{name} (the first {count})")
    order = list(sets)
    return sorted(groups, key=lambda group: order.index(group.used_by[0]))


def _rounds(made: Sequence[RoundsMade]) -> Iterator[RoundRow]:
    for number in range(1, max(len(one.rounds) for one in made) + 1):
        same = [found for one in made for found in one.rounds if found.number == number]
        yield RoundRow(
            number=number,
            seeds=len(same),
            kept=sum(found.kept for found in same),
            error=_mean(same, "error"),
            prior=_mean(same, "prior"),
            alpha=_mean(same, "alpha"),
            normaliser=_mean(same, "normaliser"),
            effective_size=_mean(same, "effective_size"),
            heaviest=_mean(same, "heaviest"),
            final_answer=_known([found.final_answer for found in same]),
            mass=_mean(same, "mass"),
            by_seed=tuple(same),
        )


def _choices(by_name: Mapping[str, Mapping[int | None, ChoiceMade]]) -> Iterator[ChoiceRow]:
    """Yield every choice once, whoever rests on it."""
    same: dict[tuple[str, ...], list[str]] = {}
    for name, by_seed in by_name.items():
        same.setdefault(tuple(one.name for one in by_seed.values()), []).append(name)
    for names in same.values():
        by_seed = by_name[names[0]]
        yield ChoiceRow(
            used_by=tuple(names),
            n=fmean(one.prefixes[0].n for one in by_seed.values()),
            kept=tuple(KeptRow(seed=seed, experts=one.kept, of=len(one.prefixes)) for seed, one in by_seed.items()),
            prefixes=tuple(_prefixes(list(by_seed.values()))),
        )


def _prefixes(choices: Sequence[ChoiceMade]) -> Iterator[PrefixRow]:
    for count in range(1, max(len(one.prefixes) for one in choices) + 1):
        found = [one.prefixes[count - 1] for one in choices if len(one.prefixes) >= count]
        yield PrefixRow(
            experts=count,
            seeds=len(found),
            kept=sum(one.kept == count for one in choices),
            accuracy=fmean(score.accuracy for score in found),
            unparsed=fmean(score.unparsed / score.n for score in found),
        )


def _end(seed: int | None, made: RoundsMade) -> EndRow:
    return EndRow(seed=seed, trained=len(made.rounds), why=made.why)


def _mean(rounds: Iterable[SeedRound], name: str) -> float:
    return fmean(getattr(one, name) for one in rounds)


def _pairs(made: Sequence[RoundsMade]) -> Iterator[PairRow]:
    places = sorted({(pair.first, pair.second) for one in made for pair in one.pairs})
    for first, second in places:
        same = [pair for one in made for pair in one.pairs if (pair.first, pair.second) == (first, second)]
        yield PairRow(
            first=first,
            second=second,
            seeds=len(same),
            correlation=_known([pair.correlation for pair in same]),
            unlearnt=_known([pair.unlearnt for pair in same]),
        )


def _known(values: Sequence[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return fmean(found) if found else None
