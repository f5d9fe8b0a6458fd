"""The time and owner in a file are trusted within bounds; a file that has to wait is loaded automatically."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.load.conftest import NOW, Rig

from millrace.bus.events import ObjectFinalized
from millrace.bus.in_process import LocalBus
from millrace.load import handler, quarantine, recovery
from millrace.load.handler import Loader


def line(at: str = "", **fields: str) -> bytes:
    stamp = {"_extracted_at": at} if at else {}
    return json.dumps({"full_name": "o/a", **fields, **stamp}).encode()


def later(rig: Rig, days: float) -> Loader:
    return replace(rig.desk, clock=lambda: NOW + timedelta(days=days))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.ndjson", line("2026-11-22T06:00:00Z")),
        ("a.csv", b"full_name,_extracted_at\no/a,2026-11-22T06:00:00Z\n"),
    ],
)
def test_a_row_from_the_future_waits_in_quarantine_until_its_time(rig: Rig, name: str, content: bytes) -> None:
    rig.put(f"drop/repos/{name}", content)
    (entry,) = rig.entries()
    assert (entry.reason, entry.stamped_at) == ("stamped_ahead", "2026-11-22T06:00:00+00:00")
    assert quarantine.retry_due(later(rig, 1.9)) == []
    assert rig.entries()[0].attempts == 1
    assert quarantine.retry_due(later(rig, 2.5), NOW + timedelta(days=2.1)) == []  # a user had retried it before
    (dropped,) = quarantine.retry_due(later(rig, 2))
    assert quarantine.retry_due(later(rig, 3)) == [dropped]  # its event has not arrived yet
    rig.load([dropped], later(rig, 2))
    assert len(rig.rows()) == 1
    assert quarantine.retry_due(later(rig, 3)) == []
    assert rig.entries() == []


def test_a_sweep_asks_the_ledger_for_nothing_that_still_waits(rig: Rig) -> None:
    rig.put("drop/repos/a.ndjson", line("2026-11-22T06:00:00Z"))
    asleep = replace(rig.failing(1, False, "warehouse"), clock=later(rig, 1.9).clock)
    assert quarantine.retry_due(asleep) == []


def test_a_sweep_loads_what_waited_once(rig: Rig) -> None:
    rig.put("drop/repos/a.ndjson", line("2026-11-22T06:00:00Z"))
    desk, bus = later(rig, 2), LocalBus()
    assert recovery.mend(desk, bus)["objects"] == 1
    assert recovery.mend(desk, bus)["objects"] == 1  # its event was lost: announced again, and not dropped again
    rig.load(rig.desk.lake.list("drop/"), desk)
    assert recovery.mend(desk, bus)["objects"] == 0
    assert (len(list(rig.desk.lake.list("drop/"))), len(rig.rows())) == (2, 1)


def test_empty_file_with_future_stamp_is_quarantined(rig: Rig, tmp_path: Path) -> None:
    schema = pa.schema({"full_name": pa.string()}, {b"millrace.extracted_at": b"2037-01-01T00:00:00+00:00"})
    pq.write_table(schema.empty_table(), tmp_path / "x")
    rig.put("raw/repos/dt=2026-11-20/run=20261120T060000Z/repos-00000.parquet", (tmp_path / "x").read_bytes())
    assert [entry.reason for entry in rig.entries()] == ["stamped_ahead"]


def test_unloadable_future_file_is_not_retried_forever(rig: Rig) -> None:
    rig.put("drop/repos/a.ndjson", line("2026-11-22T06:00:00Z"))
    entry = rig.entries()[0]
    quarantine.retry(rig.desk, entry.id)  # too early: it still waits
    copy = rig.folder / "quarantine" / "quarantine" / entry.id
    copy.unlink()
    rig.desk.quarantine.write(f"quarantine/{entry.id}", b"damaged", 0)
    rig.load(quarantine.retry_due(later(rig, 2)), later(rig, 2))
    assert quarantine.retry_due(later(rig, 3)) == []
    assert rig.entries()[0].attempts == 3


def event(collector: str, message: str = "m", at: str = "2026-11-20T05:00:00Z") -> bytes:
    key = {"collector_id": collector, "agent": "a", "message_id": message, "request_id": "r", "_extracted_at": at}
    return json.dumps(key).encode()


@pytest.mark.parametrize(
    ("name", "is_taken"),
    [
        pytest.param("c/a.ndjson", True, id="its own folder"),
        pytest.param("a.ndjson", True, id="a person's file, in no folder"),
        pytest.param("x/a.ndjson", False, id="another one's folder"),
        pytest.param("x/c/a.ndjson", False, id="a folder in another one's"),
        pytest.param("C/a.ndjson", False, id="another letter case"),
    ],
)
def test_a_collector_writes_only_rows_of_its_own(rig: Rig, name: str, is_taken: bool) -> None:
    rig.put(f"drop/usage_events/{name}", event("c"))
    assert [entry.reason for entry in rig.entries()] == ([] if is_taken else ["foreign"])


def test_bundle_quarantines_future_stamps_and_foreign_events(rig: Rig) -> None:
    contents = [event("c", str(number)) for number in range(10)]
    contents[3], contents[7] = event("victim"), event("c", "late", "9999-12-31T00:00:00Z")
    for number, content in enumerate(contents):
        rig.desk.lake.write(f"drop/usage_events/c/{number}.ndjson", content, 0)
    for stored in list(rig.desk.lake.list("drop/")):
        handler.answer(rig.desk, ObjectFinalized(stored.version, stored.crc32c))
    assert sorted(entry.reason for entry in rig.entries()) == ["foreign", "stamped_ahead"]
    assert len(rig.rows("usage_events")) == 8
