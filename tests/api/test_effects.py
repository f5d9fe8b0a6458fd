"""Effects of AI in the answers equal those computed here from single pull requests, by other formulas."""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from math import exp, log, sqrt
from statistics import fmean, median, variance
from typing import Any

import duckdb
import pytest
from tests.api.conftest import NOW, ask, no_status
from tests.api.test_sums import answer

from millrace.api.app import Api
from millrace.inference import t_quantile
from millrace.laptop.data_dir import DataDir
from millrace.warehouse.duckdb.reader import DuckDBReader

Row = dict[str, Any]
COLUMNS = "week, repo_name, developer, ai_band, cycle_time_hours, review_rounds, is_reverted, total_loc, merged_at"
VALUES: dict[str, Callable[[Row], float | None]] = {
    "cycle_time_hours": lambda row: None if row["cycle_time_hours"] is None else log(max(0.1, row["cycle_time_hours"])),
    "review_rounds": lambda row: row["review_rounds"],
    "revert_rate": lambda row: None if row["is_reverted"] is None else float(row["is_reverted"]),
}


def pulls(store: DataDir, repo: str | None = None) -> list[Row]:
    rows = ask(store.published, f"SELECT {COLUMNS} FROM mart.merged_pull_requests")  # noqa: S608 our own names
    found: list[Row] = [dict(zip(COLUMNS.split(", "), row, strict=True)) for row in rows]
    # The source reports some merges before they happen; the range of a request ends today.
    return [row for row in found if row["week"] <= NOW.date() and repo in (None, row["repo_name"])]


def differences(
    rows: list[Row], value: Callable[[Row], float | None]
) -> tuple[dict[str, list[tuple[float, float]]], float]:
    """Return weight and difference of each place of each developer, and the variance within places and bands."""
    groups: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: {"low": [], "high": []})
    for row in rows:
        known = value(row)
        if row["developer"] and row["ai_band"] in ("low", "high") and known is not None:
            groups[row["developer"], row["repo_name"]][row["ai_band"]].append(known)
    people, squares, freedom = defaultdict(list), 0.0, 0
    for (person, _), bands in groups.items():
        low, high = bands["low"], bands["high"]
        if low and high:
            people[person].append((len(low) * len(high) / (len(low) + len(high)), fmean(high) - fmean(low)))
            for each in (low, high):
                squares += variance(each) * (len(each) - 1) if len(each) > 1 else 0.0
                freedom += len(each) - 1
    return people, squares / freedom


@pytest.mark.parametrize("repo", [None, "acme-corp/service-01"])
@pytest.mark.parametrize("measure", ["cycle_time_hours", "review_rounds"])
def test_effect_is_that_of_single_pull_requests(api: Api, store: DataDir, measure: str, repo: str | None) -> None:
    people, spread = differences(pulls(store, repo), VALUES[measure])
    said = answer(api, "ai-impact", **({"repo": [repo]} if repo else {}))
    (found,) = (each for each in said["effects"] if each["measure"] == measure)
    assert found["people_compared"] == len(people) > 1
    weights = [sum(weight for weight, _ in places) for places in people.values()]
    means = [sum(w * d for w, d in places) / sum(w for w, _ in places) for places in people.values()]
    total = sum(weights)
    effect = sum(w * d for w, d in zip(weights, means, strict=True)) / total
    between = sum((w / total) ** 2 / (1 - w / total) * (d - effect) ** 2 for w, d in zip(weights, means, strict=True))
    freedom = max(1.0, total**2 / sum(w * w for w in weights) - 1)
    half = t_quantile(0.95, freedom) * sqrt(max(between, spread / total))
    shown = [effect, effect - half, effect + half]
    if measure == "cycle_time_hours":
        shown = [exp(each) - 1 for each in shown]
    assert [found[name] for name in ("effect", "interval_low", "interval_high")] == pytest.approx(shown, rel=1e-6)


def test_panel_says_who_and_what_it_is_made_of(api: Api, store: DataDir) -> None:
    rows = pulls(store)
    high = [row for row in rows if row["ai_band"] == "high"]
    said = answer(api, "ai-impact")["effects_of"]
    by_person = {name: sum(row["developer"] == name for row in high) for name in {row["developer"] for row in high}}
    assert (said["pull_requests_high"], said["top_person_share"]) == (len(high), max(by_person.values()) / len(high))
    assert by_person[said["top_person"]] == max(by_person.values())
    assert said["size_median_high"] == median(row["total_loc"] for row in high if row["total_loc"] is not None)


