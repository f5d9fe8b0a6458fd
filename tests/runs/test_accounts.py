"""The runs of an account: hundreds of tasks, one cursor for each endpoint, and objects as old versions wrote them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.extract.made_up import ACME, Loads

from millrace import runs
from millrace.lake.local import LocalLake
from millrace.lake.names import TaskKey
from millrace.load import recovery, sweep
from millrace.load.sweep import SweepTimeouts
from millrace.runs import Cursor, Part, Plan, RunRequest, Scope, TaskRecord, reconcile
from millrace.runs.plan import begin

START = datetime(2026, 11, 20, 6, tzinfo=UTC)
RUN = "20261120T060000Z-acme"


class Reads(LocalLake):
    """Counts the reads, by the folder of the object."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "lake", "lake")
        self.reads: Counter[str] = Counter()

    def read(self, name: str, generation: int | None = None) -> Any:
        self.reads["/".join(name.split("/")[2:3] or [name])] += 1
        return super().read(name, generation)


class Bus:
    """Keeps what is published."""

    def __init__(self) -> None:
        self.published: list[tuple[str, str]] = []

    def publish(self, topic: str, data: Mapping[str, Any], attributes: Mapping[str, str]) -> None:
        if "task_id" in data:
            self.published.append((data["run_id"], data["task_id"]))


@pytest.fixture
def lake(tmp_path: Path) -> Reads:
    return Reads(tmp_path)


def started(lake: LocalLake, at: datetime = START, scope: Scope = "changes", next_scope: Scope | None = None) -> Plan:
    return begin(lake, Bus(), RunRequest(at), ACME, scope, next_scope)


def record(run_id: str, task_id: str, **more: Any) -> TaskRecord:
    at = str(more.pop("at", START))
    plain = TaskRecord(
        run_id, task_id, task_id.partition("__")[0], "made up", at, at, None, None, 0, 0, 0, 0, (), (), 1, 0, 0, 0.0, {}
    )
    return replace(plain, **more)


def write(lake: LocalLake, *records: TaskRecord) -> None:
    for each in records:
        lake.write(str(TaskKey(each.run_id, each.task_id)), each.to_json(), 0)


def children(repositories: int) -> tuple[str, ...]:
    numbers = range(1, repositories + 1)
    return tuple(f"github_{what}__{number}" for number in numbers for what in ("pull_requests", "commits"))


def part(run_id: str, table: str, task_id: str, rows: int = 1, number: int = 0) -> Part:
    name = f"raw/{table}/dt=2026-11-20/run={run_id}/{task_id}-{number:05}.parquet"
    return Part(name, number + 1, 10, "AAAAAA==", rows)


def note(lake: LocalLake, loads: Loads, *records: TaskRecord) -> None:
    from millrace.lake import StoredObject

    for each in records:
        for held in each.parts:
            loads.note(StoredObject(held.version(lake.bucket), held.size_bytes, held.crc32c))


def test_an_unfinished_run_of_many_tasks_is_known_by_their_names(lake: Reads) -> None:
    started(lake)
    write(lake, record(RUN, "github_repos", children=children(50)))
    write(lake, *(record(RUN, task_id) for task_id in children(50)[:-1]))
    lake.reads.clear()
    assert not runs.finish_if_complete(lake, Loads(), RUN)
    assert reconcile.unfinished(lake, RUN) == ["github_commits__50"]
    assert lake.reads == {"plan.json": 2, "tasks": 2}


def test_parts_that_are_not_loaded_are_found_in_the_newest_record(lake: Reads) -> None:
    started(lake)
    root = record(RUN, "github_repos", children=children(50), parts=(part(RUN, "github_repos", "github_repos"),))
    others = [record(RUN, task_id, parts=(part(RUN, "identities", task_id),)) for task_id in children(50)]
    write(lake, root, *others)
    loads = Loads()
    note(lake, loads, root, *others[:-1])
    lake.reads.clear()
    assert not runs.finish_if_complete(lake, loads, RUN)
    assert lake.reads["tasks"] == 2
    note(lake, loads, others[-1])
    assert runs.finish_if_complete(lake, loads, RUN)
    final = runs.read_final(lake, RUN)
    assert final is not None
    assert (len(final.tasks), final.load_seq) == (101, 101)
    lake.reads.clear()
    assert runs.finish_if_complete(lake, loads, RUN)
    assert lake.reads["tasks"] == 1


def test_a_record_that_names_itself_ends(lake: Reads) -> None:
    plan = started(lake)
    write(lake, record(RUN, "github_repos", children=("github_repos", "github_commits__1", "github_commits__1")))
    assert runs.tasks_of(lake, plan).waiting == ["github_commits__1"]
    assert [task_id for task_id, _ in runs.read_tree(lake, RUN)] == ["github_repos", "github_commits__1"]


