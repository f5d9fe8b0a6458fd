"""The rules of health, one by one: each state has its reason, with its code."""

from dataclasses import replace

import pytest

from millrace.config import StatusConfig
from millrace.errors import ConfigError, Step
from millrace.status.rules import Code, HealthInputs, Reason, age, judge

LIMITS = StatusConfig()
WAITS = HealthInputs(lag_events=5, events_wait_s=60)
FULL = HealthInputs(lag_events=101, events_wait_s=60)
ALONE = replace(FULL, is_watching=False)
RUN = HealthInputs(run_id="20261120T060000Z", run_status="unfinished", run_age_s=60)
BEHIND = HealthInputs(published_through=3, asked_through=4)


@pytest.mark.parametrize(
    ("facts", "health", "codes"),
    [
        pytest.param(HealthInputs(), "live", "", id="nothing waits"),
        pytest.param(WAITS, "live", "", id="few events wait, and neither they nor a refresh came just now"),
        pytest.param(replace(WAITS, since_change_s=10), "syncing", "catching_up", id="a few came just now"),
        pytest.param(replace(WAITS, since_refresh_s=10), "syncing", "catching_up", id="marts were refreshed just now"),
        pytest.param(HealthInputs(since_refresh_s=1), "live", "", id="a refresh after which nothing waits"),
        pytest.param(replace(FULL, lag_events=100), "live", "", id="as many as may wait"),
        pytest.param(FULL, "stale", "events_waiting", id="one more, and it is unknown whether a collector runs"),
        pytest.param(replace(FULL, is_watching=True), "stale", "events_waiting", id="one more, and a collector runs"),
        pytest.param(ALONE, "error", "events_waiting_no_collector", id="one more, and none runs"),
        pytest.param(
            replace(ALONE, since_change_s=1), "error", "events_waiting_no_collector catching_up", id="the worst is said"
        ),
        pytest.param(replace(ALONE, is_building=True), "syncing", "building", id="a build takes them up"),
        pytest.param(
            replace(ALONE, is_building=True, events_wait_s=3601),
            "error",
            "events_waiting_no_collector building",
            id="for longer than it may",
        ),
        pytest.param(replace(WAITS, events_wait_s=3601), "stale", "events_waiting", id="a few wait for over an hour"),
        pytest.param(HealthInputs(lag_rows=1, rows_wait_s=3600), "live", "", id="a row waits for an hour"),
        pytest.param(HealthInputs(lag_rows=1, rows_wait_s=3601), "stale", "rows_waiting", id="and for a second more"),
        pytest.param(HealthInputs(silent=(("commits", 200_000.0),)), "stale", "table_silent", id="a source is silent"),
        pytest.param(HealthInputs(incomplete=("acme",)), "stale", "source_incomplete", id="a repository is refused"),
        pytest.param(HealthInputs(dead_watcher="7"), "stale", "watcher_died", id="a watcher died"),
        pytest.param(
            replace(WAITS, dead_watcher="7", since_change_s=1),
            "stale",
            "watcher_died catching_up",
            id="a watcher died a moment ago",
        ),
        pytest.param(
            HealthInputs(ahead=(("repos", 9e7),)), "error", "stamped_ahead", id="a row is of a time that has not come"
        ),
        pytest.param(RUN, "syncing", "running", id="a run is going on"),
        pytest.param(replace(RUN, run_age_s=3601), "stale", "run_unfinished", id="a run does not end"),
        pytest.param(replace(RUN, run_status="failed"), "error", "run_failed", id="a run failed"),
        pytest.param(replace(RUN, run_status="complete", run_age_s=9999), "live", "", id="a run is complete"),
        pytest.param(HealthInputs(build=3, build_result="good"), "live", "", id="the last build is good"),
        pytest.param(HealthInputs(build=3, build_result="failed"), "error", "build_failed", id="the last build failed"),
        pytest.param(
            HealthInputs(build=3, build_result="abandoned"), "error", "build_abandoned", id="it was abandoned"
        ),
        pytest.param(
            HealthInputs(build=3, build_result="running"), "error", "build_died", id="a build without a holder died"
        ),
        pytest.param(
            HealthInputs(build=3, build_result="running", is_building=True),
            "syncing",
            "building",
            id="a build is going on",
        ),
        pytest.param(
            HealthInputs(build=3, build_result="failed", is_building=True),
            "syncing",
            "building",
            id="a failed one is retried",
        ),
        pytest.param(BEHIND, "stale", "copy_behind", id="the published copy is behind, and nothing changes that"),
        pytest.param(replace(BEHIND, since_refresh_s=2), "syncing", "catching_up", id="behind a running collector"),
        pytest.param(replace(BEHIND, is_building=True), "syncing", "building", id="behind a running build"),
        pytest.param(HealthInputs(at_work="process 7"), "syncing", "at_work", id="the first process is at work"),
        pytest.param(replace(RUN, at_work="process 7"), "syncing", "running", id="its run is going on"),
        pytest.param(HealthInputs(nothing="no file"), "empty", "nothing_yet", id="there is no store at all"),
        pytest.param(replace(RUN, nothing="no file"), "syncing", "running", id="the first run is going on"),
    ],
)
def test_health_is_the_worst_that_holds(facts: HealthInputs, health: str, codes: str) -> None:
    found, reasons = judge(facts, None, LIMITS)
    assert (found, [reason.code for reason in reasons]) == (health, codes.split())


def test_a_store_that_cannot_be_read_is_the_first_reason() -> None:
    health, (first, *rest) = judge(ALONE, ConfigError("torn", step=Step.BUILD), LIMITS)
    assert (health, [reason.code for reason in rest]) == ("error", [Code.EVENTS_WAITING_NO_COLLECTOR])
    assert first == Reason(Code.STORE_UNREADABLE, "the warehouse cannot be read: torn", Step.BUILD)


def test_a_build_that_met_damage_is_mended_by_a_rebuild() -> None:
    facts = HealthInputs(build=3, build_result="failed", build_met_damage=True)
    _, (reason,) = judge(facts, None, LIMITS)
    assert reason == Reason(Code.BUILD_FAILED, "build 3 failed: the warehouse is damaged", Step.RESTORE)


def test_reasons_are_worst_first() -> None:
    facts = replace(RUN, build=3, build_result="failed", silent=(("commits", 200_000.0),))
    _, reasons = judge(facts, None, LIMITS)
    assert [reason.code for reason in reasons] == ["build_failed", "table_silent", "running"]


def test_every_threshold_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("STALE_EVENTS", "4"), ("STALE_S", "30"), ("SILENT_H", "1")):
        monkeypatch.setenv(f"MILLRACE_{name}", value)
    limits = StatusConfig.from_env()
    assert limits == StatusConfig(stale_events=4, stale_s=30, silent_h=1)
    assert judge(WAITS, None, limits)[0] == "stale"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (200_000, "2 days")]
)
def test_age_is_formatted_for_humans(seconds: float, said: str) -> None:
    assert age(seconds) == said
