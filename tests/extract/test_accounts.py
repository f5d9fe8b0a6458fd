"""An account that is read repository by repository: every kill, redelivery and stranger leaves it whole."""

import re
from datetime import timedelta
from itertools import count
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.extract.made_up import ACME, FULL, RECENT, START, Account, Killed, MadeUp

from millrace import runs
from millrace.bus.events import NotAnEvent, TaskEvent
from millrace.errors import SourceUnavailable, TransientError, UnexpectedResponse
from millrace.extract.http_client import RequestStats
from millrace.extract.reading import Request
from millrace.runs import RunRequest


def whole(account: Account, run_id: str) -> dict[str, set[str]]:
    """Return the rows of a run by raw table, without the windows of what was refused."""
    return {table: set(keys) for table, keys in account.rows(run_id).items() if table != "source_windows" and keys}


def repeated(account: Account) -> int:
    """Return the number of requests that were made again."""
    return account.source.asked.total() - len(account.source.asked)


def test_an_account_is_read_whole_by_a_recent_and_a_full_run(tmp_path: Path) -> None:
    account = Account(tmp_path, MadeUp(6))
    plan = account.start()
    assert (plan.run_id, plan.scope, plan.next_scope) == (RECENT, "recent", "full")
    account.run()
    assert whole(account, RECENT) == whole(account, FULL) == account.source.all_rows()
    following = runs.read_plan(account.lake, FULL)
    assert (following.scope, following.next_scope, following.origin) == ("full", None, ACME)
    assert repeated(account) == 0


@pytest.mark.parametrize(
    ("scope", "writes", "at_least"),
    [("full", "", 30), (None, "/plan|/tasks/", 16)],
    ids=["each write of a run", "records and plans of two runs"],
)
def test_a_kill_before_or_after_a_write_loses_nothing_and_repeats_one_page(
    tmp_path: Path, scope: str | None, writes: str, at_least: int
) -> None:
    moments = 0
    while True:
        met = count()
        account = Account(
            tmp_path / str(moments),
            MadeUp(1),
            lambda moment, at=moments, met=met: bool(re.search(writes, moment)) and next(met) == at,  # type: ignore[misc]
        )
        plan = account.start(scope=scope)
        account.run()
        for run_id in [each for each in (RECENT, runs.next_run_id(plan)) if each]:
            assert whole(account, run_id) == account.source.all_rows(), moments
        assert repeated(account) <= account.kills, moments
        if not account.kills:
            break
        moments += 1
    assert moments >= at_least


@pytest.mark.parametrize(
    ("repositories", "each"), [(20, 3), pytest.param(200, 2, marks=pytest.mark.proof)], ids=["few", "two hundred"]
)
def test_repositories_are_read_although_the_process_is_killed_all_the_time(
    tmp_path: Path, repositories: int, each: int
) -> None:
    moments = iter(range(10**9))

    def kill(moment: str) -> bool:
        return moment.startswith("after") and next(moments) % each == each - 1

    account = Account(tmp_path, MadeUp(repositories), kill)
    account.start(scope="full")
    account.run()
    assert account.kills > repositories
    assert whole(account, RECENT) == account.source.all_rows()
    assert repeated(account) <= account.kills
    assert not runs.tasks_of(account.lake, runs.read_plan(account.lake, RECENT)).waiting
    assert runs.finish_if_complete(account.raw_lake, account.loads, RECENT)


def test_a_task_requested_again_asks_the_source_for_nothing(tmp_path: Path) -> None:
    account = Account(tmp_path, MadeUp(5))
    account.start()
    account.run()
    asked, objects = account.source.asked.copy(), [stored.version for stored in account.raw_lake.list("")]
    for run_id in (RECENT, FULL):
        for task_id in runs.tasks_of(account.lake, runs.read_plan(account.lake, run_id)).known:
            account.deliver(TaskEvent.of(run_id, task_id))
    account.run()
    assert (account.source.asked, [stored.version for stored in account.raw_lake.list("")]) == (asked, objects)