def test_filter_by_band_leaves_the_comparison_as_it_is(api: Api) -> None:
    assert answer(api, "ai-impact", band=["low"])["effects"] == answer(api, "ai-impact")["effects"]


def test_few_pull_requests_are_said_to_be_too_few(api: Api) -> None:
    said = answer(api, "ai-impact", developer=["user_001"])
    assert {each["verdict"] for each in said["effects"]} == {"too_few"}
    assert {each["effect"] for each in said["effects"]} == {None}
    assert said["effects_of"]["summary"].startswith("Too few to compare (1 developer, ")
    assert "it takes 20 of each and 3 developers" in said["effects"][0]["sentence"]


def test_bots_are_not_among_the_people_who_are_compared(api: Api, place: DataDir) -> None:
    everybody = answer(api, "ai-impact")["effects_of"]
    with duckdb.connect(place.published) as published:
        published.execute("UPDATE mart.merged_pull_requests SET is_bot = TRUE WHERE developer = 'user_001'")
    reader = DuckDBReader(place.published)
    people = answer(Api(reader, no_status, lambda: NOW), "ai-impact")["effects_of"]
    reader.close()
    of_bot = [row for row in pulls(place) if row["developer"] == "user_001"]
    assert people["people"] == everybody["people"] - 1
    for band in ("low", "high"):
        lost = sum(row["ai_band"] == band for row in of_bot)
        assert people[f"pull_requests_{band}"] == everybody[f"pull_requests_{band}"] - lost


def test_no_pull_request_at_all_is_too_few(api: Api) -> None:
    said = answer(api, "ai-impact", **{"from": "2020-01-06", "to": "2020-02-06"})
    assert said["effects_of"]["summary"] == "Too few to compare (0 developers, 0 pull requests with much AI)."
    assert said["effects_of"]["top_person_share"] is None
    assert said["weeks_note"] == {"first_unsettled": [], "running": []}


@pytest.mark.parametrize("path", ["velocity", "quality", "review-costs", "ai-impact", "ai-spend"])
def test_first_weeks_and_the_week_of_today_are_named(api: Api, store: DataDir, path: str) -> None:
    rows = pulls(store)
    all_cycles = "SELECT cycle_time_hours FROM mart.merged_pull_requests WHERE cycle_time_hours IS NOT NULL"
    cycles = sorted(hours for (hours,) in ask(store.published, all_cycles) if isinstance(hours, float))
    settled = min(row["merged_at"] for row in rows) + timedelta(hours=cycles[int(0.9 * len(cycles))])
    weeks = sorted({row["week"] for row in rows})
    early = [week.isoformat() for week in weeks if datetime.combine(week, datetime.min.time()) < settled]
    assert 1 <= len(early) < len(weeks)
    assert answer(api, path)["weeks_note"] == {"first_unsettled": early, "running": [weeks[-1].isoformat()]}
    assert weeks[-1] <= NOW.date() < weeks[-1] + timedelta(days=7)


def test_week_that_ended_after_the_newest_extraction_is_unfinished(api: Api, store: DataDir) -> None:
    later = datetime(2027, 1, 20, tzinfo=UTC)
    api.now = lambda: later
    [(as_of,)] = ask(store.published, "SELECT max(as_of) FROM meta.builds") or [(None,)]
    assert isinstance(as_of, datetime)
    said = answer(api, "velocity", **{"from": "2026-09-01", "to": "2027-01-20"})["weeks_note"]["running"]
    assert later.date() - timedelta(days=later.weekday()) in map(date.fromisoformat, said)
    assert all(date.fromisoformat(week) + timedelta(days=7) > as_of.date() for week in said)


def test_median_of_a_week_is_over_all_repositories(api: Api, store: DataDir) -> None:
    cycles = defaultdict(list)
    for row in pulls(store):
        if row["cycle_time_hours"] is not None:
            cycles[row["week"].isoformat()].append(row["cycle_time_hours"])
    said = {week["week"]: week["p50_cycle_time_hours"] for week in answer(api, "velocity")["weeks"]}
    assert said == pytest.approx({week: median(values) for week, values in cycles.items()})
