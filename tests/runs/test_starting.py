"""What a run reads that begins while another one of its account goes on."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.extract.made_up import ACME, RECENT, START

from millrace import runs
from millrace.lake.local import LocalLake
from millrace.lake.names import CursorKey
from millrace.runs import Cursor, Plan, RunRequest, Scope
from millrace.runs.plan import begin


class Bus:
    """Drops what is published."""

    def publish(self, topic: str, data: Mapping[str, Any], attributes: Mapping[str, str]) -> None:
        """Do nothing."""


@pytest.fixture
def lake(tmp_path: Path) -> LocalLake:
    return LocalLake(tmp_path / "lake", "lake")


def started(lake: LocalLake, at: datetime = START, scope: Scope = "changes", next_scope: Scope | None = None) -> Plan:
    return begin(lake, Bus(), RunRequest(at), ACME, scope, next_scope)


def cursors(lake: LocalLake, run_id: str, full_at: datetime | None) -> None:
    """Write the cursors that a run leaves."""
    cursor = Cursor(None, START.isoformat(), {}, run_id=run_id, full_at=full_at.isoformat() if full_at else None)
    for endpoint in ("github_pull_requests", "github_commits"):
        lake.write(str(CursorKey(endpoint, "acme")), cursor.to_json(), if_generation=0)


def next_of(lake: LocalLake, days: int) -> tuple[Scope, Scope | None]:
    plan = runs.start(lake, Bus(), RunRequest(START + timedelta(days=days)), ACME)
    return plan.scope, plan.next_scope


def test_a_first_full_run_that_lasts_for_days_is_the_only_one(lake: LocalLake) -> None:
    started(lake, scope="recent", next_scope="full")
    full = started(lake, START + timedelta(seconds=1), "full")
    cursors(lake, RECENT, None)
    assert next_of(lake, 1) == ("recent", None)
    assert next_of(lake, 2) == ("recent", None)
    runs.fail(lake, full.run_id, "it was quiet for a day")
    assert next_of(lake, 3) == ("full", None)


def test_a_full_run_that_is_still_to_follow_is_not_started_twice(lake: LocalLake) -> None:
    started(lake, scope="recent", next_scope="full")
    assert next_of(lake, 1) == ("recent", None)


def test_while_a_later_full_run_lasts_others_read_what_has_changed(lake: LocalLake) -> None:
    cursors(lake, RECENT, START)
    assert next_of(lake, 8) == ("full", None)
    assert next_of(lake, 9) == ("changes", None)


def test_the_run_of_another_account_does_not_count(lake: LocalLake) -> None:
    cursors(lake, RECENT, None)
    begin(lake, Bus(), RunRequest(START + timedelta(hours=1)), replace(ACME, account="other"), "full", None)
    assert next_of(lake, 1) == ("full", None)


def test_what_a_failed_run_would_have_been_followed_by_is_not_waited_for(lake: LocalLake) -> None:
    failed = started(lake, scope="recent", next_scope="full")
    runs.fail(lake, failed.run_id, "it was quiet for a day")
    assert next_of(lake, 1) == ("recent", "full")


def test_a_damaged_plan_and_foreign_objects_are_passed_over(lake: LocalLake) -> None:
    lake.write("runs/20261120T070000Z-acme/plan.json", b"{", if_generation=0)
    lake.write("runs/20261120T070000Z-acme/notes.txt", b"x", if_generation=0)
    cursors(lake, RECENT, None)
    assert next_of(lake, 1) == ("full", None)