def marked(run_id: str, marks: Mapping[str, int | None], **more: Any) -> list[TaskRecord]:
    """Return the records of a run whose pull requests got these marks, by repository."""
    tasks = {number: f"github_pull_requests__{number}" for number in marks}
    root = record(run_id, "github_repos", children=tuple(tasks.values()))
    return [root] + [
        record(run_id, tasks[number], mark=None if mark is None else {"to": mark}, source_total=mark or 0, **more)
        for number, mark in marks.items()
    ]


def held(lake: LocalLake) -> Cursor:
    cursor = runs.held_cursor(lake, "github_pull_requests", "acme")
    assert cursor is not None
    return cursor


def ran(lake: LocalLake, hours: int, marks: Mapping[str, int | None], scope: Scope = "changes") -> str:
    """Write a run with these marks, and advance the cursors by it."""
    at = START + timedelta(hours=hours)
    run_id = started(lake, at, scope).run_id
    write(lake, *marked(run_id, marks, at=at))
    runs.advance_cursors(lake, Loads(), run_id)
    return run_id


def test_the_marks_of_all_repositories_are_in_one_cursor(lake: Reads) -> None:
    ran(lake, 0, {"1": 10, "2": 20, "3": None})
    assert held(lake).marks == {"1": {"to": 10}, "2": {"to": 20}}
    assert held(lake).counts == {"1": 10, "2": 20}
    later = ran(lake, 1, {"1": 11, "2": None, "4": 40})
    assert held(lake).marks == {"1": {"to": 11}, "2": {"to": 20}, "4": {"to": 40}}
    assert (held(lake).run_id, held(lake).full_at) == (later, None)
    assert runs.held_cursor(lake, "github_pull_requests") is None


def test_an_older_run_that_ends_late_moves_no_mark_back(lake: Reads) -> None:
    older = started(lake, START, "full").run_id
    newer = ran(lake, 1, {"1": 11, "2": None})
    write(lake, *marked(older, {"1": 10, "2": 20}))
    runs.advance_cursors(lake, Loads(), older)
    assert (held(lake).marks, held(lake).run_id) == ({"1": {"to": 11}, "2": {"to": 20}}, newer)
    assert held(lake).full_at == START.isoformat()
    before = lake.read("state/acme/github_pull_requests.json")[1].version
    runs.advance_cursors(lake, Loads(), older)
    assert lake.read("state/acme/github_pull_requests.json")[1].version == before


def test_cursors_that_are_not_behind_cost_no_reading_of_all_records(lake: Reads) -> None:
    run_id = ran(lake, 0, {str(number): number for number in range(1, 50)}, "full")
    write(lake, record(run_id, "github_commits__1"))
    lake.reads.clear()
    runs.advance_cursors(lake, Loads(), run_id)
    assert lake.reads["tasks"] == 1


@pytest.mark.parametrize("is_quarantined", [False, True])
def test_a_repository_whose_part_is_not_loaded_keeps_its_mark(lake: Reads, is_quarantined: bool) -> None:
    run_id = started(lake).run_id
    root, one, two = marked(run_id, {"1": 10, "2": 20})
    one = replace(one, parts=(part(run_id, "github_reviews", one.task_id),))
    write(lake, root, one, two)
    loads = Loads()
    if is_quarantined:
        note(lake, loads, one)
        loads.rows = [replace(entry, quarantine_reason="bytes") for entry in loads.rows]
    runs.advance_cursors(lake, loads, run_id)
    assert held(lake).marks == {"2": {"to": 20}}


def test_a_forgotten_cursor_stays_so_until_a_newer_run_ends(lake: Reads) -> None:
    run_id = ran(lake, 0, {"1": 10}, "full")
    runs.forget_cursor(lake, "github_pull_requests", "acme")
    runs.advance_cursors(lake, Loads(), run_id)
    assert runs.read_cursor(lake, "github_pull_requests", None, account="acme") is None
    ran(lake, 1, {"1": 11})
    cursor = runs.read_cursor(lake, "github_pull_requests", None, account="acme")
    assert cursor is not None
    assert (cursor.marks, cursor.full_at) == ({"1": {"to": 11}}, None)


