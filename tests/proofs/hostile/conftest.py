"""The load function over a lake of its own, and its duties with any file: answer, name a reason, go on."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.deploy.functions.deployed import RUN, Deployed, deployed, message

from millrace.lake import StoredObject
from millrace.lake.names import quarantine_name
from millrace.warehouse import LedgerEntry

KEYS = {"repos": "full_name", "commits": "commitHash", "pull_requests": "number", "reviews": "id"}
GOOD = {
    "repos": b'{"full_name": "good"}\n',
    "commits": b'{"commitHash": "good", "repoName": "o/a", "userId": "u"}\n',
    "pull_requests": b'{"repo_name": "good", "number": 7}\n',
    "reviews": b'{"pr_id": 7, "id": 7}\n',
}


@dataclass
class Door:
    """The load function as the platform calls it; every answer is checked against the rules for any file."""

    functions: Deployed

    def drop(self, name: str, content: bytes | Path, table: str = "repos") -> tuple[LedgerEntry, str]:
        """Drop a file and a good one beside it; return its ledger entry, and the reason if it was quarantined."""
        stored = self.functions.lake.write(name, content, 0)
        self.deliver(stored)
        self.load_a_good_file(table)
        return self.outcome(stored)

    def part(self, content: bytes | Path, table: str = "repos") -> tuple[LedgerEntry, str]:
        """Write a part of a run, and a good file beside it."""
        self.functions.start_run()
        return self.drop(f"raw/{table}/dt=2026-11-20/run={RUN}/{table}-00000.parquet", content, table)

    def deliver(self, stored: StoredObject) -> None:
        version = stored.version
        told = message(
            {"crc32c": stored.crc32c} if stored.crc32c else {},
            bucketId=version.bucket,
            objectId=version.name,
            objectGeneration=str(version.generation),
        )
        answer = self.functions.load(told)
        assert answer.status_code == 200, answer.get_data(as_text=True)

    def load_a_good_file(self, table: str) -> None:
        stored = self.functions.lake.write(f"drop/{table}/good.ndjson", GOOD[table], 0)
        self.deliver(stored)
        entry = self.functions.warehouse.find(stored.version)
        assert entry is not None
        assert (entry.quarantine_reason, entry.rows_read) == (None, 1)

    def outcome(self, stored: StoredObject) -> tuple[LedgerEntry, str]:
        entry = self.functions.warehouse.find(stored.version)
        assert entry is not None, "nothing in the ledger"
        if entry.quarantine_reason is None:
            row_actions = (entry.rows_inserted, entry.rows_updated, entry.rows_unchanged, entry.rows_superseded)
            assert entry.rows_read == sum(row_actions)
            return entry, ""
        assert entry.rows_read == entry.rows_quarantined
        told = json.loads(self.functions.quarantine.read(f"{quarantine_name(stored.version)}.json")[0])
        why = str(told["message"])
        assert told["reason"] == entry.quarantine_reason
        assert 10 < len(why) < 1500
        assert "\n" not in why
        assert "Traceback" not in why
        assert str(self.functions.folder) not in why
        assert "/tmp/" not in why  # noqa: S108
        return entry, why


@pytest.fixture
def door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    with deployed(tmp_path, monkeypatch, "http://127.0.0.1:9") as functions:
        yield Door(functions)
