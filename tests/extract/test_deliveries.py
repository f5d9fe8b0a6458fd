"""A task that needs longer than a delivery: it is saved, requested again, and ends complete."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
import requests
from tests.extract.answering import Answers, Said, Turn, answers_of
from tests.extract.delivering import (
    RUN,
    Deliveries,
    Limited,
    SimulatedClock,
    keys_of,
    limits_of,
    one_thread_each,
    rows_of,
)

import simulator
from millrace import runs
from millrace.errors import Incomplete, MillraceError, SourceUnavailable, TransientError
from millrace.lake import Lake, StoredObject
from millrace.lake.names import ProgressKey
from millrace.runs import Overtaken
from millrace.tables import CURSOR_SIM

END = datetime(2026, 11, 20, tzinfo=UTC)
PROGRESS = str(ProgressKey(RUN, "pull_requests"))


@pytest.fixture(scope="module")
def team() -> simulator.World:
    """Sixty developers, sixty days: 493 requests."""
    return simulator.generate(developers=60, days=60, seed=7, end=END)


@pytest.fixture(autouse=True)
def _one_thread_each() -> Iterator[None]:
    with one_thread_each():
        yield


def deliveries_of(
    folder: Path, answers: Answers, timeout_s: float | None = 40, is_limited: bool = True, **more: float
) -> Deliveries:
    clock = SimulatedClock()
    source = Limited(answers, clock, is_limited=is_limited)
    made = Deliveries(
        folder, source, clock, limits_of(clock, timeout_s, **more), per_minute=100 if is_limited else None
    )
    made.start()
    return made


def requests_at_once(folder: Path, world: simulator.World, table: str) -> int:
    whole = deliveries_of(folder / "whole", answers_of(world), None, is_limited=False)
    return whole.complete(table).requests


@pytest.mark.parametrize("table", ["pull_requests", "reviews"])
def test_a_task_longer_than_a_delivery_ends_complete_for_the_same_requests(
    team: simulator.World, tmp_path: Path, table: str
) -> None:
    pieces = deliveries_of(tmp_path, answers_of(team))
    record = pieces.complete(table)
    assert pieces.deliveries[table] >= 2
    rows = rows_of(pieces.lake, record, tmp_path)
    assert len(keys_of(rows, table)) == record.source_total
    assert len(rows) == record.rows
    assert record.requests <= requests_at_once(tmp_path, team, table) * 1.03
    assert record.requests == len(pieces.source.at)
    assert pieces.source.refused == record.rate_limited == 0
    assert (pieces.messages, pieces.completed) == ([], [table])


def test_no_delivery_lasts_beyond_its_time(team: simulator.World, tmp_path: Path) -> None:
    pieces = deliveries_of(tmp_path, answers_of(team), 45)
    lasted: list[float] = []
    record = None
    while record is None:
        began_s = pieces.clock.now_s
        record = pieces.deliver("pull_requests", f"m{len(lasted)}")
        lasted.append(pieces.clock.now_s - began_s)
    assert len(lasted) > 3
    assert max(lasted) <= 45 - 10  # less the longest request
    assert min(lasted[:-1]) > 20  # and it uses what it has


@pytest.mark.parametrize("tables", [["pull_requests"], list(CURSOR_SIM)], ids=["one task", "four tasks"])
def test_tasks_that_share_a_source_use_its_whole_limit_and_never_exceed_it(
    team: simulator.World, tmp_path: Path, tables: list[str]
) -> None:
    pieces = deliveries_of(tmp_path, answers_of(team))
    records = {}

    def complete(table: str) -> None:
        records[table] = pieces.complete(table)

    pieces.clock.run(*(partial(complete, table) for table in tables))
    assert pieces.source.refused == 0
    assert {table: record.source_total for table, record in records.items()} == {
        table: len(keys_of(rows_of(pieces.lake, record, tmp_path), table)) for table, record in records.items()
    }
    asked = len(pieces.source.at)
    assert asked > 200
    at_the_limit_s = (asked - 75) / 100 * 60
    assert pieces.clock.now_s < at_the_limit_s * 1.1 + 10


def test_half_of_the_limit_for_each_task_would_take_a_lone_one_twice_as_long(
    team: simulator.World, tmp_path: Path
) -> None:
    shared = deliveries_of(tmp_path / "shared", answers_of(team), None)
    halved = deliveries_of(tmp_path / "halved", answers_of(team), None)
    halved.per_minute, halved.is_shared = 50, False
    for each in (shared, halved):
        each.complete("pull_requests")
    assert shared.clock.now_s < halved.clock.now_s * 0.6


class Dying:
    """A lake whose process dies after its n-th effect."""

    def __init__(self, lake: Lake, left: int) -> None:
        self.bucket, self.left = lake.bucket, left
        self._lake = lake
        self.read, self.download, self.list = lake.read, lake.download, lake.list

    def write(self, name: str, content: bytes | Path, if_generation: int) -> StoredObject:
        if name.startswith(("runs/", "raw/")):
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
        return self._lake.write(name, content, if_generation)


@pytest.mark.parametrize(
    "first", [pytest.param(n, marks=[] if n in (0, 1, 5, 9) else pytest.mark.proof) for n in range(12)]
)
def test_killed_between_any_two_effects_a_task_ends_complete(
    usual_world: simulator.World, tmp_path: Path, first: int
) -> None:
    """The first process dies after `first` effects, each later one after three more than the one before."""
    pieces = deliveries_of(tmp_path, answers_of(usual_world), 30, longest_s=5, checkpoint_s=0)
    for number in range(100):
        dying = Dying(pieces.raw_lake, first + 3 * number)
        pieces.lake = dying
        try:
            record = pieces.deliver("pull_requests", f"m{number}")
        except KeyboardInterrupt:
            pieces.clock.now_s += 31  # its claim ends
            continue
        if record is not None:
            break
    pieces.lake = pieces.raw_lake
    assert number > 0
    assert record is not None
    rows = rows_of(pieces.lake, record, tmp_path)
    assert len(keys_of(rows, "pull_requests")) == record.source_total == len(usual_world.pulls.rows)
    assert sum(record.counts.values()) == record.source_total


def test_a_second_message_is_acknowledged_while_the_first_is_read(team: simulator.World, tmp_path: Path) -> None:
    pieces = deliveries_of(tmp_path, answers_of(team))
    asked = []

    def second() -> None:
        pieces.clock.sleep(20)
        asked.append(len(pieces.source.at))
        assert pieces.deliver("pull_requests", "another") is None
        with pytest.raises(Overtaken, match=r"an earlier delivery of this message may read until 2026-11-20T06:00:40"):
            pieces.deliver("pull_requests", "first")

    def first() -> None:
        assert pieces.deliver("pull_requests", "first") is None

    pieces.clock.run(first, second)
    assert asked[0] > 10
    progress, _ = runs.read_progress(pieces.lake, RUN, "pull_requests")
    assert progress is not None
    assert progress.deliveries == 1
    assert len(pieces.messages) == 1  # of the first, for the rest


def test_a_claim_of_a_dead_process_ends_with_its_time(team: simulator.World, tmp_path: Path) -> None:
    pieces = deliveries_of(tmp_path, answers_of(team))
    pieces.lake = Dying(pieces.raw_lake, 1)
    with pytest.raises(KeyboardInterrupt):
        pieces.deliver("pull_requests", "first")
    pieces.lake = pieces.raw_lake
    began_s = pieces.clock.now_s
    assert pieces.deliver("pull_requests", "another") is None
    assert pieces.clock.now_s == began_s  # nothing was read
    pieces.clock.now_s = 61
    pieces.deliver("pull_requests", "first")
    assert len(pieces.source.at) > 100


def test_an_hour_of_waiting_is_no_failure_and_more_is_one_with_the_reason(
    team: simulator.World, tmp_path: Path
) -> None:
    refused = Said(429, b'{"error":"slow down"}', {"Retry-After": "100"})
    pieces = deliveries_of(tmp_path, lambda request: refused, is_limited=False)
    for number in range(14):
        assert pieces.deliver("reviews", f"m{number}") is None
        pieces.clock.now_s += 60  # until the message is delivered
    with pytest.raises(TransientError, match=f"reviews of run {RUN} made no progress in 15 deliveries: .* wait for"):
        pieces.deliver("reviews", "m15")
    assert len(pieces.messages) == 14  # the last one did not ask for itself again
    assert pieces.clock.now_s > 14 * 25  # nor did they follow one another without a pause
    pieces.source.answer = answers_of(team)
    assert pieces.complete("reviews").source_total == len(team.reviews.rows)


def test_a_failing_source_costs_nothing_that_was_read(team: simulator.World, tmp_path: Path) -> None:
    left, of_team = [120], answers_of(team)

    def answers(request: requests.PreparedRequest) -> Turn:
        left[0] -= 1
        return Said(503) if left[0] < 0 else of_team(request)

    pieces = deliveries_of(tmp_path, answers, 540)
    with pytest.raises(SourceUnavailable):
        pieces.deliver("pull_requests", "first")
    progress, _ = runs.read_progress(pieces.lake, RUN, "pull_requests")
    assert progress is not None
    assert progress.rows > 100
    assert progress.claim is None
    left[0] = 10**9
    record = pieces.complete("pull_requests")
    assert record.requests <= requests_at_once(tmp_path, team, "pull_requests") + 5  # the refused attempts
    assert record.extracted_at == progress.started_at


def test_a_reading_that_cannot_end_begins_again(team: simulator.World, tmp_path: Path) -> None:
    answers = answers_of(team)
    is_wrong = [True]

    def overstated(request: requests.PreparedRequest) -> Turn:
        said = answers(request)
        if not is_wrong[0] or "/commits" not in str(request.url) or not isinstance(said, Said):
            return said
        body = json.loads(said.body)
        return replace(said, body=json.dumps(body | {"totalCount": body["totalCount"] + 3}).encode())

    pieces = deliveries_of(tmp_path, overstated, checkpoint_s=0)
    with pytest.raises(Incomplete):
        pieces.deliver("commits", "first")
    progress, _ = runs.read_progress(pieces.lake, RUN, "commits")
    assert progress is not None
    assert (progress.listing, progress.parts, progress.claim) == (None, (), None)
    is_wrong[0] = False
    assert pieces.complete("commits").source_total == len(team.commits.rows)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"run_id": 3}'])
def test_a_damaged_progress_is_a_task_that_begins(team: simulator.World, tmp_path: Path, content: bytes) -> None:
    pieces = deliveries_of(tmp_path, answers_of(team))
    pieces.lake.write(PROGRESS, content, if_generation=0)
    assert pieces.complete("pull_requests").source_total == len(team.pulls.rows)


def test_two_processes_with_the_same_progress_do_not_both_write_it(team: simulator.World, tmp_path: Path) -> None:
    pieces = deliveries_of(tmp_path, answers_of(team), None, checkpoint_s=5)  # without claims, as on a laptop
    ended: list[object] = []

    def read(message: str) -> None:
        try:
            ended.append(pieces.deliver("pull_requests", message))
        except MillraceError as error:
            ended.append(error)

    pieces.clock.run(lambda: read("a"), lambda: read("b"))
    assert sum(isinstance(each, Overtaken) for each in ended) == 1
    record = runs.read_record(pieces.lake, RUN, "pull_requests")
    assert record is not None
    assert record.source_total == len(team.pulls.rows)


def test_a_short_task_leaves_no_progress_on_a_laptop(usual_world: simulator.World, tmp_path: Path) -> None:
    pieces = deliveries_of(tmp_path, answers_of(usual_world), None, is_limited=False)
    pieces.complete("pull_requests")
    assert [stored.version.name for stored in pieces.lake.list(f"runs/{RUN}/progress/")] == []


def test_the_progress_of_a_finished_task_keeps_no_state(team: simulator.World, tmp_path: Path) -> None:
    pieces = deliveries_of(tmp_path, answers_of(team))
    record = pieces.complete("pull_requests")
    progress, _ = runs.read_progress(pieces.lake, RUN, "pull_requests")
    assert progress is not None
    assert (progress.listing, progress.claim) == (None, None)
    assert progress.deliveries == pieces.deliveries["pull_requests"]
    assert set(progress.parts) <= set(record.parts)


def test_a_caller_that_hangs_up_leaves_no_thread_behind(team: simulator.World, tmp_path: Path) -> None:
    """The delivery of a source that never answers in time ends by itself, whether or not its caller still waits."""

    of_team = answers_of(team)

    def slow(request: requests.PreparedRequest) -> Turn:
        time.sleep(0.2)
        return of_team(request)

    before = set(threading.enumerate())
    pieces = deliveries_of(tmp_path, slow, is_limited=False)
    pieces.limits = replace(pieces.limits, timeout_s=2.0, longest_s=0.5, monotonic=time.monotonic, sleep=time.sleep)
    handler = threading.Thread(target=lambda: pieces.deliver("pull_requests", "first"), daemon=True)
    handler.start()
    handler.join(0.3)  # the caller hangs up
    assert handler.is_alive()
    handler.join(30)
    assert set(threading.enumerate()) <= before
