"""Objects of runs: as earlier versions wrote them, as those of an account are written, and damaged ones."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from tests.extract.made_up import Loads
from tests.runs.test_accounts import RUN, START, Bus, Reads, lake, record

from millrace import runs
from millrace.bus.events import NotAnEvent, TaskEvent
from millrace.lake.documents import Damaged
from millrace.lake.names import CursorKey, PlanKey, ProgressKey, TaskKey
from millrace.runs import Cursor, Plan, Progress, RunRequest, TaskRecord, reconcile

__all__ = ["lake"]


OLD_PLAN = b"""{
 "full_refresh": false,
 "run_id": "20261120T060000Z",
 "scheduled_at": "2026-11-20T06:00:00+00:00",
 "since": null
}
"""
OLD_RECORD = b"""{
 "children": [
  "pull_requests"
 ],
 "counts": {},
 "extracted_at": "2026-11-20T06:00:00+00:00",
 "finished_at": "2026-11-20T06:00:01+00:00",
 "known": 0,
 "parts": [
  {
   "crc32c": "AAAAAA==",
   "generation": 1,
   "name": "raw/repos/dt=2026-11-20/run=20261120T060000Z/repos-00000.parquet",
   "rows": 3,
   "size_bytes": 10
  }
 ],
 "plan": "bulk",
 "rate_limited": 0,
 "repeated": 0,
 "requests": 1,
 "retries": 0,
 "rows": 3,
 "run_id": "20261120T060000Z",
 "since": null,
 "source_total": 3,
 "table": "repos",
 "task_id": "repos",
 "waited_s": 0.0,
 "window_start": null
}
"""
OLD_PROGRESS = b"""{
 "claim": {
  "message": "7",
  "until": "2026-11-20T06:10:00+00:00"
 },
 "cost": {
  "requests": 2
 },
 "deliveries": 1,
 "idle": 0,
 "listing": {
  "plan": "bulk"
 },
 "lists_done": 1,
 "lists_total": null,
 "parts": [],
 "rows": 0,
 "run_id": "20261120T060000Z",
 "saved_at": "2026-11-20T06:00:00+00:00",
 "started_at": "2026-11-20T06:00:00+00:00",
 "table": "repos",
 "task_id": "repos"
}
"""
OLD_CURSOR = b"""{
 "counts": {
  "2026-11-01 ": 3
 },
 "extracted_at": "2026-11-20T06:00:00+00:00",
 "is_forgotten": false,
 "since": null
}
"""


def test_objects_of_older_versions_are_read_and_written_as_they_were(lake: Reads) -> None:
    run_id = "20261120T060000Z"
    assert Plan.parse(OLD_PLAN, "plan").to_json() == OLD_PLAN
    assert TaskRecord.parse(OLD_RECORD, "record").to_json() == OLD_RECORD
    assert Progress.parse(OLD_PROGRESS, "progress").to_json() == OLD_PROGRESS
    lake.write(str(CursorKey("commits")), OLD_CURSOR, 0)
    cursor = runs.held_cursor(lake, "commits")
    assert cursor is not None
    assert cursor.to_json() == OLD_CURSOR
    runs.start(lake, Bus(), RunRequest(START))
    assert lake.read(str(PlanKey(run_id)))[0] == OLD_PLAN


def test_an_old_record_has_the_line_that_it_had(lake: Reads) -> None:
    run_id = "20261120T060000Z"
    runs.start(lake, Bus(), RunRequest(START))
    lake.write(str(TaskKey(run_id, "repos")), OLD_RECORD, 0)
    (line,) = reconcile.reconcile(lake, Loads(), run_id)
    assert (line.table, line.source_total, line.written, line.missing) == ("repos", 3, 3, 3)
    assert (line.requests, line.plan) == (1, "bulk")


def test_the_objects_of_an_account_are_read_as_they_were_written(lake: Reads) -> None:
    plan = Plan(RUN, START.isoformat(), None, False, "github", "acme", "recent", ("shop", "web"), 30, "full")
    assert Plan.parse(plan.to_json(), "plan") == plan
    one = record(RUN, "github_commits__1", totals={"identities": 2}, mark={"sha": "abc"})
    assert TaskRecord.parse(one.to_json(), "record") == one
    at = START.isoformat()
    rows = {"github_commits": ({"sha": "abc", "co_authors": ["x"]},)}
    progress = Progress(RUN, one.task_id, one.table, at, at, pending=rows, pending_at=at)
    again = Progress.parse(progress.to_json(), "progress")
    assert (again.rows, again.pending, again.pending_at) == (1, json.loads(json.dumps(rows)), at)
    cursor = Cursor(None, at, {"1": 2}, marks={"1": {"sha": "abc"}}, run_id=RUN, full_at=at)
    lake.write(str(CursorKey("github_commits", "acme")), cursor.to_json(), 0)
    assert runs.held_cursor(lake, "github_commits", "acme") == cursor


@pytest.mark.parametrize(
    "change",
    [
        {"source": "gitlab"},
        {"scope": "everything"},
        {"next_scope": "later"},
        {"repositories": None},
        {"pages": 3},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_plan_of_another_form_is_damaged(change: dict[str, Any]) -> None:
    fields = json.loads(Plan(RUN, START.isoformat(), None, False, "github", "acme").to_json()) | change
    with pytest.raises(Damaged):
        Plan.parse(json.dumps(fields).encode(), "plan")


@pytest.mark.parametrize(
    "pending", [{"pending": {"github_commits": [{}]}, "pending_at": None}, {"pending": 7}, {"pending_at": "2026-11-20"}]
)
def test_a_progress_with_rows_of_no_time_is_damaged(lake: Reads, pending: dict[str, Any]) -> None:
    name = str(ProgressKey("20261120T060000Z", "repos"))
    lake.write(name, json.dumps(json.loads(OLD_PROGRESS) | pending).encode(), 0)
    assert runs.read_progress(lake, "20261120T060000Z", "repos")[0] is None


@pytest.mark.parametrize("scope", ["all", 1, ["full"], ""])
def test_a_scope_is_one_of_three(scope: object) -> None:
    assert RunRequest.parse(None, b'{"scope": "recent"}').scope == "recent"
    with pytest.raises(NotAnEvent, match="full, recent or changes"):
        RunRequest.parse(None, json.dumps({"scope": scope}).encode())


def test_a_message_names_its_account() -> None:
    sent: list[Mapping[str, str]] = []

    class Attributes:
        def publish(self, topic: str, data: Mapping[str, Any], attributes: Mapping[str, str]) -> None:
            sent.append(attributes)

    TaskEvent.of(RUN, "github_commits__1").request(Attributes())
    TaskEvent.of("20261120T060000Z", "repos").request(Attributes())
    assert sent == [
        {"event": "extract.requested", "table": "github_commits", "run_id": RUN, "account": "acme"},
        {"event": "extract.requested", "table": "repos", "run_id": "20261120T060000Z"},
    ]