def test_children_whose_requests_were_lost_are_requested_with_their_parent(tmp_path: Path) -> None:
    account = Account(tmp_path, MadeUp(3))
    account.start(scope="changes")
    account.deliver(account.messages.pop(0))
    children = [event.task_id for event in account.messages]
    assert children == [
        f"github_{what}__{each}" for each in (1001, 1002, 1003) for what in ("pull_requests", "commits")
    ]
    account.deliver(account.messages.pop(0))
    account.messages.clear()
    account.deliver(TaskEvent.of(RECENT, "github_repos"))
    assert [event.task_id for event in account.messages] == children[1:]


@pytest.mark.parametrize("served", ["", "umbrella", "acm"])
def test_a_message_of_another_account_is_ignored(tmp_path: Path, served: str) -> None:
    account = Account(tmp_path, MadeUp(3))
    account.start()
    before = [stored.version for stored in account.raw_lake.list("")]
    account.deliver(account.messages.pop(0), served)
    assert account.messages == []
    assert account.source.asked.total() == 0
    assert [stored.version for stored in account.raw_lake.list("")] == before


@pytest.mark.parametrize(
    "task_id", ["github_commits", "github_commits__", "github_commits__x", "github_commits__1__2", "github_repos__1"]
)
def test_a_message_without_the_id_of_a_repository_is_refused(tmp_path: Path, task_id: str) -> None:
    account = Account(tmp_path, MadeUp(3))
    account.start()
    with pytest.raises(NotAnEvent, match="and the id of a repository expected"):
        account.deliver(TaskEvent(RECENT, "github_commits", task_id))


@pytest.mark.parametrize("named", ["../x", "", "1__2", "१", "9" * 20])
def test_ids_of_repositories_are_numbers(tmp_path: Path, named: str) -> None:
    account = Account(tmp_path, MadeUp(3, hostile=(named,)))
    account.start()
    with pytest.raises(UnexpectedResponse, match="no number"):
        account.deliver(account.messages.pop(0))


def test_a_parent_whose_record_is_missing_is_waited_for(tmp_path: Path) -> None:
    account = Account(tmp_path, MadeUp(3))
    account.start()
    with pytest.raises(TransientError, match=r"github_commits__1001 of run .* before github_repos was"):
        account.deliver(TaskEvent.of(RECENT, "github_commits__1001"))


def test_a_refused_repository_is_a_row_and_no_failure(tmp_path: Path) -> None:
    account = Account(tmp_path, MadeUp(4, refused=frozenset({"1002"})))
    account.start(scope="full")
    account.run()
    assert whole(account, RECENT) == account.source.all_rows()
    assert len(account.rows(RECENT)["source_windows"]) == 2
    assert runs.finish_if_complete(account.lake, account.loads, RECENT)


def test_pages_wait_for_a_part_until_there_are_many_rows(tmp_path: Path) -> None:
    account = Account(tmp_path, MadeUp(3))
    account.start(scope="full")
    account.run()
    for _, record in runs.read_tree(account.lake, RECENT):
        assert record is not None
        tables = [part.table for part in record.parts]
        assert len(tables) == len(set(tables)) > 0
        assert record.requests <= len(list(account.raw_lake.list("raw/"))) * 4


def test_rows_of_a_killed_delivery_keep_the_time_at_which_it_began(tmp_path: Path) -> None:
    task_id = "github_pull_requests__1001"  # of three pages
    saved = f"after runs/{RECENT}/progress/{task_id}.json"
    account = Account(tmp_path, MadeUp(1), lambda moment: moment == saved and account.kills == 0)
    account.start(scope="full")
    account.deliver(account.messages.pop(0))
    with pytest.raises(Killed):
        account.deliver(account.messages[0])
    account.kills += 1
    progress, _ = runs.read_progress(account.lake, RECENT, task_id)
    assert progress is not None
    assert ({table: len(rows) for table, rows in progress.pending.items()}, progress.parts, progress.rows) == (
        {"github_pull_requests": 4, "github_reviews": 4},
        (),
        8,
    )
    account.now = START + timedelta(hours=1)
    account.run()
    record = runs.read_record(account.lake, RECENT, task_id)
    assert record is not None
    times = []
    for part in record.parts_of("github_pull_requests"):
        account.raw_lake.download(part.version("lake"), tmp_path / "part")
        times += pq.read_table(tmp_path / "part").column("_extracted_at").to_pylist()
    assert times == [START] * 4 + [account.now] * 6
    assert record.extracted_at == START.isoformat()