class Holding(Loads):
    """A ledger and the number of rows of each raw table."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.count = lambda table: rows


@pytest.mark.parametrize(("rows", "is_forgotten"), [(29, True), (30, False)])
def test_cursors_that_claim_more_rows_than_the_warehouse_has_are_forgotten(
    lake: Reads, rows: int, is_forgotten: bool
) -> None:
    ran(lake, 0, {"1": 10, "2": 20, "3": None}, "full")
    forgotten = recovery.forget_cursors(lake, Holding(rows))  # type: ignore[arg-type]  # of a count alone
    assert [(each.table, each.rows, each.known) for each in forgotten] == (
        [("github_pull_requests", 29, 30)] if is_forgotten else []
    )
    assert held(lake).is_forgotten == is_forgotten


def test_reconciliation_has_a_line_for_each_raw_table(lake: Reads) -> None:
    started(lake)
    root = record(
        RUN,
        "github_repos",
        children=("github_pull_requests__1", "github_pull_requests__2", "github_commits__1"),
        source_total=2,
        parts=(part(RUN, "github_repos", "github_repos", 2),),
    )
    tasks = [
        record(
            RUN,
            f"github_pull_requests__{number}",
            source_total=10,
            known=number,
            totals={"github_reviews": 4, "github_commits": 1},
            requests=3,
            parts=(
                part(RUN, "github_pull_requests", f"github_pull_requests__{number}", 10 - number),
                part(RUN, "github_reviews", f"github_pull_requests__{number}", 3 + number),
                part(RUN, "github_commits", f"github_pull_requests__{number}", 1),
                part(RUN, "source_windows", f"github_pull_requests__{number}", 1),
            ),
        )
        for number in (1, 2)
    ]
    commits = record(
        RUN, "github_commits__1", source_total=5, parts=(part(RUN, "github_commits", "github_commits__1", 5),)
    )
    write(lake, root, *tasks, commits)
    loads = Loads()
    note(lake, loads, root, *tasks, commits)
    rows = {each.version(lake.bucket): each.rows for one in (root, *tasks, commits) for each in one.parts}
    loads.rows = [replace(entry, rows_inserted=rows[entry.version]) for entry in loads.rows]
    lines = {line.table: line for line in reconcile.reconcile(lake, loads, RUN)}
    assert {table: (line.source_total, line.known, line.written, line.missing) for table, line in lines.items()} == {
        "github_repos": (2, 0, 2, 0),
        "github_pull_requests": (20, 3, 17, 0),
        "github_reviews": (8, 0, 9, 0),
        "github_commits": (7, 0, 7, 0),
        "source_windows": (2, 0, 2, 0),
    }
    assert all(line.is_balanced for line in lines.values())
    assert (lines["github_pull_requests"].requests, lines["github_reviews"].requests) == (6, 0)
    loads.rows = [entry for entry in loads.rows if entry.table_name != "github_reviews"]
    lines = {line.table: line for line in reconcile.reconcile(lake, loads, RUN)}
    assert [table for table, line in lines.items() if not line.is_balanced] == ["github_reviews"]
    assert lines["github_reviews"].missing == 9


def swept(lake: LocalLake, now: datetime, account: str | None = None) -> list[tuple[str, str]]:
    bus = Bus()
    sweep.sweep(lake, bus, Loads(), now, SweepTimeouts(), account)  # type: ignore[arg-type]  # of a ledger alone
    return bus.published


def test_a_sweep_requests_the_lost_task_of_a_repository(lake: Reads) -> None:
    started(lake)
    write(lake, record(RUN, "github_repos", children=children(2)), record(RUN, "github_commits__2"))
    assert swept(lake, START + timedelta(minutes=20)) == []
    assert swept(lake, START + timedelta(hours=2)) == [(RUN, task_id) for task_id in children(2)[:-1]]


def test_a_sweep_starts_the_next_run_that_was_lost(lake: Reads) -> None:
    started(lake, START, "recent", "full")
    tasks = children(2)
    write(lake, record(RUN, "github_repos", children=tasks), *(record(RUN, task_id) for task_id in tasks[1:]))
    assert runs.start_next(lake, Bus(), RUN) is False
    write(lake, record(RUN, tasks[0]))
    following = "20261120T060001Z-acme"
    assert swept(lake, START + timedelta(minutes=1)) == [(following, "github_repos")]
    assert runs.read_plan(lake, following).scope == "full"
    assert swept(lake, START + timedelta(minutes=2)) == []


def test_a_sweep_for_one_account_leaves_the_tasks_of_the_others(lake: Reads) -> None:
    started(lake)
    runs.start(lake, Bus(), RunRequest(START))
    day_later = START + timedelta(days=2)
    assert swept(lake, START + timedelta(hours=2), "") == [("20261120T060000Z", each) for each in ("repos", "commits")]
    assert swept(lake, START + timedelta(hours=2), "acme") == [(RUN, "github_repos")]
    assert swept(lake, day_later, "umbrella") == []
    assert (runs.read_final(lake, RUN), runs.read_final(lake, "20261120T060000Z")) == (None, None)
    swept(lake, day_later, "acme")
    final = runs.read_final(lake, RUN)
    assert final is not None
    assert final.status == "failed"


def test_a_run_of_an_account_hides_no_run_of_the_same_second(lake: Reads) -> None:
    started(lake)
    runs.start(lake, Bus(), RunRequest(START))
    assert sweep.run_ids(lake) == ["20261120T060000Z", RUN]
    assert list(sweep.newest_first(lake, START + timedelta(hours=1))) == [RUN, "20261120T060000Z"]
    runs.fail(lake, RUN, "made up")
    now = START + timedelta(days=5)
    sweep.sweep(lake, Bus(), Loads(), now, SweepTimeouts(until_failed=timedelta(days=9)))  # type: ignore[arg-type]
    assert swept(lake, now) == []
    assert runs.read_final(lake, "20261120T060000Z") is not None
