import runpy
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from w2sg.errors import DataError
from w2sg.metrics import bootstrap
from w2sg.metrics.bootstrap import Family
from w2sg.metrics.verdict import accuracy_in, compare, compare_in, holm, mcnemar, points, recovered_in
from w2sg.report.alarms import CHANCE_SHOWN
from w2sg.seeding import stream


def arm(rows, first_seed=0):
    """{seed: {id: correct}} from rows of 0 and 1, one per seed."""
    return {first_seed + s: {f"q{n:04}": bool(value) for n, value in enumerate(row)} for s, row in enumerate(rows)}


def constant(value, items, seeds=1):
    return arm([[value] * items] * seeds)


def noisy(generator, accuracy, items, seeds=1, seed_spread=0.0):
    level = np.log(accuracy / (1 - accuracy)) + generator.normal(0, seed_spread, (seeds, 1))
    return arm(generator.random((seeds, items)) < 1 / (1 + np.exp(-level)))


def test_by_hand_one_seed():
    """8 items; the method alone is right on 3, the other alone on 1: (5 - 3) / 8, McNemar 2 * (1 + 4) / 16."""
    found = compare(arm([[1, 1, 1, 1, 1, 0, 0, 0]]), arm([[1, 1, 0, 0, 0, 1, 0, 0]]))
    assert found.difference == 0.25
    assert found.p == pytest.approx(10 / 16)
    assert found.low < 0 < 0.25 < found.high
    assert (found.items, found.seeds) == (8, 1)
    assert found.basis == "seeds: 1, interval over items only"


def test_by_hand_two_seeds():
    """Means over seeds: method (1 + 1/2) / 2, other (1/2 + 0) / 2 on two items."""
    found = compare(arm([[1, 1], [1, 0]]), arm([[1, 0], [0, 0]]))
    assert found.difference == 0.5
    assert found.basis == "seeds: 2, interval over seeds and items"


def test_mcnemar_by_hand():
    assert mcnemar([1] * 5 + [0], [0] * 5 + [1]) == pytest.approx(2 * (1 + 6) / 64)
    assert mcnemar([1, 0], [1, 0]) == 1.0


@pytest.mark.parametrize("seeds", [1, 3])
def test_identical_arms(seeds):
    """A null control: no difference, p 1, and an interval that still admits what n items cannot exclude."""
    same = noisy(np.random.default_rng(0), 0.5, 100, seeds)
    found = compare(same, same)
    assert (found.difference, found.p) == (0.0, 1.0)
    assert -0.04 < found.low < 0 < found.high < 0.04


def test_all_correct_against_none():
    found = compare(constant(1, 200), constant(0, 200))
    assert (found.difference, found.high) == (1.0, 1.0)
    assert 0.95 < found.low < 1
    assert found.p < 1e-50


@pytest.mark.parametrize("resamples", [200, 1000])
def test_rounding_shows_nothing(resamples):
    """Five of 14 items won, none lost: the interval ends at 0, and not at what sums of floats make of it (3e-17)."""
    won, none = {0: {str(n): n < 5 for n in range(14)}}, {0: {str(n): False for n in range(14)}}
    assert compare(won, none, resamples=resamples).low == 0.0
    assert compare(none, won, resamples=resamples).high == 0.0


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_item_shows_nothing(seeds):
    found = compare(constant(1, 1, seeds), constant(0, 1, seeds))
    assert (found.difference, found.high) == (1.0, 1.0)
    assert found.low <= 0
    assert found.p == 1.0
    assert found.minimum_detectable > 0.5


def test_swapping_the_arms_mirrors_the_interval():
    generator = np.random.default_rng(3)
    a, b = noisy(generator, 0.7, 150, 3), noisy(generator, 0.5, 150, 3)
    one, other = compare(a, b), compare(b, a)
    assert other.difference == -one.difference
    assert other.low == pytest.approx(-one.high, abs=0.01)
    assert other.p == pytest.approx(one.p, abs=0.005)


