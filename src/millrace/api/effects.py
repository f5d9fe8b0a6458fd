# ruff: noqa: S608 - the names are our own
"""The difference between pull requests with much and with little AI, within the same developers and repositories.

Who uses much AI also differs in other ways. The comparison is therefore of pull requests of one developer in one
repository with each other. Sums for each developer, repository and band are SQL; `millrace.inference` has the rest.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import expm1
from typing import Any, Literal

from millrace import inference
from millrace.api.plans import QueryPlan, Sql
from millrace.inference import Comparable, Interval, Sample, Stratum

Verdict = Literal["lower", "higher", "no_clear_difference", "too_few"]
Row = dict[str, Any]
# A cycle time below six minutes, or below zero, counts as six minutes: the logarithm of it would be without a limit.
FLOOR_HOURS = 0.1
_NONE = Sample(0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Measure:
    """A compared measure: its value of one pull request in SQL, and the words for a difference."""

    name: str
    unit: Literal["ratio", "difference"]
    value: str
    said: Callable[[Interval], str]


def _of_time(effect: Interval) -> str:
    said = f"merged {_percent(abs(effect.value))} {'sooner' if effect.value < 0 else 'later'}"
    return f"{said} ({_signed(_percent, effect.low)} to {_signed(_percent, effect.high)})"


def _of_rounds(effect: Interval) -> str:
    said = f"took {abs(effect.value):.2f} {'fewer' if effect.value < 0 else 'more'} rounds of review"
    return f"{said} ({_signed(_two_digits, effect.low)} to {_signed(_two_digits, effect.high)})"


def _of_reverts(effect: Interval) -> str:
    said = f"were reverted {_points(abs(effect.value))} points {'less' if effect.value < 0 else 'more'} often"
    return f"{said} ({_signed(_points, effect.low)} to {_signed(_points, effect.high)} points)"


def _percent(share: float) -> str:
    return f"{100 * share:,.0f}%"


def _points(share: float) -> str:
    return f"{100 * share:.1f}"


def _two_digits(number: float) -> str:
    return f"{number:.2f}"


def _signed(written: Callable[[float], str], number: float) -> str:
    text = written(abs(number))
    is_zero = not any(digit in text for digit in "123456789")
    return text if is_zero else f"{'−' if number < 0 else '+'}{text}"  # noqa: RUF001 the sign of a number


_FLOORED = f"CASE WHEN cycle_time_hours < {FLOOR_HOURS} THEN {FLOOR_HOURS} ELSE cycle_time_hours END"
MEASURES = (
    Measure("cycle_time_hours", "ratio", f"LN({_FLOORED})", _of_time),
    Measure("review_rounds", "difference", "review_rounds", _of_rounds),
    Measure("revert_rate", "difference", "CASE WHEN is_reverted THEN 1 WHEN NOT is_reverted THEN 0 END", _of_reverts),
)
_CLAIM_LEVEL = inference.claim_level(len(MEASURES))
_WITHIN = "Within the same developers and repositories, pull requests with much AI"


def of_pull_requests(plan: QueryPlan, facts: Sql) -> Row:
    """Return `effects` and `effects_of`: the differences within the pull requests of people in `facts`."""
    plan = plan.fork()
    values = ", ".join(f"{measure.value} AS {measure.name}" for measure in MEASURES)
    plan.add("facts", facts)
    plan.add(
        "banded",
        Sql(f"""SELECT developer, repo_name, ai_band, total_loc, {values} FROM facts
            WHERE ai_band IN ('low', 'high') AND NOT COALESCE(is_bot, FALSE)"""),
    )
    sums = ", ".join(
        f"COUNT({each.name}) AS n_{each.name}, SUM(CAST({each.name} AS DECIMAL(38, 12))) AS sum_{each.name}, "
        f"SUM(CAST({each.name} * {each.name} AS DECIMAL(38, 12))) AS squares_{each.name}"
        for each in MEASURES
    )
    keys = "developer, repo_name, ai_band"
    strata = plan.query(f"SELECT {keys}, COUNT(*) AS pull_requests, {sums} FROM banded GROUP BY {keys} ORDER BY {keys}")
    size = "PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY total_loc) AS median"
    sizes = {
        row["ai_band"]: row["median"] for row in plan.query(f"SELECT ai_band, {size} FROM banded GROUP BY ai_band")
    }
    found = compare(strata)
    return found | {
        "effects_of": found["effects_of"] | {"size_median_low": sizes.get("low"), "size_median_high": sizes.get("high")}
    }


def compare(strata: Sequence[Row]) -> Row:
    """Return the effects of the sums for each developer, repository and band, and a sentence over all of them."""
    effects = [_effect(measure, strata) for measure in MEASURES]
    by_person: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    for row in strata:
        counts[row["ai_band"]] += row["pull_requests"]
        if row["ai_band"] == "high" and row["developer"] is not None:
            by_person[row["developer"]] += row["pull_requests"]
    top, most = max(by_person.items(), key=lambda item: (item[1], item[0]), default=(None, 0))
    of = {
        "people": len({row["developer"] for row in strata} - {None}),
        "pull_requests_high": counts["high"],
        "pull_requests_low": counts["low"],
        "top_person": top,
        "top_person_share": most / counts["high"] if counts["high"] else None,
    }
    return {"effects": effects, "effects_of": of | {"summary": _summary(effects, of, most)}}


def _effect(measure: Measure, strata: Sequence[Row]) -> Row:
    groups: dict[tuple[str, str], dict[str, Sample]] = defaultdict(dict)
    n: Counter[str] = Counter()
    for row in strata:
        total, squares = (float(row[f"{part}_{measure.name}"] or 0) for part in ("sum", "squares"))
        sample = Sample(row[f"n_{measure.name}"], total, squares)
        n[row["ai_band"]] += sample.n
        if row["developer"] is not None:
            groups[row["developer"], row["repo_name"]][row["ai_band"]] = sample
    both = Comparable.of(
        Stratum(person, bands.get("low", _NONE), bands.get("high", _NONE)) for (person, _), bands in groups.items()
    )
    effect = inference.within(both, are_shares=measure.name == "revert_rate")
    shown = _shown(measure, effect.interval()) if effect else None
    verdict: Verdict = "too_few"
    if effect and both.is_enough:
        claimed = effect.interval(_CLAIM_LEVEL)
        verdict = "no_clear_difference" if not claimed.is_without(0) else "lower" if claimed.high < 0 else "higher"
    return {
        "measure": measure.name,
        "unit": measure.unit,
        "effect": shown.value if shown else None,
        "interval_low": shown.low if shown else None,
        "interval_high": shown.high if shown else None,
        "verdict": verdict,
        "n_low": n["low"],
        "n_high": n["high"],
        "n_compared_low": both.n_low,
        "n_compared_high": both.n_high,
        "people_compared": both.people,
        "sentence": _sentence(measure, shown, verdict, both),
    }


def _shown(measure: Measure, effect: Interval) -> Interval:
    """Return an effect as it is shown: a difference of logarithms as the change of the ratio."""
    if measure.unit == "ratio":
        return Interval(*(expm1(each) for each in (effect.value, effect.low, effect.high)))
    if measure.name == "revert_rate":
        return Interval(effect.value, max(-1.0, effect.low), min(1.0, effect.high))
    return effect


def _sentence(measure: Measure, shown: Interval | None, verdict: Verdict, both: Comparable) -> str:
    if shown is None or verdict == "too_few":
        return (
            f"Too few to compare: {_counted(both.n_high, 'pull request')} with much AI and {both.n_low:,} with little, "
            f"by {_counted(both.people, 'developer')} who merged both in one repository; it takes "
            f"{inference.MIN_PULL_REQUESTS} of each and {inference.MIN_PEOPLE} developers."
        )
    said = f"{_WITHIN} {measure.said(shown)}"
    if verdict != "no_clear_difference":
        return f"{said}."
    return f"{said}: could be chance{f', as one of {len(MEASURES)} comparisons' if shown.is_without(0) else ''}."


def _summary(effects: Sequence[Row], of: Row, most: int) -> str:
    """Return one sentence over all measures."""
    high = _counted(of["pull_requests_high"], "pull request")
    is_mostly_one = of["people"] > 1 and most * 2 > of["pull_requests_high"]
    claimed = [each for each in effects if each["verdict"] in ("lower", "higher")]
    if claimed:
        said = [each["sentence"].removeprefix(f"{_WITHIN} ").removesuffix(".") for each in claimed]
        one = f" {most:,} of {of['pull_requests_high']:,} are one person's." if is_mostly_one else ""
        return f"{_WITHIN} {', and '.join(said)}.{one}"
    is_too_few = all(each["verdict"] == "too_few" for each in effects)
    one = f", {most:,} of them one person's" if is_mostly_one else ""
    found = "Too few to compare" if is_too_few else "No difference can be seen"
    return f"{found} ({_counted(of['people'], 'developer')}, {high} with much AI{one})."


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
