"""The quarantine desk: a quarantined object is listed, loaded after a fix, or given up; never lost, never twice."""

import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.load.conftest import NOW, PowerCut, Rig

from millrace import runs
from millrace.bus.events import ObjectFinalized
from millrace.bus.in_process import LocalBus
from millrace.errors import ConfigError
from millrace.lake import ObjectVersion, names
from millrace.lake.local import LocalLake
from millrace.load import handler, quarantine, recovery
from millrace.load.dropped_lines import DropCaps
from millrace.runs import Part, RunRequest, TaskRecord, reconcile as reconciling
from millrace.tables import TABLES, Table
from millrace.warehouse import Batch, LedgerEntry, retries
from millrace.warehouse.parquet import ParquetLimits

RUN = "20261120T060000Z"
PART = f"raw/repos/dt=2026-11-20/run={RUN}/repos-00000.parquet"
BAD = b'{"full_name": "o/a", "open_pull_requests_count": "five"}\n'


def parquet(**columns: list[object]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


@pytest.fixture
def fixed(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Deploy a registry in which the count of pull requests is a text."""

    def fix() -> None:
        repos = TABLES["repos"]
        index = repos.columns.get_field_index("open_pull_requests_count")
        columns = repos.columns.set(index, pa.field("open_pull_requests_count", pa.string()))
        monkeypatch.setitem(TABLES, "repos", Table("repos", columns, repos.key, repos.bulk))

    return fix


def only(rig: Rig, state: quarantine.State | None = "open") -> quarantine.Entry:
    (entry,) = rig.entries(state)
    return entry


def test_entry_contains_object_origin_and_reason(rig: Rig) -> None:
    stored = rig.put("drop/repos/mine.ndjson", BAD)
    entry = only(rig)
    assert (entry.version, entry.table, entry.run_id, entry.reason) == (stored.version, "repos", None, "schema")
    assert entry.to_json()["set_aside_at"] == entry.quarantined_at
    assert (entry.size_bytes, entry.quarantined_at, entry.attempts) == (len(BAD), NOW.isoformat(), 1)
    assert entry.came_from == f"lake/drop/repos/mine.ndjson#{stored.version.generation}"
    assert entry.message.startswith(
        "line 1, column open_pull_requests_count: expected an integer of at most 64 bits, got a string"
    )


def test_quarantined_part_has_run_id_and_row_count(rig: Rig) -> None:
    start_run(rig, parquet(full_name=["o/a", "o/b"], open_pull_requests_count=["1", "2"]), rows=2)
    assert (only(rig).run_id, only(rig).rows) == (RUN, 2)


def test_loaded_object_is_not_listed(rig: Rig) -> None:
    rig.put("drop/repos/good.ndjson", b'{"full_name": "o/a"}')
    assert rig.entries(None) == []


def test_retry_after_fix_loads_rows_and_updates_ledger(rig: Rig, fixed: Callable[[], None]) -> None:
    stored = rig.put("drop/repos/mine.ndjson", BAD)
    fixed()
    done = quarantine.retry(rig.desk, only(rig).id)
    assert done.load is not None
    assert (done.load.rows_inserted, done.load.quarantine_reason, done.entry.state) == (1, None, "loaded")
    assert done.load.version.name == f"drop/repos/retry-{done.entry.id}.ndjson"
    assert rig.desk.lake.read(done.load.version.name)[0] == BAD
    assert rig.desk.warehouse.find(done.load.version) == done.load
    first = rig.desk.warehouse.find(stored.version)
    assert first is not None
    assert first.quarantine_reason == "schema"
    assert [row[0] for row in rig.rows()] == ["o/a"]
    assert (rig.entries(), only(rig, "loaded").id) == ([], done.entry.id)


def test_a_retry_asks_for_a_build(rig: Rig, fixed: Callable[[], None]) -> None:
    rig.put("drop/repos/mine.ndjson", BAD)
    fixed()
    quarantine.retry(rig.desk, only(rig).id)
    assert rig.builds.requests == [None]


def test_a_retry_that_fails_again_keeps_the_new_reason_beside_the_first(rig: Rig) -> None:
    rig.put("drop/repos/mine.ndjson", BAD)
    done = [quarantine.retry(rig.desk, only(rig).id) for _ in range(2)]
    assert [(each.load, each.reason) for each in done] == [(None, "schema")] * 2
    shown = quarantine.show(rig.desk, only(rig).id)
    assert (shown.entry.reason, shown.entry.attempts, len(shown.failed_since)) == ("schema", 3, 2)
    assert rig.builds.requests == []


def test_failed_retry_adds_attempt_to_its_entry(rig: Rig) -> None:
    rig.put("drop/repos/mine.ndjson", BAD)
    entry_id = only(rig).id
    quarantine.retry(rig.desk, entry_id)
    assert (only(rig).id, only(rig).attempts) == (entry_id, 2)
    second = only(rig, "retry").id
    for do in (quarantine.show, quarantine.retry):
        with pytest.raises(ConfigError, match=f"expected the id of its entry, {entry_id}"):
            do(rig.desk, second)


def test_a_retry_after_a_failed_one_takes_the_next_name_and_loads(rig: Rig, fixed: Callable[[], None]) -> None:
    rig.put("drop/repos/mine.ndjson", BAD)
    entry_id = only(rig).id
    quarantine.retry(rig.desk, entry_id)
    fixed()
    assert quarantine.retry(rig.desk, entry_id).load is not None
    assert loads(rig) == [f"drop/repos/retry-{entry_id}-2.ndjson"]
    assert (rig.entries(), only(rig, "loaded").attempts) == ([], 2)


def test_a_drop_by_hand_under_the_name_of_the_retry_settles_the_entry(rig: Rig, fixed: Callable[[], None]) -> None:
    rig.put("drop/repos/mine.ndjson", BAD)
    entry_id = only(rig).id
    fixed()
    rig.put(f"drop/repos/retry-{entry_id}.ndjson", BAD)
    assert (rig.entries(), only(rig, "loaded").id) == ([], entry_id)


def test_other_bytes_under_the_name_of_the_retry_settle_nothing(rig: Rig, fixed: Callable[[], None]) -> None:
    rig.put("drop/repos/mine.ndjson", BAD)
    entry_id = only(rig).id
    fixed()
    rig.put(f"drop/repos/retry-{entry_id}.ndjson", b'{"full_name": "o/b"}')
    assert only(rig).id == entry_id
    assert quarantine.retry(rig.desk, entry_id).load is not None
    assert [row[0] for row in rig.rows()] == ["o/a", "o/b"]


def test_a_retry_stays_in_the_folder_of_the_collector_that_sent_the_file(rig: Rig) -> None:
    rig.put("drop/usage_events/c/day/1.ndjson", b'{"collector_id": "victim", "agent": "a", "message_id": "m"}')
    done = quarantine.retry(rig.desk, only(rig).id)
    assert (done.reason, dropped(rig)) == ("foreign", [f"drop/usage_events/c/retry-{done.entry.id}.ndjson"])


def test_an_older_ledger_in_which_the_kept_copy_was_loaded_settles_the_entry(rig: Rig) -> None:
    start_run(rig, parquet(full_name=["o/a"], open_pull_requests_count=["1"]), rows=1)
    entry = only(rig)
    load_the_kept_copy(rig, entry.id)
    assert (rig.entries(), only(rig, "loaded").id) == ([], entry.id)
    assert (reconcile(rig).inserted, reconcile(rig).quarantined, reconcile(rig).is_balanced) == (1, 0, True)
    assert quarantine.retry(rig.desk, entry.id).load is not None
    assert dropped(rig) == []


def load_the_kept_copy(rig: Rig, entry_id: str) -> None:
    """Load a kept copy itself, as retries did before."""
    good = rig.folder / "good.parquet"
    good.write_bytes(parquet(full_name=["o/a"], open_pull_requests_count=[1]))
    stored = rig.desk.quarantine.read(f"quarantine/{entry_id}")[1]
    rig.desk.warehouse.load(Batch(stored.version, TABLES["repos"], good, NOW, RUN, crc32c=stored.crc32c))


def test_a_discard_during_a_retry_is_refused(rig: Rig) -> None:
    rig.put("drop/repos/mine.ndjson", BAD)
    entry_id = only(rig).id
    rig.desk.lake.write(f"drop/repos/retry-{entry_id}.ndjson", BAD, 0)  # killed before the load
    with pytest.raises(ConfigError, match="is being retried"):
        quarantine.discard(rig.desk, entry_id, "a test file")


def test_a_part_that_was_retried_counts_as_loaded_in_a_copied_lake(rig: Rig, fixed: Callable[[], None]) -> None:
    start_run(rig, parquet(full_name=["o/a", "o/b"], open_pull_requests_count=["1", "2"]), rows=2)
    fixed()
    quarantine.retry(rig.desk, only(rig).id)
    copied = LocalLake(rig.folder / "copy", "lake")
    for stored in [each for prefix in ("raw/", "drop/", "runs/") for each in rig.desk.lake.list(prefix)]:
        copied.write(stored.version.name, rig.desk.lake.read(stored.version.name)[0], 0)
    assert recovery.lacking(copied, rig.desk.warehouse) == ()
    states = {row.version: row.quarantine_reason for row in settled(rig).values()}
    assert [states[stored.version] for stored in copied.list("raw/")] == [None]
    assert rig.entries() == []


def test_rows_of_a_retry_whose_time_the_ledger_lost_win_over_nothing(rig: Rig, fixed: Callable[[], None]) -> None:
    rig.put("drop/repos/newer.ndjson", b'{"full_name": "o/a", "default_branch": "new"}')
    rig.put("drop/repos/retry-0123456789abcdef-1.ndjson", b'{"full_name": "o/a", "default_branch": "old"}')
    assert [row.rows_superseded for row in rig.desk.warehouse.entries()] == [0, 1]


@pytest.mark.parametrize("is_first", [False, True], ids=["after its neighbours", "before its neighbours"])
def test_a_retry_is_not_loaded_with_its_neighbours_as_new(rig: Rig, fixed: Callable[[], None], is_first: bool) -> None:
    rig.put("drop/repos/mine.ndjson", BAD)
    fixed()
    later = replace(rig.desk, clock=lambda: NOW + timedelta(days=1))
    replace(rig, desk=later).put("drop/repos/newer.ndjson", b'{"full_name": "o/a", "open_pull_requests_count": "6"}')
    name = f"drop/repos/retry-{only(rig).id}.ndjson"
    retried = rig.desk.lake.write(name, BAD, 0)
    others = [rig.desk.lake.write(f"drop/repos/{n}.ndjson", b'{"full_name": "o/%d"}' % n, 0) for n in range(9)]
    rig.load([retried, others[0]] if is_first else [others[0], retried], later)
    assert rig.rows()[-1][2] == "6"
    assert len(rig.rows()) == 10


def test_a_retry_twice_loads_once(rig: Rig, fixed: Callable[[], None]) -> None:
    rig.put("drop/repos/mine.ndjson", BAD)
    fixed()
    entry_id = only(rig).id
    assert quarantine.retry(rig.desk, entry_id) == quarantine.retry(rig.desk, entry_id)
    assert len(rig.rows()) == 1


def test_retry_does_not_overwrite_newer_rows(rig: Rig, fixed: Callable[[], None]) -> None:
    rig.put("drop/repos/mine.ndjson", BAD)
    fixed()
    later = replace(rig.desk, clock=lambda: NOW + timedelta(days=1))
    newer = replace(rig, desk=later)
    newer.put("drop/repos/newer.ndjson", b'{"full_name": "o/a", "open_pull_requests_count": "6"}')
    done = quarantine.retry(later, only(rig).id)
    assert done.load is not None
    assert (done.load.rows_superseded, rig.rows()[0][2]) == (1, "6")


def test_a_retried_part_reconciles_its_run(rig: Rig, fixed: Callable[[], None]) -> None:
    start_run(rig, parquet(full_name=["o/a", "o/b"], open_pull_requests_count=["1", "2"]), rows=2)
    before = reconcile(rig)
    fixed()
    assert quarantine.retry(rig.desk, only(rig).id).load is not None
    after = reconcile(rig)
    assert (before.quarantined, before.is_balanced) == (2, False)
    assert (after.quarantined, after.inserted, after.is_balanced) == (0, 2, True)


def test_a_part_in_quarantine_is_found_as_loaded_once_it_was_retried(rig: Rig, fixed: Callable[[], None]) -> None:
    start_run(rig, parquet(full_name=["o/a"], open_pull_requests_count=["1"]), rows=1)
    version = only(rig).version
    assert version is not None
    before = settled(rig).get(version)
    fixed()
    retried = quarantine.retry(rig.desk, only(rig).id).load
    assert before == rig.desk.warehouse.find(version)
    assert retried is not None
    assert settled(rig)[version] == replace(retried, version=version, run_id=RUN)


def test_a_discarded_part_stays_quarantined_in_the_sums_of_its_run(rig: Rig) -> None:
    start_run(rig, parquet(full_name=["o/a"], open_pull_requests_count=["1"]), rows=1)
    quarantine.discard(rig.desk, only(rig).id, "the source was reset")
    assert (reconcile(rig).quarantined, reconcile(rig).is_balanced) == (1, False)


def test_discarded_is_no_longer_open_and_nothing_is_deleted(rig: Rig) -> None:
    rig.put("drop/repos/mine.ndjson", BAD)
    entry_id = only(rig).id
    done = quarantine.discard(rig.desk, entry_id, "a test file\x1b[2J")
    assert (done.why, done.is_new, only(rig, "discarded").id) == ("a test file\\x1b[2J", True, entry_id)
    assert rig.entries() == []
    assert rig.desk.quarantine.read(f"quarantine/{entry_id}")[0] == BAD
    again = quarantine.discard(rig.desk, entry_id, "another reason")
    assert (again.why, again.is_new) == (done.why, False)


def test_discarded_entry_cannot_be_retried(rig: Rig) -> None:
    rig.put("drop/repos/mine.ndjson", BAD)
    quarantine.discard(rig.desk, only(rig).id, "a test file")
    with pytest.raises(ConfigError, match="was discarded"):
        quarantine.retry(rig.desk, only(rig, "discarded").id)


def test_loaded_entry_cannot_be_discarded(rig: Rig, fixed: Callable[[], None]) -> None:
    rig.put("drop/repos/mine.ndjson", BAD)
    fixed()
    entry_id = quarantine.retry(rig.desk, only(rig).id).entry.id
    with pytest.raises(ConfigError, match="is loaded"):
        quarantine.discard(rig.desk, entry_id, "no")


@pytest.mark.parametrize("why", ["", " \n", "x" * 1001])
def test_a_discard_without_a_reason_is_refused(rig: Rig, why: str) -> None:
    rig.put("drop/repos/mine.ndjson", BAD)
    with pytest.raises(ConfigError, match="expected a reason"):
        quarantine.discard(rig.desk, only(rig).id, why)
    assert len(rig.entries()) == 1


@pytest.mark.parametrize("entry_id", ["", "../lake/drop", "0" * 16 + "-1", "x\x1b[2J", "0" * 16 + "-1.json"])
def test_unknown_id_is_reported_without_control_characters(rig: Rig, entry_id: str) -> None:
    for do in (quarantine.show, quarantine.retry):
        with pytest.raises(ConfigError, match="is not in quarantine") as caught:
            do(rig.desk, entry_id)
        assert "\x1b" not in str(caught.value)


def test_a_corrupted_transfer_is_never_loaded_as_it_is(rig: Rig) -> None:
    rig.put("drop/repos/mine.ndjson", b'{"full_name": "o/a"}', crc32c="AAAAAA==")
    done = quarantine.retry(rig.desk, only(rig).id)
    assert (done.load, done.reason) == (None, "checksum")


def test_object_of_unknown_table_fails_again_on_retry(rig: Rig) -> None:
    rig.put("drop/invoices/a.csv", b"id\n1\n")
    assert quarantine.retry(rig.desk, only(rig).id).reason == "unknown_table"


@pytest.mark.parametrize(
    "name",
    ["drop/repos/../x.csv", "/etc/passwd", "drop/repos/gone.csv", "raw/_SUCCESS", "x" * 4000, "drop/repos/a\0b.csv"],
)
def test_an_event_about_an_object_that_is_not_there_notes_nothing(rig: Rig, name: str) -> None:
    version = ObjectVersion("lake", name, 1)
    for size_bytes in (None, 5):
        handler.answer(rig.desk, ObjectFinalized(version, None, size_bytes))
    assert rig.desk.warehouse.find(version) is None
    assert list(rig.desk.quarantine.list("")) == []


@pytest.mark.parametrize(
    ("name", "size_bytes"),
    [
        pytest.param("drop/repos/large.csv", DropCaps().file_bytes + 1, id="a text"),
        pytest.param("drop/repos/large.ndjson", (5 << 30) + 10, id="lines"),
        pytest.param("drop/repos/large.parquet", ParquetLimits().file_bytes + 1, id="a Parquet file"),
        pytest.param("drop/invoices/large.csv", ParquetLimits().file_bytes + 1, id="an object of no table"),
    ],
)
def test_oversized_object_is_quarantined_without_a_copy(rig: Rig, name: str, size_bytes: int) -> None:
    path = rig.folder / "lake" / name
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.truncate(size_bytes)
    (stored,) = rig.desk.lake.list("drop/")
    desk = rig.failing(2, is_done=True, which="lake")  # it is listed, but not read
    handler.answer(desk, ObjectFinalized(stored.version, None))
    entry = only(rig)
    assert (entry.reason, entry.size_bytes) == ("too_large", None)
    assert f"lies where it was: {name} in lake" in entry.message
    assert "nothing was kept" in quarantine.show(rig.desk, entry.id).sample
    with pytest.raises(ConfigError, match="nothing was kept"):
        quarantine.retry(rig.desk, entry.id)


@pytest.mark.parametrize("content", [b"{", b"null", b"[" * 5000, b'{"reason": "x"}', b"\xff"], ids=repr)
def test_entry_with_corrupt_reason_file_stays_listed(rig: Rig, content: bytes) -> None:
    rig.put("drop/repos/mine.ndjson", BAD)
    entry = only(rig)
    name = f"quarantine/{entry.id}.json"
    rig.desk.quarantine.write(name, content, rig.desk.quarantine.read(name)[1].version.generation)
    assert (only(rig).id, only(rig).version, only(rig).came_from) == (entry.id, None, "unknown")
    with pytest.raises(ConfigError, match="its origin is not known"):
        quarantine.retry(rig.desk, entry.id)


def test_a_reason_cannot_make_the_desk_load_under_another_name(rig: Rig) -> None:
    rig.put("drop/repos/mine.ndjson", BAD)
    name = f"quarantine/{only(rig).id}.json"
    content, stored = rig.desk.quarantine.read(name)
    told = json.loads(content) | {"name": "drop/commits/mine.ndjson"}
    rig.desk.quarantine.write(name, json.dumps(told).encode(), stored.version.generation)
    assert only(rig).version is None


def test_foreign_objects_in_bucket_are_ignored(rig: Rig) -> None:
    for name in ("quarantine/notes.txt", "readme", "quarantine/deep/er.json"):
        rig.desk.quarantine.write(name, b"x", 0)
    rig.put("drop/repos/mine.ndjson", BAD)
    assert only(rig).reason == "schema"


# --- the sample


@pytest.mark.parametrize(
    ("name", "content", "shown"),
    [
        pytest.param("a.ndjson", BAD, '{"full_name": "o/a"', id="the first lines"),
        pytest.param("a.csv", b"\x1b[2J\x07full\x00_name\n", "\\x1b[2J\\x07full\\x00_name\n", id="control characters"),
        pytest.param("a.csv", "\u202egnp.exe".encode(), "\\u202egnp.exe", id="a text that runs backwards"),
        pytest.param("a.parquet", b"PAR1\xff\xfe", "PAR1\\xff\\xfe", id="no Parquet"),
        pytest.param("a.parquet", b"", "the object is empty", id="nothing"),
        pytest.param(
            "a.parquet",
            parquet(full_name=["o/a\x1b"], open_pull_requests_count=["5"]),
            "1 rows of (full_name string, open_pull_requests_count string)\n{'full_name': 'o/a\\x1b'",
            id="the first rows",
        ),
    ],
)
def test_the_sample_shows_the_content_and_obeys_none_of_it(rig: Rig, name: str, content: bytes, shown: str) -> None:
    rig.put(f"drop/repos/{name}", content)
    sample = quarantine.show(rig.desk, only(rig).id).sample
    assert sample.startswith(shown)
    assert all(mark.isprintable() or mark == "\n" for mark in sample)


def test_the_sample_is_short(rig: Rig) -> None:
    rig.put("drop/repos/a.csv", b"\x00" * 100_000)
    assert len(quarantine.show(rig.desk, only(rig).id).sample) == 2000


def test_a_name_with_a_newline_stays_on_its_line(rig: Rig) -> None:
    rig.put("drop/repos/a\nb\x1b.csv", b"x")
    assert "drop/repos/a\\nb\\x1b.csv#" in only(rig).came_from
    assert only(rig).message.isprintable()


# --- crashes


@pytest.mark.parametrize("which", ["lake", "quarantine", "warehouse"])
@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("calls", range(1, 9))
def test_a_retry_that_crashed_anywhere_is_finished_by_the_next(
    rig: Rig, fixed: Callable[[], None], calls: int, is_done: bool, which: str
) -> None:
    rig.put("drop/repos/mine.ndjson", BAD)
    fixed()
    entry_id = only(rig).id
    crashed(lambda: quarantine.retry(rig.failing(calls, is_done, which), entry_id))
    done = quarantine.retry(rig.desk, entry_id)
    assert done.load is not None
    assert (len(rig.rows()), rig.builds.requests[-1:]) == (1, [None])
    assert rig.desk.lake.read("build/requested.json")[0]
    assert rig.desk.quarantine.read(f"quarantine/{entry_id}")[0] == BAD
    assert dropped(rig) == [f"drop/repos/retry-{entry_id}.ndjson"]
    assert loads(rig) == [f"drop/repos/retry-{entry_id}.ndjson"]


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("calls", range(1, 9))
@pytest.mark.parametrize("which", ["lake", "quarantine", "warehouse"])
def test_a_retry_that_crashed_anywhere_is_finished_by_the_event_of_its_drop(
    rig: Rig, fixed: Callable[[], None], calls: int, is_done: bool, which: str
) -> None:
    rig.put("drop/repos/mine.ndjson", BAD)
    fixed()
    entry_id = only(rig).id
    crashed(lambda: quarantine.retry(rig.failing(calls, is_done, which), entry_id))
    rig.load(recovery.lacking(rig.desk.lake, rig.desk.warehouse))
    expected = ["loaded"] if dropped(rig) else ["open"]
    assert [entry.state for entry in rig.entries(None)] == expected
    assert len(loads(rig)) == len(dropped(rig)) <= 1


def test_two_retries_at_once_load_once(rig: Rig, fixed: Callable[[], None]) -> None:
    rig.put("drop/repos/mine.ndjson", BAD)
    entry_id = only(rig).id
    quarantine.retry(rig.desk, entry_id)
    fixed()
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: quarantine.retry(rig.desk, entry_id), range(4)))
    assert {each.load.version.name if each.load else None for each in done} == set(loads(rig))
    assert (len(loads(rig)), len(rig.rows())) == (1, 1)


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("calls", range(1, 7))
def test_a_retry_that_crashed_while_it_failed_leaves_the_entry_open(rig: Rig, calls: int, is_done: bool) -> None:
    rig.put("drop/repos/mine.ndjson", BAD)
    entry_id = only(rig).id
    crashed(lambda: quarantine.retry(rig.failing(calls, is_done), entry_id))
    assert quarantine.retry(rig.desk, entry_id).reason == "schema"
    assert (only(rig).id, rig.desk.quarantine.read(f"quarantine/{entry_id}")[0]) == (entry_id, BAD)


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("calls", range(1, 5))
def test_a_discard_that_crashed_anywhere_is_finished_by_the_next(rig: Rig, calls: int, is_done: bool) -> None:
    rig.put("drop/repos/mine.ndjson", BAD)
    entry_id = only(rig).id
    crashed(lambda: quarantine.discard(rig.failing(calls, is_done), entry_id, "a test file"))
    assert quarantine.discard(rig.desk, entry_id, "a test file").why == "a test file"
    assert only(rig, "discarded").id == entry_id
    assert rig.desk.quarantine.read(f"quarantine/{entry_id}")[0] == BAD


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("calls", range(1, 4))
def test_interrupted_quarantine_ends_with_one_open_entry(rig: Rig, calls: int, is_done: bool) -> None:
    stored = rig.desk.lake.write("drop/repos/mine.ndjson", BAD, 0)
    crashed(lambda: handler.answer(rig.failing(calls, is_done), ObjectFinalized(stored.version, None)))
    handler.answer(rig.desk, ObjectFinalized(stored.version, None))
    assert (only(rig).version, only(rig).reason) == (stored.version, "schema")


def dropped(rig: Rig) -> list[str]:
    """Return the names of the retries' drops in the lake."""
    return [stored.version.name for stored in rig.desk.lake.list("drop/") if names.retried_id(stored.version.name)]


def loads(rig: Rig) -> list[str]:
    """Return the names of the loaded objects in the ledger."""
    return [row.version.name for row in rig.desk.warehouse.entries() if row.quarantine_reason is None]


def crashed(do: Callable[[], object]) -> None:
    """Do something that may be interrupted."""
    try:
        do()
    except PowerCut:
        return


# --- a run with one part


def start_run(rig: Rig, content: bytes, rows: int) -> None:
    runs.start(rig.desk.lake, LocalBus(), RunRequest(NOW))
    stored = rig.put(PART, content)
    record = TaskRecord(
        run_id=RUN,
        task_id="repos",
        table="repos",
        plan="whole",
        extracted_at=NOW.isoformat(),
        finished_at=NOW.isoformat(),
        since=None,
        window_start=None,
        source_total=rows,
        known=0,
        repeated=0,
        rows=rows,
        parts=(Part.of(stored, rows),),
        children=(),
        requests=1,
        retries=0,
        rate_limited=0,
        waited_s=0.0,
        counts={},
    )
    rig.desk.lake.write(f"runs/{RUN}/tasks/repos.json", record.to_json(), 0)


def reconcile(rig: Rig) -> reconciling.Reconciliation:
    (line,) = reconciling.reconcile(rig.desk.lake, rig.desk.warehouse, RUN)
    return line


def settled(rig: Rig) -> dict[ObjectVersion, LedgerEntry]:
    rows = rig.desk.warehouse.entries()
    return {entry.version: entry for entry in retries.settled(rows, rows)}
