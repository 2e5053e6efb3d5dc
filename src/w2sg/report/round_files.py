"""What the rounds behind an ensemble left in the store: their verdicts, where the weight lay, how alike their experts'
errors are, the heaviest tokens in their texts, and how many experts were kept. Read, not measured again; means over
seeds are `rounds`'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from w2sg.ensemble.distribution import Floats
from w2sg.ensemble.prefix import fewest_best
from w2sg.errors import ModelError
from w2sg.metrics.diversity import Bits, phi
from w2sg.models.dialogue import Dialogue
from w2sg.records import Target, by_id
from w2sg.report.arms import ChoiceMade, ExpertPair, RoundsMade
from w2sg.report.schema_rounds import HeavyToken, SeedRound
from w2sg.runs.store import Store
from w2sg.steps.base import Step
from w2sg.steps.boost import BoostSettings
from w2sg.steps.boost_classes import ClassBoostSettings
from w2sg.steps.boost_files import Answer, final_answers, read_answer_rows, read_arrays, read_round
from w2sg.steps.choose import read_prefix_scores
from w2sg.steps.first_experts import is_spare
from w2sg.steps.inputs import read_targets

HEAVIEST = 6
"""Tokens shown of each ensemble at most."""

_ROUNDS = ("boost", "boost-classes")
_QUESTION, _BEFORE, _AFTER = 240, 160, 60  # characters shown


@dataclass(frozen=True)
class _Expert:
    """A round's expert: where it errs, and which tokens it did not learn."""

    number: int
    kept: bool
    wrong: Bits
    spared: Bits


class RoundReader:
    """Reads each ensemble's rounds once, however many methods rest on them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._made: dict[tuple[str, ...], RoundsMade] = {}
        self._dialogues: dict[str, Dialogue | None] = {}

    def behind(self, steps: Iterable[Step], seed: int | None) -> tuple[RoundsMade, ...]:
        """Return the rounds of every ensemble among `steps`, which are those of one seed; where one ensemble has the
        first few rounds of another, the longer one's alone.

        Raises:
            StoreError: a step is missing or damaged.
        """
        steps = list(steps)
        chains = {_names(rounds): rounds for step in steps if (rounds := _experts(step))}
        longest = [
            names
            for names in chains
            if not any(len(other) > len(names) and other[: len(names)] == names for other in chains)
        ]
        for names in longest:
            if names not in self._made:
                self._made[names] = self._read(chains[names], seed)
        choices = self._choices(steps)
        return tuple(
            replace(
                self._made[names],
                choice=next((choice for chain, choice in choices.items() if names[: len(chain)] == chain), None),
            )
            for names in longest
        )

    def _choices(self, steps: Iterable[Step]) -> dict[tuple[str, ...], ChoiceMade]:
        """Return how many experts were kept, by the rounds that made them; the first choice where there are several."""
        found: dict[tuple[str, ...], ChoiceMade] = {}
        for step in steps:
            if step.kind == "choose":
                scores = tuple(read_prefix_scores(self._store.folder(step)))
                kept = fewest_best([score.right for score in scores])
                found.setdefault(_names(_experts(step.parents["model"])), ChoiceMade(step.fingerprint, kept, scores))
        return found

    def _read(self, steps: Sequence[Step], seed: int | None) -> RoundsMade:
        first = steps[0]
        settings = first.settings
        assert isinstance(settings, BoostSettings | ClassBoostSettings)
        rows, final = self._weighed(first)
        rounds: list[SeedRound] = []
        experts: list[_Expert] = []
        weights, why = np.ones(sum(row.counted for row in rows)), ""
        for step in steps:
            folder = self._store.folder(step)
            told = read_round(folder)
            why = told["ends"]
            if "error" not in told:  # there was nothing to do: boosting had ended, or had all its experts
                continue
            arrays = read_arrays(folder)
            weights = arrays["weights"]
            share = None if final is None else float(weights[final].sum() / weights.sum())
            rounds.append(SeedRound(seed=seed, final_answer=share, **_told(told)))
            experts.append(_Expert(told["number"], told["kept"], arrays["wrong"], arrays["drawn"] == 0))
        return RoundsMade(
            names=_names(steps),
            asked=sum(not is_spare(step) for step in steps),
            model=Path(settings.model.config.path).name,
            unit="questions" if final is None else "tokens",
            measured=settings.boosting.measured,
            errors=settings.boosting.errors if isinstance(settings, BoostSettings) else "all",
            reweighted=settings.boosting.reweight,
            n=len(weights),
            final_tokens=None if final is None else float(final.mean()),
            rounds=tuple(rounds),
            why=why,
            pairs=tuple(_pairs(experts)),
            heaviest=self._heaviest(first, rows, weights, experts),
        )

    def _weighed(self, step: Step) -> tuple[list[Answer], Bits | None]:
        """Return the texts whose tokens are weighed, and which tokens belong to final answers; questions that are
        weighed whole are texts of one, and have no such tokens."""
        if isinstance(step.settings, ClassBoostSettings):
            targets = read_targets(self._store.folder(step.parents["targets"]))
            return [Answer(target.id, 1, 1, 0) for target in targets], None
        rows = [row for row in read_answer_rows(self._store.folder(step.parents["answers"])) if row.counted]
        return rows, final_answers(rows)

    def _heaviest(
        self, step: Step, rows: Sequence[Answer], weights: Floats, experts: Sequence[_Expert]
    ) -> tuple[HeavyToken, ...]:
        """Return the heaviest tokens in their texts, or the heaviest questions; none where all weigh the same, or
        where the base's tokenizer is not to be had any more: examples are no reason to withhold a report."""
        places = heaviest_places(weights, [row.counted for row in rows])
        whole = isinstance(step.settings, ClassBoostSettings)
        dialogue = self._dialogue(step) if places and not whole else None
        if dialogue is None and not whole:
            return ()
        targets = by_id(read_targets(self._store.folder(step.parents["targets"])), "training texts")
        ends = np.cumsum([row.counted for row in rows])
        found = []
        for place in places:
            number = int(np.searchsorted(ends, place, side="right"))
            target, inside = targets[rows[number].id], place - int(ends[number] - rows[number].counted)
            wrong = tuple(one.number for one in experts if one.wrong[place])
            if dialogue is None:
                found.append(heavy(target, ("", target.response, ""), float(weights[place]), wrong))
            else:
                found.append(heavy(target, around(dialogue, target.response, inside), float(weights[place]), wrong))
        return tuple(found)

    def _dialogue(self, step: Step) -> Dialogue | None:
        from w2sg.models.dialogue_load import load_dialogue

        settings = step.settings
        assert isinstance(settings, BoostSettings)
        answers = step.parents["answers"]
        key = f"{answers.fingerprint} {settings.model.config.path}"
        if key not in self._dialogues:
            vocabulary = int(read_arrays(self._store.folder(answers))["vocabulary"])
            try:
                self._dialogues[key] = load_dialogue(settings.model.config, vocabulary)
            except ModelError:
                self._dialogues[key] = None
        return self._dialogues[key]


