"""A retry from quarantine: its drop is loaded once, whatever ends it between two steps, and settles its entry."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from tests.load.conftest import NOW, Rig
from tests.load.desk import BAD, RUN, crashed, dropped, loads, only, parquet, reconcile, settled, start_run

from millrace.errors import ConfigError
from millrace.lake.local import LocalLake
from millrace.load import quarantine, recovery
from millrace.tables import TABLES
from millrace.warehouse import Batch


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
