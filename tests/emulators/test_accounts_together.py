"""Two accounts of GitHub and cursor-sim in one planned deployment: lost messages, the sweep, cursors, the status."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.emulators.deployment import LAKE, QUARANTINE
from tests.emulators.planned import Message, Planned, planned
from tests.emulators.test_github_road import app_of

import simulator
from millrace import runs
from millrace.bus import EXTRACT_REQUESTS
from millrace.errors import MillraceError, Step
from millrace.status import report
from millrace.tables import CURSOR_SIM
from millrace.warehouse.reading import NothingYet
from simulator.github import DEFAULT_TOKEN, Clock, generate, served

STARTS = ("start-run", "gh-acme-start", "gh-mega-cb1fb-start")
ENDS = ("repos", "pulls", "commits")


def present() -> Clock:
    """Return a clock of the simulator that shows the time of this machine, by which an App signs."""
    return Clock(datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"), is_running=True)


@pytest.fixture
def now() -> datetime:
    """The time at which a test begins, to the second: what services note is of the time at which they do it."""
    return datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def services(tmp_path: Path, now: datetime) -> Iterator[Planned]:
    end = now.isoformat().replace("+00:00", "Z")
    acme, mega = (generate(2, 12, seed=5, days=60, end=end, account=name) for name in ("acme", "mega-widgets"))
    key, app = app_of("12345")
    world = simulator.generate(developers=2, days=20, seed=5, end=now)
    with (
        served(acme, clock=present()) as of_acme,
        served(mega, app=app, clock=present()) as of_mega,
        simulator.serve(world, key="key_of-the-source") as sim,
    ):
        sources = {f"extract-{name.replace('_', '-')}": {"MILLRACE_SOURCE_URL": sim.url} for name in CURSOR_SIM}
        token = {"MILLRACE_SOURCE_URL": of_acme.url, "MILLRACE_SOURCE_KEY": DEFAULT_TOKEN}
        signed = {"MILLRACE_SOURCE_URL": of_mega.url, "MILLRACE_GITHUB_APP_KEY": key}
        sources |= {f"gh-acme-{each}": token for each in ENDS} | {f"gh-mega-cb1fb-{each}": signed for each in ENDS}
        with planned(tmp_path, sources) as running:
            yield running


def statuses(services: Planned) -> dict[str, str | None]:
    lake = services.lake("load")
    heard = sorted({run_id for _, run_id in services.heard})
    return {run_id: final.status if (final := runs.read_final(lake, run_id)) else None for run_id in heard}


def cursors(services: Planned) -> list[str]:
    return sorted(stored.version.name for stored in services.lake("load").list("state/"))


def test_a_sweep_requests_the_lost_tasks_of_one_account_from_its_own_services(services: Planned, now: datetime) -> None:
    plans = [services.start(service, now) for service in STARTS]
    recent = [plan.run_id for plan in plans]

    def is_lost(message: Message) -> bool:
        is_child = str(message.data.get("task_id", "")).startswith("github_commits__")
        return message.topic == EXTRACT_REQUESTS and is_child and message.attributes["account"] == "acme"

    services.deliver(is_lost)
    assert statuses(services)[recent[1]] is None
    assert [statuses(services)[recent[at]] for at in (0, 2)] == ["complete", "complete"]
    services.heard.clear()
    swept = services.sweep(now + timedelta(minutes=31))
    assert (swept["tasks"], swept["failed"]) == (2, 0)
    services.deliver()
    full = str(runs.next_run_id(plans[1]))
    assert {run_id for _, run_id in services.heard} == {recent[1], full}
    assert {service for service, _ in services.heard} == {f"gh-acme-{end}" for end in ENDS}
    assert set(statuses(services).values()) == {"complete"}
    assert services.sweep(now + timedelta(minutes=32)) == {"tasks": 0, "objects": 0, "failed": 0}


def nothing(work: object) -> report.StoreReport:
    raise NothingYet("nothing was built yet", step=Step.BEGIN)


def test_cursors_of_all_move_the_status_has_their_runs_and_the_next_ones_read_changes(
    services: Planned, now: datetime
) -> None:
    plans = [services.start(service, now) for service in STARTS]
    services.deliver()
    status = report.assemble(services.lake("api"), nothing, services.lake("api", QUARANTINE), now=now)
    followed = [str(runs.next_run_id(plan)) for plan in plans[1:]]
    expected = sorted([*(plan.run_id for plan in plans), *followed])
    assert [(run.run_id, run.status) for run in status.runs] == [(run_id, "complete") for run_id in expected]
    endpoints = ("github_commits", "github_pull_requests", "github_repos")
    names = [f"state/{account}/{each}.json" for account in ("acme", "mega-widgets") for each in endpoints]
    assert [name for name in cursors(services) if name.count("/") == 2] == sorted(names)
    assert [name for name in cursors(services) if name.count("/") == 1] == sorted(f"state/{e}.json" for e in CURSOR_SIM)
    later = [services.start(service, now + timedelta(minutes=30)) for service in STARTS]
    assert [plan.scope for plan in later] == ["full", "changes", "changes"]
    services.deliver()
    assert set(statuses(services).values()) == {"complete"}


def test_a_next_run_that_was_not_started_is_started_by_the_sweep(services: Planned, now: datetime) -> None:
    plan = services.start("gh-acme-start", now)
    assert services.start("gh-acme-start", now) == plan  # called twice
    following = str(runs.next_run_id(plan))
    services.deliver(lambda message: message.data.get("run_id") == following)
    services.store.delete_file(LAKE, f"runs/{following}/plan.json")
    assert services.sweep(now + timedelta(minutes=31)) == {"tasks": 1, "objects": 0, "failed": 0}
    services.deliver()
    assert statuses(services) == {plan.run_id: "complete", following: "complete"}


def test_a_refused_token_is_the_reason_of_a_failed_run_of_this_account_alone(services: Planned, now: datetime) -> None:
    refused = {**services.sources["gh-acme-repos"], "MILLRACE_SOURCE_KEY": "expired"}
    services.sources = {**services.sources, "gh-acme-repos": refused}
    failed, whole = (services.start(service, now) for service in STARTS[1:])
    for _ in range(2):  # the second failure replaces the first one
        services.start(STARTS[1], now)
        with pytest.raises(MillraceError):
            services.deliver(lambda message: message.attributes.get("account") != "acme")
    services.waiting.clear()
    services.start(STARTS[2], now)
    services.deliver()
    assert services.sweep(now + timedelta(hours=25))["failed"] == 1
    final = runs.read_final(services.lake("load"), failed.run_id)
    assert final is not None
    assert (final.status, "401" in str(final.reason)) == ("failed", True), final.reason
    assert statuses(services)[whole.run_id] == "complete"