def test_items_are_joined_by_id_not_position():
    a, b = arm([[1, 1, 0, 0]]), arm([[1, 0, 0, 0]])
    turned = {0: dict(reversed(b[0].items()))}
    assert compare(a, turned) == compare(a, b)


def test_missing_ids_are_refused():
    with pytest.raises(DataError, match=r"No outcome of 'against' with seed 0 for 1 of 4 examples, first 'q0003'"):
        compare(constant(1, 4), constant(1, 3))
    with pytest.raises(DataError, match="'q0003'"):
        compare(constant(1, 3), constant(1, 4))
    with pytest.raises(DataError, match="holds no outcomes"):
        compare({}, constant(1, 4))
    with pytest.raises(DataError, match="holds no outcomes"):
        compare({0: {}}, {0: {}})
    with pytest.raises(DataError, match="no arms"):
        Family({})


def test_more_seeds_tell_more_and_their_spread_counts():
    """Same means; where the seeds disagree the interval is wider."""
    generator = np.random.default_rng(5)
    base = arm(np.tile(generator.random(300) < 0.5, (3, 1)))
    steady = arm(np.tile(generator.random(300) < 0.6, (3, 1)))
    row = np.array([*steady[0].values()], dtype=int)
    swing = arm([row, np.ones(300), np.zeros(300)])
    assert compare(swing, base).high - compare(swing, base).low > 3 * (
        compare(steady, base).high - compare(steady, base).low
    )


def test_seeds_are_paired_when_shared():
    """Arms that rise and fall together with the seed differ by little, and only pairing shows it."""
    items = 400
    rows = [[int(n < items * share) for n in range(items)] for share in (0.3, 0.5, 0.7)]
    higher = [[int(n < items * (share + 0.05)) for n in range(items)] for share in (0.3, 0.5, 0.7)]
    shared = compare(arm(higher), arm(rows))
    apart = compare(arm(higher), arm(rows, first_seed=10))
    assert shared.low > 0
    assert apart.low < 0 < apart.high


