"""The run protocol: a run is final once, exactly when all of its facts are there, whichever commit is the last."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from millrace import runs
from millrace.bus import Bus
from millrace.bus.events import NotAnEvent
from millrace.bus.in_process import LocalBus
from millrace.errors import TerminalError
from millrace.lake import Lake, ObjectVersion
from millrace.lake.local import LocalLake
from millrace.lake.names import FinalKey, PlanKey, TaskKey
from millrace.laptop.report import sentence
from millrace.runs import Part, RunRequest, TaskRecord, reconcile
from millrace.tables import CURSOR_SIM, children_of
from millrace.warehouse import LedgerEntry

RUN = "20260131T060000Z"
T0 = datetime(2026, 1, 31, 6, tzinfo=UTC)
FINAL = str(FinalKey(RUN))


class Ledger:
    """A ledger in memory; appending to a list is atomic, as a commit is."""

    def __init__(self) -> None:
        self.rows: list[LedgerEntry] = []
        self._seqs = count(1)

    def note(self, version: ObjectVersion, rows: int = 0, reason: str | None = None) -> None:
        loaded, quarantined = (0, rows) if reason else (rows, 0)
        entry = LedgerEntry(version, "t", RUN, T0, rows, loaded, 0, 0, 0, quarantined, reason, next(self._seqs), T0)
        self.rows.append(entry)

    def loads_of(self, run_id: str) -> list[LedgerEntry]:
        return list(self.rows)

    def entries(self, is_quarantined: bool = False) -> list[LedgerEntry]:
        return [entry for entry in self.rows if not is_quarantined or entry.quarantine_reason is not None]

    def find(self, version: ObjectVersion) -> LedgerEntry | None:
        return next((entry for entry in self.rows if entry.version == version), None)


@pytest.fixture
def lake(tmp_path: Path) -> LocalLake:
    return LocalLake(tmp_path / "lake", "lake")


@pytest.fixture
def bus() -> Bus:
    return LocalBus()


def record(table: str, rows: int = 5, number: int = 1, **more: Any) -> TaskRecord:
    parts = tuple(Part(f"raw/{table}/{n}", n + 1, 10, "AAAAAA==", rows) for n in range(number))
    children = tuple(child.name for child in children_of(table))
    total = rows * number
    plain = TaskRecord(
        RUN, table, table, "bulk", str(T0), str(T0), None, None, total, 0, 0, total, parts, children, 1, 0, 0, 0.0, {}
    )
    return replace(plain, **more)


def write(lake: Lake, record: TaskRecord) -> None:
    lake.write(str(TaskKey(RUN, record.task_id)), record.to_json(), 0)


def facts(lake: Lake, ledger: Ledger) -> list[Callable[[], None]]:
    """Return the commits of a run of all tables with two parts each: records and ledger rows."""
    records = [record(table, number=2) for table in CURSOR_SIM]
    commits: list[Callable[[], None]] = [lambda each=each: write(lake, each) for each in records]  # type: ignore[misc]
    parts = [part.version("lake") for each in records for part in each.parts]
    return commits + [lambda version=version: ledger.note(version, 5) for version in parts]


def start(lake: Lake, bus: Bus) -> None:
    runs.start(lake, bus, RunRequest(T0))


def finals(lake: LocalLake) -> list[str]:
    """Return the names of the final objects that are written from now on."""
    told: list[str] = []
    lake.finalized = lambda stored: told.append(stored.version.name) if stored.version.name == FINAL else None
    return told


def test_the_schedule_time_names_the_run_to_the_second(lake: Lake, bus: Bus) -> None:
    request = RunRequest.parse("2026-01-31T07:00:00.9+01:00", b"")
    assert runs.start(lake, bus, request).run_id == RUN
    assert runs.read_plan(lake, RUN).day == date(2026, 1, 31)


@pytest.mark.parametrize(
    ("objects", "first"),
    [((), ["repos", "commits"]), (("commits",), ["commits"]), (("pull_requests",), ["repos"])],
)
def test_run_of_some_objects_starts_with_their_tasks(
    lake: Lake, bus: Bus, objects: tuple[str, ...], first: list[str]
) -> None:
    plan = runs.start(lake, bus, RunRequest(T0), runs.Origin(objects=objects))
    assert [task.task_id for task in plan.tasks()] == runs.tasks_of(lake, plan).waiting == first
    assert runs.read_plan(lake, RUN) == plan
    assert runs.read_plan(lake, RUN).origin == runs.Origin(objects=objects)


def test_a_run_of_the_first_century_has_a_run_id_like_any_other(lake: Lake, bus: Bus) -> None:
    assert runs.start(lake, bus, RunRequest(T0.replace(year=33))).run_id == "00330131T060000Z"


def test_an_order_has_a_bound_and_a_wish(lake: Lake) -> None:
    request = RunRequest.parse("2026-01-31T06:00:00Z", b'{"since": "2026-01-01", "full_refresh": true}')
    assert request == RunRequest(T0, date(2026, 1, 1), True)


@pytest.mark.parametrize(
    "scheduled_at",
    [
        pytest.param("9999-12-31T23:59:59+14:00", id="the year 9999"),
        pytest.param("2026-01-31T07:00:01Z", id="a second more than an hour"),
        pytest.param("2026-01-31T06:30:00-01:00", id="by another offset"),
        pytest.param("2026-02-01T06:00:00Z", id="tomorrow"),
    ],
)
def test_an_order_of_the_future_is_refused(scheduled_at: str) -> None:
    with pytest.raises(NotAnEvent, match="expected a schedule time within an hour of 2026-01-31 06:00"):
        RunRequest.parse(scheduled_at, b"", now=T0)


def test_a_clock_may_be_an_hour_behind_the_schedule() -> None:
    assert RunRequest.parse("2026-01-31T07:00:00Z", b"", now=T0).scheduled_at == T0.replace(hour=7)


def test_an_order_without_a_schedule_time_is_for_now() -> None:
    assert abs((datetime.now(UTC) - RunRequest.parse(None, b"").scheduled_at).total_seconds()) < 60


def test_a_run_without_a_plan_is_an_error_that_names_it(lake: Lake) -> None:
    with pytest.raises(TerminalError, match=RUN):
        dict(runs.read_tree(lake, RUN))


def test_a_record_is_read_as_it_was_written(lake: Lake) -> None:
    written = record("repos", number=3, counts={"2026-01-01 open": 7})
    write(lake, written)
    assert runs.read_record(lake, RUN, "repos") == written


def test_the_tree_grows_with_the_children_of_finished_tasks(lake: Lake, bus: Bus) -> None:
    start(lake, bus)
    assert dict(runs.read_tree(lake, RUN)) == {"repos": None, "commits": None}
    write(lake, record("repos"))
    assert dict(runs.read_tree(lake, RUN)) == {"repos": record("repos"), "commits": None, "pull_requests": None}


@pytest.mark.parametrize("missing", range(12))
def test_a_run_that_lacks_a_fact_is_not_final(lake: Lake, bus: Bus, missing: int) -> None:
    ledger = Ledger()
    start(lake, bus)
    commits = facts(lake, ledger)
    assert len(commits) == 12
    last = commits.pop(missing)
    for commit in commits:
        commit()
    assert runs.finish_if_complete(lake, ledger, RUN) is False
    last()
    assert runs.finish_if_complete(lake, ledger, RUN) is True


def test_another_generation_of_a_part_in_the_ledger_is_not_the_part(lake: Lake, bus: Bus) -> None:
    ledger = Ledger()
    start(lake, bus)
    for commit in facts(lake, ledger):
        commit()
    ledger.rows = [replace(e, version=replace(e.version, generation=9)) for e in ledger.rows]
    assert runs.finish_if_complete(lake, ledger, RUN) is False


def test_a_quarantined_part_is_a_fact_like_a_loaded_one(lake: Lake, bus: Bus) -> None:
    ledger = Ledger()
    start(lake, bus)
    for commit in facts(lake, ledger):
        commit()
    ledger.rows[0] = replace(ledger.rows[0], quarantine_reason="schema")
    assert runs.finish_if_complete(lake, ledger, RUN) is True


def test_final_object_lists_tasks_and_load_seq(lake: Lake, bus: Bus) -> None:
    ledger = Ledger()
    start(lake, bus)
    for commit in facts(lake, ledger):
        commit()
    ledger.note(ObjectVersion("lake", "left by a crashed attempt", 1))
    runs.finish_if_complete(lake, ledger, RUN)
    told = json.loads(lake.read(FINAL)[0])
    assert told == {"run_id": RUN, "status": "complete", "reason": None, "tasks": sorted(CURSOR_SIM), "load_seq": 8}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.permutations(range(12)))
def test_in_any_order_of_commits_exactly_the_last_one_makes_the_run_final(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    lake, ledger = LocalLake(tmp_path_factory.mktemp("lake"), "lake"), Ledger()
    start(lake, LocalBus())
    commits, told, answers = facts(lake, ledger), finals(lake), []
    for number in order:
        commits[number]()
        answers.append(runs.finish_if_complete(lake, ledger, RUN))
    assert answers == [False] * 11 + [True]
    assert told == [FINAL]


@pytest.mark.parametrize("attempt", range(5))
def test_of_commits_side_by_side_one_makes_the_run_final_once(lake: LocalLake, bus: Bus, attempt: int) -> None:
    ledger = Ledger()
    start(lake, bus)
    told = finals(lake)

    def commit_and_look(commit: Callable[[], None]) -> bool:
        commit()
        return runs.finish_if_complete(lake, ledger, RUN)

    with ThreadPoolExecutor(12) as threads:
        answers = list(threads.map(commit_and_look, facts(lake, ledger)))
    assert any(answers)
    assert told == [FINAL]


def test_a_loaded_table_balances(lake: Lake, bus: Bus) -> None:
    ledger = Ledger()
    start(lake, bus)
    write(lake, record("repos", rows=5, number=2, source_total=12, known=2))
    for part in record("repos", number=2).parts:
        ledger.note(part.version("lake"), 5)
    (line,) = reconcile.reconcile(lake, ledger, RUN)
    assert (line.extracted, line.written, line.inserted, line.missing) == (10, 10, 10, 0)
    assert line.is_balanced


@pytest.mark.parametrize(
    ("record", "noted", "missing", "quarantined"),
    [
        pytest.param(record("repos", number=2), {0: None}, 5, 0, id="a part that was not loaded"),
        pytest.param(record("repos", number=2), {0: None, 1: "schema"}, 0, 5, id="a part in quarantine"),
        pytest.param(record("repos", source_total=6), {0: None}, 0, 0, id="a row that was not extracted"),
        pytest.param(record("repos", rows=0, number=1, source_total=1), {0: None}, 0, 0, id="no row extracted"),
    ],
)
def test_rows_missing_from_warehouse_unbalance_their_line(
    lake: Lake, bus: Bus, record: TaskRecord, noted: dict[int, str | None], missing: int, quarantined: int
) -> None:
    ledger = Ledger()
    start(lake, bus)
    write(lake, record)
    for number, reason in noted.items():
        ledger.note(record.parts[number].version("lake"), record.parts[number].rows, reason)
    (line,) = reconcile.reconcile(lake, ledger, RUN)
    assert (line.missing, line.quarantined, line.is_balanced) == (missing, quarantined, False)


@pytest.mark.parametrize(
    ("superseded", "read_twice", "older"),
    [
        pytest.param(1, 0, 1, id="one lost"),
        pytest.param(5, 0, 5, id="all lost"),
        pytest.param(3, 2, 1, id="two were read twice, another one lost"),
        pytest.param(2, 2, 0, id="only what was read twice"),
    ],
)
def test_rows_that_lost_against_stored_ones_unbalance_their_line(
    lake: Lake, bus: Bus, superseded: int, read_twice: int, older: int
) -> None:
    ledger = Ledger()
    start(lake, bus)
    one = record("repos", rows=5, number=1, source_total=5 - read_twice)
    write(lake, one)
    ledger.note(one.parts[0].version("lake"), 5)
    ledger.rows[0] = replace(ledger.rows[0], rows_inserted=5 - superseded, rows_superseded=superseded)
    (line,) = reconcile.reconcile(lake, ledger, RUN)
    assert (line.older, line.is_balanced) == (older, older == 0)
    said = f"✗ repos          source {5 - read_twice} ="
    assert sentence(line).strip().startswith(said) is (older > 0)
    assert (f"; {older} rows of this run are older than what is stored" in sentence(line)) is (older > 0)


@pytest.mark.parametrize(
    ("later", "older"),
    [
        pytest.param("2026-11-20T07:00:00+00:00", 0, id="a later run was loaded before"),
        pytest.param("2037-11-20T07:00:00+00:00", 3, id="the other run's clock was ahead"),
    ],
)
def test_a_run_that_another_overtook_is_not_unbalanced_by_it(lake: Lake, bus: Bus, later: str, older: int) -> None:
    ledger = Ledger()
    start(lake, bus)
    one = record("repos", rows=5, number=1, source_total=5, extracted_at="2026-11-20T06:00:00+00:00")
    write(lake, one)
    other = replace(one, run_id="20261120T070000Z", extracted_at=later)
    lake.write(str(TaskKey(other.run_id, "repos")), other.to_json(), 0)
    ledger.note(one.parts[0].version("lake"), 5)
    ledger.rows[0] = replace(ledger.rows[0], rows_inserted=2, rows_superseded=3)
    (line,) = reconcile.reconcile(lake, ledger, RUN)
    assert (line.older, line.is_balanced) == (older, older == 0)


@pytest.mark.parametrize(
    ("read_at", "older"),
    [
        pytest.param(datetime(2026, 11, 20, 7, tzinfo=UTC), 0, id="it read later, and was loaded before"),
        pytest.param(datetime(2026, 11, 20, 5, tzinfo=UTC), 3, id="it read earlier"),
        pytest.param(datetime(2037, 11, 20, 7, tzinfo=UTC), 3, id="its clock was ahead"),
    ],
)
def test_a_second_attempt_at_a_task_does_not_unbalance_the_first(
    lake: Lake, bus: Bus, read_at: datetime, older: int
) -> None:
    ledger = Ledger()
    start(lake, bus)
    one = record("repos", rows=5, number=1, source_total=5, extracted_at="2026-11-20T06:00:00+00:00")
    write(lake, one)
    ledger.note(one.parts[0].version("lake"), 5)
    ledger.note(replace(one.parts[0].version("lake"), name=f"raw/repos/dt=2026-11-20/run={RUN}/repos-00009.parquet"), 5)
    first, second = ledger.rows
    at = datetime.fromisoformat(one.extracted_at)
    ledger.rows[0] = replace(first, table_name="repos", extracted_at=at, rows_inserted=2, rows_superseded=3)
    ledger.rows[1] = replace(second, table_name="repos", extracted_at=read_at)
    (line,) = reconcile.reconcile(lake, ledger, RUN)
    assert (line.older, line.is_balanced) == (older, older == 0)


@pytest.mark.parametrize(
    ("held", "missing"), [pytest.param(10, 0, id="all are here"), pytest.param(9, 1, id="a known row is gone")]
)
def test_rows_that_two_tasks_write_do_not_count_twice_as_known(lake: Lake, bus: Bus, held: int, missing: int) -> None:
    ledger = Ledger()
    start(lake, bus)
    of_branch = Part("raw/github_commits/dt=2026-01-31/run=r/github_commits__7-0.parquet", 1, 10, "AAAAAA==", 2)
    of_pulls = Part("raw/github_commits/dt=2026-01-31/run=r/github_pull_requests__7-0.parquet", 2, 10, "AAAAAA==", 5)
    commits = record("github_commits", source_total=10, known=8, parts=(of_branch,), task_id="github_commits__7")
    pulls = record("github_pull_requests", rows=0, number=0, parts=(of_pulls,), task_id="github_pull_requests__7")
    write(lake, commits)
    write(lake, pulls)
    write(lake, record("repos", rows=0, number=0, children=(commits.task_id, pulls.task_id)))
    for part in (of_branch, of_pulls):
        ledger.note(part.version("lake"), part.rows)
    lines = reconcile.reconcile(lake, ledger, RUN, lambda table: held)
    (line,) = [line for line in lines if line.table == "github_commits"]
    assert (line.missing, line.is_balanced) == (missing, not missing)


def test_tasks_without_a_record_are_named(lake: Lake, bus: Bus) -> None:
    start(lake, bus)
    write(lake, record("commits"))
    assert reconcile.unfinished(lake, RUN) == ["repos"]


def test_a_plan_is_written_once(lake: Lake, bus: Bus) -> None:
    first = runs.start(lake, bus, RunRequest(T0, date(2026, 1, 1)))
    again = runs.start(lake, bus, RunRequest(T0, None, True))
    assert again == first
    assert len(list(lake.list(str(PlanKey(RUN))))) == 1
