"""The rules of health, one by one: each state has its reason, with the next step."""

import re
from dataclasses import replace

import pytest

from millrace.config import StatusConfig
from millrace.status.rules import Facts, age, judge

LIMITS = StatusConfig()
WAITS = Facts(lag_events=5, events_wait_s=60)
FULL = Facts(lag_events=101, events_wait_s=60)
RUN = Facts(run_id="20261120T060000Z", run_status="unfinished", run_age_s=60)
BEHIND = Facts(published_through=3, asked_through=4)


@pytest.mark.parametrize(
    ("facts", "health"),
    [
        pytest.param(Facts(), "live", id="nothing waits"),
        pytest.param(WAITS, "live", id="few events wait, and neither they nor a refresh came just now"),
        pytest.param(replace(WAITS, since_change_s=10), "syncing", id="a few came just now"),
        pytest.param(replace(WAITS, since_refresh_s=10), "syncing", id="marts were refreshed just now"),
        pytest.param(Facts(since_refresh_s=1), "live", id="a refresh after which nothing waits"),
        pytest.param(replace(FULL, lag_events=100), "live", id="as many as may wait"),
        pytest.param(FULL, "stale", id="one more, and nobody knows whether a collector runs"),
        pytest.param(replace(FULL, is_watching=True), "stale", id="one more, and a collector runs"),
        pytest.param(replace(FULL, is_watching=False), "error", id="one more, and none runs"),
        pytest.param(replace(FULL, is_watching=False, since_change_s=1), "error", id="the worst is said"),
        pytest.param(replace(FULL, is_watching=False, is_building=True), "syncing", id="a build takes them up"),
        pytest.param(
            replace(FULL, is_watching=False, is_building=True, events_wait_s=3601), "error", id="for longer than it may"
        ),
        pytest.param(replace(WAITS, events_wait_s=3601), "stale", id="a few wait for longer than an hour"),
        pytest.param(Facts(lag_rows=1, rows_wait_s=3600), "live", id="a row waits for an hour"),
        pytest.param(Facts(lag_rows=1, rows_wait_s=3601), "stale", id="and for a second more"),
        pytest.param(Facts(silent=(("commits", 200_000.0),)), "stale", id="a source is silent"),
        pytest.param(RUN, "syncing", id="a run is going on"),
        pytest.param(replace(RUN, run_age_s=3601), "stale", id="a run does not end"),
        pytest.param(replace(RUN, run_status="failed", run_reason="no key"), "error", id="a run failed"),
        pytest.param(replace(RUN, run_status="complete", run_age_s=9999), "live", id="a run is complete"),
        pytest.param(Facts(build=3, build_result="good"), "live", id="the last build is good"),
        pytest.param(Facts(build=3, build_result="failed"), "error", id="the last build failed"),
        pytest.param(Facts(build=3, build_result="abandoned"), "error", id="the last build was abandoned"),
        pytest.param(Facts(build=3, build_result="running", is_building=True), "syncing", id="a build is going on"),
        pytest.param(Facts(build=3, build_result="running"), "error", id="a build without a holder died"),
        pytest.param(Facts(build=3, build_result="failed", is_building=True), "syncing", id="a failed one is mended"),
        pytest.param(BEHIND, "stale", id="the published copy is behind, and nobody is at it"),
        pytest.param(replace(BEHIND, since_refresh_s=2), "syncing", id="it is behind a collector that goes on"),
        pytest.param(replace(BEHIND, is_building=True), "syncing", id="it is behind a build that goes on"),
    ],
)
def test_health_is_the_worst_that_holds(facts: Facts, health: str) -> None:
    found, reasons = judge(facts, None, LIMITS)
    assert found == health
    assert bool(reasons) == (health != "live")
    assert all(re.search("type: make|wait for it to end|look again", reason) for reason in reasons)


def test_a_store_that_cannot_be_read_is_the_first_reason() -> None:
    health, reasons = judge(replace(FULL, is_watching=False), "torn; type: make run", LIMITS)
    assert (health, reasons[0], len(reasons)) == ("error", "the warehouse cannot be read: torn; type: make run", 2)


def test_reasons_are_worst_first() -> None:
    facts = replace(RUN, build=3, build_result="failed", silent=(("commits", 200_000.0),))
    _, reasons = judge(facts, None, LIMITS)
    assert [reason.split()[0] for reason in reasons] == ["build", "nothing", "run"]


def test_every_threshold_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("STALE_EVENTS", "4"), ("SYNCING_S", "0"), ("STALE_S", "30"), ("SILENT_H", "1")):
        monkeypatch.setenv(f"MILLRACE_{name}", value)
    limits = StatusConfig.from_env()
    assert limits == StatusConfig(4, 0, 30, 1)
    assert judge(WAITS, None, limits)[0] == "stale"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (200_000, "2 days")]
)
def test_an_age_is_said_as_a_person_would(seconds: float, said: str) -> None:
    assert age(seconds) == said
