"""Loads check what they did not write themselves, in a child process: what ends it is quarantined, or tried later."""

import signal
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.load.conftest import Rig
from tests.load.desk import PART, RUN, recorded
from tests.warehouse.checking import children, each_reader_gets, large, slow

from millrace.bus.events import ObjectFinalized
from millrace.errors import TransientError
from millrace.lake import StoredObject
from millrace.load import handler, quarantine
from millrace.warehouse import inspection

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="processes are found as on Linux"),
]


@pytest.fixture(autouse=True)
def _without_a_child() -> None:
    inspection.close()


def file(folder: Path, *names: str) -> Path:
    pq.write_table(pa.table({"full_name": list(names)}), folder / "file.parquet")
    return folder / "file.parquet"


def load(rig: Rig, stored: StoredObject) -> None:
    handler.answer(rig.desk, ObjectFinalized(stored.version, stored.crc32c))


def test_a_file_that_exceeds_the_memory_limit_is_quarantined_after_two_attempts(
    rig: Rig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    load(rig, rig.desk.lake.write("drop/repos/large.parquet", large(tmp_path / "large.parquet"), 0))
    (entry,) = rig.entries()
    assert (entry.reason, "512 MiB of memory: split the file" in entry.message, entry.rows) == ("too_large", True, 1)
    assert len([record for record in caplog.records if "ended its process" in record.message]) == 2


def test_a_file_whose_check_the_machine_ends_is_noted_nowhere_and_loaded_later(rig: Rig, tmp_path: Path) -> None:
    bad = rig.desk.lake.write("drop/repos/slow.parquet", slow(tmp_path / "slow.parquet"), 0)
    good = rig.desk.lake.write("drop/repos/good.parquet", file(tmp_path, "o/a"), 0)
    is_object = "object".__eq__
    with (
        each_reader_gets(signal.SIGKILL, lambda path: is_object(path.name), times=1) as signalled,
        pytest.raises(TransientError, match="signal 9"),
    ):
        load(rig, bad)
    assert len(signalled) == 1
    assert rig.desk.warehouse.find(bad.version) is None
    assert rig.entries() == []
    load(rig, good)
    assert len(rig.rows()) == 1


def test_a_part_of_the_task_record_needs_no_child(rig: Rig, tmp_path: Path) -> None:
    stored = rig.desk.lake.write(PART, file(tmp_path, "o/a"), 0)
    rig.desk.lake.write(f"runs/{RUN}/tasks/repos.json", recorded(stored, 1).to_json(), 0)
    load(rig, stored)
    assert children() == []
    assert len(rig.rows()) == 1


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"crc32c": "AAAAAA=="}, id="another checksum"),
        pytest.param({"crc32c": None}, id="no checksum"),
        pytest.param({"size_bytes": 7}, id="another size"),
        pytest.param({"name": PART.replace("00000", "00001")}, id="another name"),
        pytest.param(None, id="no record yet"),
    ],
)
def test_a_part_that_no_record_names_is_checked(rig: Rig, tmp_path: Path, change: dict[str, object] | None) -> None:
    stored = rig.desk.lake.write(PART, file(tmp_path, "o/a"), 0)
    if change is not None:
        record = recorded(stored, 1)
        record = replace(record, parts=(replace(record.parts[0], **change),))  # type: ignore[arg-type]
        rig.desk.lake.write(f"runs/{RUN}/tasks/repos.json", record.to_json(), 0)
    load(rig, stored)
    assert len(children()) == 1
    assert len(rig.rows()) == 1


def test_lines_become_a_file_of_our_own_which_needs_no_child(rig: Rig) -> None:
    load(rig, rig.desk.lake.write("drop/repos/a.ndjson", b'{"full_name":"o/a"}\n', 0))
    load(rig, rig.desk.lake.write("drop/repos/a.csv", b"full_name\no/b\n", 0))
    load(rig, rig.desk.lake.write("drop/repos/bad.csv", b"<html>\n", 0))
    assert children() == []
    assert len(rig.rows()) == 2


def test_a_retry_from_quarantine_checks_the_kept_copy(rig: Rig, tmp_path: Path) -> None:
    bad = rig.desk.lake.write("drop/repos/bad.parquet", large(tmp_path / "large.parquet"), 0)
    load(rig, bad)
    (entry,) = rig.entries()
    retried = quarantine.retry(rig.desk, entry.id)
    assert (retried.load, retried.reason) == (None, "too_large")
    assert quarantine.show(rig.desk, entry.id).sample.startswith("1 rows of (full_name string, c0 string")
