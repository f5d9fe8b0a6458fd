"""Intervals and verdicts: how far a number could be chance. Pure functions of counts, sums and ranks.

Each interval that is shown has a level of 95 %. A claim needs more: of several measures that have no effect, one in
twenty is outside such an interval. `claim_level` is the level at which all claims of one answer together are wrong in
1 % of the answers without any effect (Bonferroni).
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, expm1, fsum, lgamma, log, log1p, sqrt
from statistics import NormalDist

SHOWN_LEVEL = 0.95
MIN_PULL_REQUESTS = 20
MIN_PEOPLE = 3
_WRONG_ANSWERS = 0.01
_STEPS = 200


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate between its two limits."""

    value: float
    low: float
    high: float

    def is_without(self, value: float) -> bool:
        """Return whether a value is outside."""
        return not self.low <= value <= self.high


def claim_level(measures: int) -> float:
    """Return the level of each of so many intervals that hold all together in 99 % of the answers."""
    return 1 - _WRONG_ANSWERS / measures


def normal_quantile(level: float) -> float:
    """Return how many standard errors are on either side of the mean at a level: 1.96 at 95 %."""
    return NormalDist().inv_cdf((1 + level) / 2)


def t_quantile(level: float, freedom: float) -> float:
    """Return the same for Student's t, whose degrees of freedom need not be whole: 2.228 at 95 % and 10.

    P(|t| > x) is the regularised incomplete beta function I(f / (f + x²); f/2, 1/2), https://dlmf.nist.gov/8.17. It is
    solved for its argument by bisection.
    """
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if _incomplete_beta(middle, freedom / 2, 0.5) < 1 - level:
            low = middle
        else:
            high = middle
    return sqrt(freedom * (1 - high) / high)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """Return I(x; a, b) by its continued fraction, https://dlmf.nist.gov/8.17.E22, from the front (Lentz's method)."""
    if not 0 < x < 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(1 - x, b, a)
    upper, lower = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    fraction = lower
    for m in range(1, _STEPS):
        before = fraction
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            lower, upper = 1 / (1 + term * lower), 1 + term / upper
            fraction *= lower * upper
        if abs(fraction - before) <= 1e-15 * fraction:
            break
    return exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) * fraction / a


def wilson(events: int, n: int, level: float = SHOWN_LEVEL) -> Interval | None:
    """Return a rate with Wilson's score interval (1927, doi:10.1080/01621459.1927.10502953); None of nothing.

    It is within 0..1, and holds for few events: 0 of 20 are not certainly 0 %.
    """
    if not n:
        return None
    z, rate = normal_quantile(level), events / n
    middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return Interval(rate, min(rate, max(0.0, middle - half)), max(rate, min(1.0, middle + half)))


def median_percentiles(n: int, level: float = SHOWN_LEVEL) -> tuple[float, float] | None:
    """Return the two percentiles of n values that are the limits of their median's interval; None of too few.

    The limits are two of the values. The median is below the value of rank r with the probability that fewer than r of
    n coins are heads, whatever the distribution (Conover, Practical Nonparametric Statistics, 3.2). The continuous
    percentile (r - 1) / (n - 1) of SQL is that value.
    """
    rank, below, log_half = 0, 0.0, n * log(2)
    while rank <= n // 2:
        below += exp(lgamma(n + 1) - lgamma(rank + 1) - lgamma(n - rank + 1) - log_half)
        if below > (1 - level) / 2:
            break
        rank += 1
    return ((rank - 1) / (n - 1), (n - rank) / (n - 1)) if rank and n > 1 else None


@dataclass(frozen=True, slots=True)
class Pairs:
    """Sums over n pairs (x, y), for the ratio of the sums: of x, of y, of their squares and of their products."""

    n: int
    x: float
    y: float
    xx: float
    yy: float
    xy: float


def ratio(pairs: Pairs, value: float, level: float = SHOWN_LEVEL) -> Interval | None:
    """Return the ratio `value` of two sums with its interval (Cochran, Sampling Techniques, 6.4); None of too few.

    The pairs vary around the ratio: it is as certain as they are many and alike.
    """
    if pairs.n < 2 or not pairs.y:
        return None
    middle = pairs.x / pairs.y
    squares = max(0.0, pairs.xx - 2 * middle * pairs.xy + middle * middle * pairs.yy)
    error = sqrt(squares * pairs.n / (pairs.n - 1)) / abs(pairs.y)
    half = t_quantile(level, pairs.n - 1) * error
    return Interval(value, value - half, value + half)


def difference(now: Interval, before: Interval) -> Interval:
    """Return the difference of two independent estimates, from their intervals, at the same level.

    Each limit adds the squares of the two distances that point its way (Newcombe 1998,
    doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I; Zou and Donner 2008, doi:10.1002/sim.3095).
    """
    value = now.value - before.value
    down = sqrt((now.value - now.low) ** 2 + (before.high - before.value) ** 2)
    up = sqrt((now.high - now.value) ** 2 + (before.value - before.low) ** 2)
    return Interval(value, value - down, value + up)


