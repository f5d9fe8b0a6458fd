"""A rebuilt warehouse has what retries from quarantine loaded, once, and nothing else that was quarantined."""

import json
from dataclasses import asdict
from pathlib import Path

import duckdb
import pytest

from millrace.lake import ObjectVersion, StoredObject, names
from millrace.laptop.data_dir import DataDir
from millrace.laptop.in_process import Pipeline, opened
from millrace.laptop.rebuild import Rebuilt, rebuild
from millrace.load import dropped_files, quarantine
from millrace.load.dropped_lines import DropCaps
from millrace.tables import TABLES
from millrace.warehouse import Batch

pytestmark = pytest.mark.slow


def quarantined(pipeline: Pipeline, name: str, content: bytes, reason: str = "schema") -> StoredObject:
    """Quarantine a file that can be loaded by now, as a loader with another registry did."""
    stored = pipeline.lake.write(name, content, 0)
    kept = names.quarantine_name(stored.version)
    pipeline.quarantine.write(kept, content, 0)
    told = asdict(stored.version) | {"reason": reason, "message": "a registry that was wrong"}
    pipeline.quarantine.write(f"{kept}.json", json.dumps(told).encode(), 0)
    pipeline.warehouse.quarantine(stored.version, "repos", None, 1, reason, stored.crc32c)
    return stored


def repo(name: str) -> bytes:
    return json.dumps({"full_name": name}).encode()


def entry_id(version: ObjectVersion) -> str:
    return names.quarantine_name(version).removeprefix("quarantine/")


def load_the_kept_copy(pipeline: Pipeline, stored: StoredObject, folder: Path) -> None:
    """Load a kept copy itself, as retries did before."""
    kept = pipeline.quarantine.read(names.quarantine_name(stored.version))[1]
    (folder / "kept").write_bytes(pipeline.quarantine.read(kept.version.name)[0])
    rows = dropped_files.to_parquet(folder / "kept", TABLES["repos"], "ndjson", folder / "rows", DropCaps())
    now = pipeline.loader.clock()
    pipeline.warehouse.load(Batch(kept.version, TABLES["repos"], rows, now, None, crc32c=kept.crc32c))


def test_a_rebuild_loads_what_retries_loaded_and_leaves_the_rest(tmp_path: Path) -> None:
    directory = DataDir(tmp_path / "data")
    with directory.lock(), opened(directory) as pipeline:
        pipeline.warehouse.ensure_tables()
        retried = quarantined(pipeline, "drop/repos/retried.ndjson", repo("o/retried"))
        assert quarantine.retry(pipeline.loader, entry_id(retried.version)).load is not None
        older = quarantined(pipeline, "drop/repos/older.ndjson", repo("o/older"))
        load_the_kept_copy(pipeline, older, tmp_path)
        discarded = quarantined(pipeline, "drop/repos/discarded.ndjson", repo("o/discarded"))
        quarantined(pipeline, names.retry_name(discarded.version, 1), repo("o/discarded"))
        quarantine.discard(pipeline.loader, entry_id(discarded.version), "a test")
        quarantined(pipeline, "drop/repos/open.ndjson", repo("o/open"))
        pipeline.warehouse.publish(pipeline.warehouse.start_build(1, "holder", None))
    with directory.lock():
        assert rebuild(directory, False, lambda line: None) == Rebuilt(2, 2, 2, ())
    with duckdb.connect(directory.warehouse, read_only=True) as connection:
        loaded = connection.execute("SELECT full_name FROM raw.repos ORDER BY ALL").fetchall()
    assert loaded == [("o/older",), ("o/retried",)]
    with directory.lock(), opened(directory) as pipeline:
        found = quarantine.entries(pipeline.quarantine, pipeline.warehouse, None)
    states = {entry.id: entry.state for entry in found}
    assert sorted(states.values()) == ["discarded", "loaded", "loaded", "open", "retry"]
    assert {states[entry_id(stored.version)] for stored in (retried, older)} == {"loaded"}