def _experts(step: Step) -> list[Step]:
    """Return the rounds whose experts an ensemble has, in order; none for any other step."""
    return [
        parent for part, parent in sorted(step.parents.items()) if part.startswith("expert-") and parent.kind in _ROUNDS
    ]


def _names(rounds: Iterable[Step]) -> tuple[str, ...]:
    return tuple(step.fingerprint for step in rounds)


def _told(told: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in told.items() if name in SeedRound.model_fields}


def _pairs(experts: Sequence[_Expert]) -> Iterable[ExpertPair]:
    for one, other in combinations([expert for expert in experts if expert.kept], 2):
        fresh = one.spared & other.spared
        yield ExpertPair(
            one.number, other.number, phi(one.wrong, other.wrong), phi(one.wrong[fresh], other.wrong[fresh])
        )


def heaviest_places(weights: Floats, lengths: Sequence[int], count: int = HEAVIEST) -> list[int]:
    """Return the places of the heaviest tokens, one of each text, the heaviest first and of equals the first; none
    where all weigh the same."""
    if len(weights) == 0 or np.ptp(weights) == 0:
        return []
    text: NDArray[np.int64] = np.repeat(np.arange(len(lengths)), lengths)
    order = np.argsort(-weights, kind="stable")
    _, first = np.unique(text[order], return_index=True)
    return [int(order[place]) for place in np.sort(first)[:count]]


def around(dialogue: Dialogue, response: str, place: int) -> tuple[str, str, str]:
    """Return the text before a response's token at `place`, the token's, and what follows it; the end token has a
    text of its own."""
    ids = dialogue.response_ids(response)

    def text(count: int) -> str:
        decoded = dialogue.tokenizer.decode(ids[:count], skip_special_tokens=False, clean_up_tokenization_spaces=False)
        return str(decoded)

    before, upto, whole = text(place), text(place + 1), text(len(ids))
    return before, upto[len(before) :], whole[len(upto) :]


def heavy(target: Target, parts: tuple[str, str, str], weight: float, wrong: tuple[int, ...]) -> HeavyToken:
    """Return a token of a training text (what stands before it, itself, what follows) as the report shows it."""
    before, token, after = parts
    return HeavyToken(
        id=target.id,
        question=_end(target.prompt[-1].content, _QUESTION),
        before=_end(before, _BEFORE),
        token=_beginning(token, _QUESTION),
        after=_beginning(after, _AFTER),
        weight=weight,
        wrong=wrong,
    )


def _end(text: str, length: int) -> str:
    return text if len(text) <= length else f"…{text[-length:]}"


def _beginning(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}…"