def relative_change(now: Interval, before: Interval) -> Interval | None:
    """Return by which share an estimate changed, by the difference of logarithms; None unless both are above 0."""
    if min(now.low, before.low) <= 0:
        return None
    found = difference(*(Interval(log(each.value), log(each.low), log(each.high)) for each in (now, before)))
    return Interval(expm1(found.value), expm1(found.low), expm1(found.high))


@dataclass(frozen=True, slots=True)
class Sample:
    """Values of one group: how many, their sum, and the sum of their squares."""

    n: int
    total: float
    squares: float

    @property
    def mean(self) -> float:
        """The mean."""
        return self.total / self.n

    @property
    def deviation(self) -> float:
        """The sum of the squares of the distances from the mean."""
        return max(0.0, self.squares - self.total * self.total / self.n)


@dataclass(frozen=True, slots=True)
class Stratum:
    """What is comparable: the values of one person in one place, with little and with much of what is examined."""

    person: str
    low: Sample
    high: Sample


@dataclass(frozen=True, slots=True)
class Effect:
    """A difference within people, high minus low, with its standard error and degrees of freedom."""

    difference: float
    error: float
    freedom: float

    def interval(self, level: float = SHOWN_LEVEL) -> Interval:
        """Return the difference between its limits at a level."""
        half = t_quantile(level, self.freedom) * self.error
        return Interval(self.difference, self.difference - half, self.difference + half)


@dataclass(frozen=True, slots=True)
class Comparable:
    """The strata that have values of both groups; the others say nothing about a difference within people."""

    strata: tuple[Stratum, ...]

    @classmethod
    def of(cls, strata: Iterable[Stratum]) -> "Comparable":
        """Return the comparable ones of all strata."""
        return cls(tuple(each for each in strata if each.low.n and each.high.n))

    @property
    def people(self) -> int:
        """How many people they are of."""
        return len({each.person for each in self.strata})

    @property
    def n_low(self) -> int:
        """How many values there are with little."""
        return sum(each.low.n for each in self.strata)

    @property
    def n_high(self) -> int:
        """How many values there are with much."""
        return sum(each.high.n for each in self.strata)

    @property
    def is_enough(self) -> bool:
        """Whether there are enough pull requests and people to say anything."""
        return min(self.n_low, self.n_high) >= MIN_PULL_REQUESTS and self.people >= MIN_PEOPLE


def within(comparable: Comparable, are_shares: bool = False) -> Effect | None:
    """Return the mean difference within people and places; None of fewer than two people.

    A stratum weighs 1 / (1/n₁ + 1/n₂), the weight of Mantel and Haenszel (for rates: Greenland and Robins 1985,
    doi:10.2307/2530643). The rows of a person are not independent: the error is that of the people's differences around
    the mean, each corrected for its own share in the mean (Bell and McCaffrey 2002, Survey Methodology 28:169). It is
    at least the error of the rows within the strata, as people may agree by chance (Röver, Knapp and Friede 2015,
    doi:10.1186/s12874-015-0091-1). Degrees of freedom are Kish's effective number of people, less one.
    """
    if comparable.people < 2:
        return None
    weights: dict[str, float] = defaultdict(float)
    sums: dict[str, float] = defaultdict(float)
    for each in comparable.strata:
        weight = 1 / (1 / each.low.n + 1 / each.high.n)
        weights[each.person] += weight
        sums[each.person] += weight * (each.high.mean - each.low.mean)
    whole = fsum(weights.values())
    mean = fsum(sums.values()) / whole
    shares = {person: weight / whole for person, weight in weights.items()}
    between = fsum(
        share**2 * (sums[person] / weights[person] - mean) ** 2 / (1 - share) for person, share in shares.items()
    )
    error = sqrt(max(between, _variance(comparable.strata, are_shares) / whole))
    return Effect(mean, error, max(1.0, 1 / fsum(share**2 for share in shares.values()) - 1))


def _variance(strata: Iterable[Stratum], are_shares: bool) -> float:
    """Return the variance of one value around the mean of its group in its stratum.

    That of shares is at least as if one more had it and one more had it not: none of forty is not certainly none
    (Agresti and Caffo 2000, doi:10.1080/00031305.2000.10474560).
    """
    groups = [group for each in strata for group in (each.low, each.high)]
    n, freedom = sum(group.n for group in groups), sum(group.n - 1 for group in groups)
    found = fsum(group.deviation for group in groups) / max(1, freedom)
    if not are_shares:
        return found
    rate = (fsum(group.total for group in groups) + 1) / (n + 2)
    return max(found, rate * (1 - rate))
