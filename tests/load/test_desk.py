"""The quarantine desk: a quarantined object is listed, loaded after a fix, or given up; never lost, never twice."""

import json
from collections.abc import Callable

import pytest
from tests.load.conftest import NOW, Rig
from tests.load.desk import BAD, RUN, crashed, only, parquet, reconcile, start_run

from millrace.bus.events import ObjectFinalized
from millrace.errors import ConfigError
from millrace.lake import ObjectVersion
from millrace.load import handler, quarantine
from millrace.load.dropped_lines import DropCaps
from millrace.warehouse.parquet import ParquetLimits


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
