"""Intervals and verdicts, compared with published examples, with other computations, and by their properties."""

from fractions import Fraction
from math import comb, isclose, log, sqrt
from statistics import fmean, stdev

import pytest
from hypothesis import given, settings, strategies as st

from millrace import inference
from millrace.inference import Comparable, Interval, Pairs, Sample, Stratum

LEVELS = (0.95, inference.claim_level(4))


@pytest.mark.parametrize(
    ("freedom", "level", "expected"),
    [
        pytest.param(1, 0.95, 12.7062, id="one"),
        pytest.param(2, 0.95, 4.30265, id="two"),
        pytest.param(10, 0.95, 2.22814, id="ten"),
        pytest.param(5, 0.99, 4.03214, id="five at 99 %"),
        pytest.param(30, 0.998, 3.38518, id="thirty at 99.8 %"),
        pytest.param(1e7, 0.95, 1.959964, id="as many as the normal distribution"),
    ],
)
def test_quantiles_of_t_are_those_of_the_tables(freedom: float, level: float, expected: float) -> None:
    assert inference.t_quantile(level, freedom) == pytest.approx(expected, rel=2e-6)


def test_broken_degrees_of_freedom_lie_between_whole_ones() -> None:
    assert inference.t_quantile(0.95, 2) < inference.t_quantile(0.95, 1.5) < inference.t_quantile(0.95, 1)


def test_three_of_37_reverted_is_anything_from_3_to_21_percent() -> None:
    found = inference.wilson(3, 37)
    assert found
    assert (round(found.low, 3), round(found.high, 3)) == (0.028, 0.213)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 60), st.integers(1, 60))
def test_limits_of_a_rate_are_where_it_is_just_possible(events: int, n: int) -> None:
    events = min(events, n)
    found = inference.wilson(events, n)
    assert found
    assert 0 <= found.low <= events / n <= found.high <= 1
    for limit in (found.low, found.high):  # Wilson's definition: the rate is 1.96 standard errors of the limit away
        assert limit in (0, 1) or isclose(
            abs(events / n - limit), 1.959964 * sqrt(limit * (1 - limit) / n), rel_tol=1e-4
        )


@pytest.mark.parametrize("level", LEVELS)
def test_limits_of_a_median_are_the_narrowest_ranks_that_hold(level: float) -> None:
    for n in range(1, 120):
        below = [Fraction(sum(comb(n, k) for k in range(rank)), 2**n) for rank in range(n // 2 + 2)]
        ranks = [rank for rank in range(1, n // 2 + 1) if 1 - 2 * below[rank] >= level]
        found = inference.median_percentiles(n, level)
        assert (found is None) == (not ranks)
        if found:
            assert [round(place * (n - 1)) + 1 for place in found] == [ranks[-1], n + 1 - ranks[-1]]


def test_difference_of_rates_is_that_of_newcombes_first_example() -> None:
    one, other = inference.wilson(56, 70), inference.wilson(48, 80)
    assert one
    assert other
    found = inference.difference(one, other)
    assert (round(found.value, 4), round(found.low, 4), round(found.high, 4)) == (0.2, 0.0524, 0.3339)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 1000)), min_size=3, max_size=40))
def test_error_of_a_ratio_is_near_what_is_left_when_each_pair_is_left_out(pairs: list[tuple[int, int]]) -> None:
    x, y, n = sum(a for a, _ in pairs), sum(b for _, b in pairs), len(pairs)
    sums = Pairs(n, x, y, sum(a * a for a, _ in pairs), sum(b * b for _, b in pairs), sum(a * b for a, b in pairs))
    found = inference.ratio(sums, x / y)
    assert found
    linear = [(a - x / y * b) / (y / n) for a, b in pairs]  # the influence of each pair
    error = stdev(linear) / sqrt(n)
    assert isclose(found.high - found.low, 2 * inference.t_quantile(0.95, n - 1) * error, rel_tol=1e-6, abs_tol=1e-4)


def test_relative_change_of_what_can_be_zero_has_no_interval() -> None:
    assert inference.relative_change(Interval(2, 1, 3), Interval(1, 0, 2)) is None
    found = inference.relative_change(Interval(2, 1, 4), Interval(1, 0.5, 2))
    assert found
    assert found.value == pytest.approx(1)
    assert log(found.high + 1) == pytest.approx(log(2) + sqrt(2) * log(2))


def sample(values: list[float]) -> Sample:
    return Sample(len(values), sum(values), sum(value * value for value in values))


def test_effect_of_people_who_differ_is_the_t_interval_over_them() -> None:
    differences = [1.0, 4.0, -2.0, 8.0, 3.0, 5.0]
    strata = [Stratum(f"p{n}", sample([0.0, 0.1]), sample([d, d + 0.1])) for n, d in enumerate(differences)]
    found = inference.within(Comparable.of(strata))
    assert found
    half = inference.t_quantile(0.95, 5) * stdev(differences) / sqrt(6)
    shown = found.interval()
    assert (shown.value, shown.low) == pytest.approx((fmean(differences), fmean(differences) - half))


def test_people_who_agree_by_chance_are_as_certain_as_their_rows() -> None:
    strata = [Stratum(f"p{n}", sample([0.0, 10.0]), sample([1.0, 11.0])) for n in range(4)]
    found = inference.within(Comparable.of(strata))
    assert found
    assert (found.difference, found.error) == pytest.approx((1.0, sqrt(50 / 4)))


def test_nothing_reverted_at_all_is_not_certainly_equal() -> None:
    none = sample([0.0] * 20)
    found = inference.within(Comparable.of(Stratum(f"p{n}", none, none) for n in range(4)), are_shares=True)
    assert found
    assert found.interval().low < 0 < found.interval().high


VALUES = st.lists(st.integers(-50, 50).map(float), max_size=6)
STRATA = st.lists(st.tuples(st.sampled_from("abcde"), VALUES, VALUES, st.integers(-9, 9)), min_size=1, max_size=12)


@settings(deadline=None, max_examples=40)
@given(STRATA)
def test_effect_is_blind_to_what_people_and_places_have_in_common(
    rows: list[tuple[str, list[float], list[float], int]],
) -> None:
    plain = [Stratum(person, sample(low), sample(high)) for person, low, high, _ in rows]
    moved = [
        Stratum(person, sample([x + 10 * by for x in low]), sample([x + 10 * by for x in high]))
        for person, low, high, by in rows
    ]
    swapped = [Stratum(each.person, each.high, each.low) for each in plain]
    one, other, mirrored = (inference.within(Comparable.of(each)) for each in (plain, moved, swapped))
    assert (one is None) == (len({each.person for each in plain if each.low.n and each.high.n}) < 2)
    if one and other and mirrored:
        assert other.difference == pytest.approx(one.difference, abs=1e-6)
        assert other.error == pytest.approx(one.error, rel=1e-4, abs=1e-6)
        assert mirrored.difference == pytest.approx(-one.difference, abs=1e-9)
        assert mirrored.error == pytest.approx(one.error, rel=1e-6, abs=1e-9)


def test_too_few_are_under_20_pull_requests_or_3_people() -> None:
    def of(people: int, low: int, high: int) -> bool:
        return Comparable.of(Stratum(f"p{n}", Sample(low, 0, 0), Sample(high, 0, 0)) for n in range(people)).is_enough

    assert of(4, 5, 5)
    assert not of(4, 5, 4)
    assert not of(2, 50, 50)


def test_a_claim_allows_for_the_number_of_measures() -> None:
    assert inference.claim_level(1) == pytest.approx(0.99)
    assert inference.claim_level(4) == pytest.approx(0.9975)