def test_a_source_that_is_down_keeps_what_was_read(tmp_path: Path) -> None:
    account = Account(tmp_path, MadeUp(1))
    account.start(scope="full")
    account.deliver(account.messages.pop(0))
    account.source.failing = SourceUnavailable("down")
    event = account.messages[0]
    with pytest.raises(SourceUnavailable):
        account.deliver(event)
    account.source.failing = None
    account.run()
    assert whole(account, RECENT) == account.source.all_rows()
    assert repeated(account) == 0


def test_first_run_is_recent_then_changes_and_full_again_after_a_week(tmp_path: Path) -> None:
    account = Account(tmp_path, MadeUp(2))

    def run_to_the_end() -> str:
        plan = account.start()
        account.run()
        for run_id in [each for each in (plan.run_id, runs.next_run_id(plan)) if each]:
            assert runs.finish_if_complete(account.lake, account.loads, run_id)
            runs.advance_cursors(account.lake, account.loads, run_id)
        return plan.scope

    scopes = [run_to_the_end()]
    for _ in range(8):
        account.now = account.now.replace(day=account.now.day + 1)
        scopes.append(run_to_the_end())
    assert scopes == ["recent", *["changes"] * 6, "full", "changes"]


def test_a_full_run_that_was_never_finished_is_made_up_for(tmp_path: Path) -> None:
    account = Account(tmp_path, MadeUp(2))
    account.start()
    account.run()
    assert runs.finish_if_complete(account.lake, account.loads, RECENT)
    runs.advance_cursors(account.lake, account.loads, RECENT)
    account.now = account.now.replace(hour=9)
    assert account.start().scope == "recent"  # it may still go on
    runs.fail(account.lake, FULL, "it was quiet for a day")
    account.now = account.now.replace(hour=10)
    assert account.start().scope == "full"


@pytest.mark.parametrize(
    ("request_", "scope"),
    [
        (RunRequest(START, full_refresh=True), "full"),
        (RunRequest(START, scope="changes"), "changes"),
        (RunRequest(START, scope="recent"), "recent"),
    ],
)
def test_a_request_may_say_what_is_read(tmp_path: Path, request_: RunRequest, scope: str) -> None:
    account = Account(tmp_path, MadeUp(1))
    plan = runs.start(account.lake, account, request_, ACME)
    assert (plan.scope, plan.next_scope) == (scope, "full" if scope == "recent" else None)


def test_the_cursor_is_given_to_the_reading_unless_everything_is_wished(tmp_path: Path) -> None:
    account = Account(tmp_path, MadeUp(2))
    account.start(scope="full")
    account.run()
    runs.finish_if_complete(account.lake, account.loads, RECENT)
    runs.advance_cursors(account.lake, account.loads, RECENT)
    given: list[Request] = []
    reading = account.source.reading
    account.source.reading = lambda request: given.append(request) or reading(request)  # type: ignore[method-assign,func-returns-value]
    for hour, wishes in ((7, {}), (8, {"full_refresh": True})):
        account.now = account.now.replace(hour=hour)
        account.start(**wishes)
        account.run()
    marks = {
        request.plan.run_id: request.cursor.marks if request.cursor else None
        for request in given
        if request.endpoint.name == "github_commits"
    }
    assert list(marks.values()) == [{each: {"by": RECENT} for each in account.source.ids()}, None]
    assert isinstance(given[0].stats, RequestStats)