def naive_compare(a, b, resamples):
    """The same statistics on the same draws, one resample, one item at a time."""
    names = sorted(a[0])
    rows_a, rows_b = ([[arm[s][id] for id in names] for s in sorted(arm)] for arm in (a, b))
    seeds, n = len(rows_a), len(names)
    rows = [[x - y for x, y in zip(one, two, strict=True)] for one, two in zip(rows_a, rows_b, strict=True)]
    means = [sum(rows[s][i] for s in range(seeds)) / seeds for i in range(n)]
    seed_means = [sum(row) / n for row in rows]
    difference = sum(seed_means) / seeds
    spread = sum((m - difference) ** 2 for m in means) / (n - 1)
    noise = sum((rows[s][i] - means[i]) ** 2 for s in range(seeds) for i in range(n)) / (n * seeds * (seeds - 1))
    shrink = max(0.0, 1 - noise / spread) ** 0.5
    items, pseudo, signs = (stream(0, name) for name in ("items", "pseudo-items", "signs"))
    chance = stream(0, "seeds", *sorted(a))
    normals = chance.standard_normal((resamples, seeds))
    scales = chance.chisquare(seeds - 1, size=resamples)
    drawn, null = [], []
    for r in range(resamples):
        mean = sum(means[i] for i in items.integers(0, n, size=n)) / n
        won, lost = pseudo.poisson(1.0, size=2)
        centred = [normals[r][s] - sum(normals[r]) / seeds for s in range(seeds)]
        seed_part = sum(c * m for c, m in zip(centred, seed_means, strict=True)) / (seeds * scales[r]) ** 0.5
        drawn.append((n * (difference + shrink * (mean - difference)) + won - lost) / (n + 2) + seed_part)
        words = [int(word) for word in signs.integers(0, 2**64, size=-(-n // 64), dtype=np.uint64)]
        bits = [word >> (8 * byte + 7 - bit) & 1 for word in words for byte in range(8) for bit in range(8)]
        null.append(shrink * sum((2 * bit - 1) * m for bit, m in zip(bits, means, strict=False)) / n + seed_part)
    low, high = np.quantile(drawn, (0.025, 0.975))
    p = (1 + sum(abs(value) >= abs(difference) - 1e-12 for value in null)) / (resamples + 1)
    return difference, low, high, p


@pytest.mark.parametrize("block", [1, 1 << 18])
def test_the_fast_verdict_equals_its_naive_twin(block, monkeypatch):
    """Whatever the block size, and whoever else is in the family."""
    monkeypatch.setattr(bootstrap, "_BLOCK", block)
    generator = np.random.default_rng(7)
    a, b, other = (noisy(generator, accuracy, 70, 3, 0.3) for accuracy in (0.6, 0.5, 0.9))
    family = Family({"x": other, "a": a, "b": b}, resamples=300, seed=0)
    found = compare_in(family, "a", "b")
    assert (found.difference, found.low, found.high, found.p) == pytest.approx(naive_compare(a, b, 300), abs=1e-9)


def test_draws_are_not_kept():
    """All draws of 6,000 items would take 96 MB as counts; they are projected on the arms block by block."""
    family = Family({"a": constant(1, 6000), "b": constant(0, 6000)}, resamples=2000)
    tracemalloc.start()
    compare_in(family, "a", "b")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30e6


def coverage(seeds, items, seed_spread, trials=200):
    """Share of simulated studies whose interval holds the true difference (method .62 in logits' mean, other .5)."""
    generator = np.random.default_rng(11)

    def draw(items, seeds):
        item = generator.normal(0, 1, items)
        seed = generator.normal(0, seed_spread, (2, seeds, 1))
        own = generator.normal(0, 0.5, (2, 1, items))
        logits = item + seed + own + np.array([0.5, 0.0])[:, None, None]
        return generator.random((2, seeds, items)) < 1 / (1 + np.exp(-logits))

    many = [draw(2000, 200) for _ in range(10)]
    truth = np.mean([method.mean() - other.mean() for method, other in many])
    held = 0
    for _ in range(trials):
        method, other = draw(items, seeds)
        found = compare(arm(method), arm(other), resamples=500)
        held += found.low <= truth <= found.high
    return held / trials


@pytest.mark.parametrize(("seeds", "spread"), [(3, 0.0), (3, 0.6), (5, 0.3)])
def test_the_interval_covers_what_it_promises(seeds, spread):
    """Plain resampling of three seeds with a spread of 0.6 covers about 80 %."""
    assert 0.91 <= coverage(seeds, 200, spread) <= 0.995


@pytest.mark.parametrize("seeds", [1, 3])
def test_how_often_chance_is_shown_is_as_the_report_says(seeds):
    """A small run of the benchmark's simulation; the figures quoted to readers come from a large one."""
    simulate = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "verdict.py"))["shown_by_chance"]
    assert simulate(seeds, studies=200) == pytest.approx(CHANCE_SHOWN[seeds], abs=0.07)


def test_p_is_uniform_enough_when_nothing_differs():
    generator = np.random.default_rng(13)
    low = sum(
        compare(noisy(generator, 0.5, 60, 3, 0.2), noisy(generator, 0.5, 60, 3, 0.2), resamples=400).p <= 0.05
        for _ in range(200)
    )
    assert low / 200 <= 0.08


def test_minimum_detectable_difference_is_found_four_times_in_five():
    generator = np.random.default_rng(17)

    def study(gain, items=300):
        """An item is won with probability .15 + gain / 2 and lost with .15 - gain / 2."""
        drawn = generator.random((1, items))
        won, lost = drawn < 0.15 + gain / 2, drawn > 0.85 + gain / 2
        return compare(arm(won), arm(lost), resamples=400)

    detectable = np.mean([study(0.09).minimum_detectable for _ in range(20)])
    assert 0.08 < detectable < 0.1
    assert 0.72 <= np.mean([study(detectable).low > 0 for _ in range(300)]) <= 0.88


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_gap_recovered_by_hand():
    """Teacher .25, method .5, ceiling .75: half the gap."""
    n = 400
    family = Family(
        {
            "teacher": arm([[i % 4 < 1 for i in range(n)]]),
            "method": arm([[i % 4 < 2 for i in range(n)]]),
            "ceiling": arm([[i % 4 < 3 for i in range(n)]]),
        },
    )
    found = recovered_in(family, "method", weak="teacher", ceiling="ceiling")
    assert found.value == 0.5
    assert 0.4 < found.low < 0.5 < found.high < 0.6
    assert found.reason == ""


def test_gap_recovered_is_refused_without_a_gap():
    generator = np.random.default_rng(19)
    weak, near = noisy(generator, 0.5, 50), noisy(generator, 0.5, 50)
    family = Family({"teacher": weak, "ceiling": near, "low": constant(0, 50), "method": near})
    found = recovered_in(family, "method", weak="teacher", ceiling="ceiling")
    assert (found.value, found.low, found.high) == (None, None, None)
    assert found.reason.startswith("the ceiling is not shown to be above the teacher: ")
    assert recovered_in(family, "method", weak="teacher", ceiling="low").reason.startswith(
        "the ceiling is below the teacher: −"
    )


def test_gap_interval_is_wide_when_the_gap_is_small():
    """Fieller's set, not the spread of a ratio: a gap just shown gives an interval far beyond it."""
    generator = np.random.default_rng(23)
    family = Family(
        {
            "teacher": noisy(generator, 0.40, 400),
            "method": noisy(generator, 0.44, 400),
            "ceiling": noisy(generator, 0.50, 400),
        }
    )
    found = recovered_in(family, "method", weak="teacher", ceiling="ceiling")
    assert found.value is not None
    assert found.high - found.low > 0.8


def test_accuracy_interval():
    one = accuracy_in(Family({"a": arm([[1] * 8 + [0] * 2])}), "a")
    assert (one.value, one.low, one.high) == pytest.approx((0.8, 0.49016, 0.94332), abs=1e-4)  # Wilson, by hand
    assert one.basis == "seeds: 1, interval over items only"
    sure = accuracy_in(Family({"a": constant(1, 10, 3)}), "a")
    assert sure.value == sure.high == 1.0
    assert 0.6 < sure.low < 0.8
    several = accuracy_in(Family({"a": noisy(np.random.default_rng(0), 0.7, 200, 3, 0.3)}), "a")
    assert 0 < several.low < several.value < several.high < 1


@pytest.mark.parametrize(("share", "text"), [(0.0621, "+6.2"), (-0.01, "−1.0"), (0.0, "0.0"), (-0.0001, "0.0")])
def test_points(share, text):
    assert points(share) == text


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_outcomes_give_finite_ordered_numbers(data):
    seeds, items = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 12))
    row = st.lists(st.booleans(), min_size=items, max_size=items)
    rows = st.lists(row, min_size=seeds, max_size=seeds)
    family = Family({name: arm(data.draw(rows)) for name in ("a", "b", "c")}, resamples=200)
    found = compare_in(family, "a", "b")
    assert -1 <= found.low <= found.difference <= found.high <= 1
    assert 0 < found.p <= 1
    assert 0 < found.minimum_detectable <= 1
    gap = recovered_in(family, "a", weak="b", ceiling="c")
    assert (gap.value is None) == bool(gap.reason)
    if gap.value is not None:
        assert np.isfinite([gap.low, gap.value, gap.high]).all()
        assert gap.low <= gap.value <= gap.high
