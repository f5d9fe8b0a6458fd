"""A developer's machine in a folder: agents' logs, a collector with its state, and a lake."""

import json
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from millrace.collect.checkpoints import CheckpointStore
from millrace.collect.collector import CollectLimits, Collector, CollectResult
from millrace.collect.discovery import discover
from millrace.collect.identity import Privacy
from millrace.collect.parsers.agents import AGENTS
from millrace.collect.parsers.naming import UNKNOWN_OWNER, Owner
from millrace.collect.repositories import NONE, Owners, Repositories
from millrace.collect.shipping import UploadResult, ship
from millrace.lake import LakeWriter
from millrace.lake.local import LocalLake

Row = dict[str, Any]
NOON = datetime(2026, 2, 1, 12, tzinfo=UTC)
ENDLESS = """create view cursorDiskKV as with recursive c(x) as (select 1 union all select x + 1 from c)
    select x as rowid, 'bubbleId:a:' || x as key, '{}' as value from c"""


@dataclass(slots=True)
class Machine:
    """One machine, with Linux; `now` is the time of its clock."""

    folder: Path
    now: Callable[[], datetime] = lambda: NOON
    limits: CollectLimits = field(default_factory=CollectLimits)
    privacy: Privacy = field(default_factory=Privacy)
    user_id: str | None = "dev@example.com"
    owner: Owner = UNKNOWN_OWNER
    owners: Owners = NONE

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def spool(self) -> Path:
        return self.state / "spool"

    @property
    def lake(self) -> LocalLake:
        return LocalLake(self.folder / "lake", "lake")

    def log(self, agent: str, name: str = "S1") -> Path:
        """Return the path of a log, in a folder that exists."""
        tasks = {"cline": "saoudrizwan.claude-dev", "kilocode": "kilocode.kilo-code"}
        extension = tasks.get(agent, "rooveterinaryinc.roo-cline")
        path = {
            "claude": self.home / ".claude/projects/-w-app" / f"{name}.jsonl",
            "codex": self.home / ".codex/sessions/2026/01/02" / f"{name}.jsonl",
            "cursor": self.home / ".config/Cursor/User/globalStorage/state.vscdb",
        }.get(agent, self.home / f".config/Code/User/globalStorage/{extension}/tasks/{name}/ui_messages.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def collect(self, since: date | None = None, only: set[Path] | None = None) -> CollectResult:
        """Run a collector that has just started."""
        with closing(CheckpointStore.open(self.state)) as store:
            return self.collector(store).collect(only, since)

    def collector(self, store: CheckpointStore, is_dry: bool = False) -> Collector:
        return Collector(
            store,
            None if is_dry else self.spool,
            lambda: discover(self.home, {}, "linux", AGENTS),
            self.user_id,
            self.privacy,
            self.now,
            self.limits,
            self.owner,
            Repositories.of_machine(self.owners, self.home, {}),
        )

    def force(self) -> None:
        with closing(CheckpointStore.open(self.state)) as store:
            store.force()

    def ship(self, lake: LakeWriter | None = None) -> UploadResult:
        with closing(CheckpointStore.open(self.state)) as store:
            return ship(self.spool, lake or self.lake, store.collector_id)

    def run(self) -> list[Row]:
        """Collect and send; return what a warehouse that merges by key has then."""
        self.collect()
        self.ship()
        return self.merged()

    def sent(self) -> list[Row]:
        """Return all rows in the lake, in the order in which they were sent."""
        files = sorted((self.folder / "lake").glob("drop/usage_events/*/*.parquet"), key=lambda file: file.name)
        return [row for file in files for row in pq.read_table(file).to_pylist()]

    def merged(self) -> list[Row]:
        """Return the row with the latest stamp of each key, by key."""
        rows = {key_of(row): row for row in sorted(self.sent(), key=lambda row: row["_extracted_at"])}
        return [rows[key] for key in sorted(rows)]


def key_of(row: Row) -> str:
    return str((row["agent"], row["message_id"], row["request_id"]))


def response(message: str, output: int = 7, at: str = "2026-01-02T03:04:05Z", **more: object) -> bytes:
    """Return one line of Claude Code."""
    usage = {"input_tokens": 4, "output_tokens": output}
    body = {"id": message, "role": "assistant", "model": "claude-sonnet-4", "usage": usage}
    line = {"type": "assistant", "sessionId": "S1", "timestamp": at, "cwd": "/home/x/app", "message": body} | more
    return json.dumps(line).encode() + b"\n"


def request(second: int, output: int) -> Row:
    """Return one element of a task of Cline."""
    text = json.dumps({"tokensIn": 9, "tokensOut": output})
    return {"ts": 1767322800000 + second * 1000, "type": "say", "say": "api_req_started", "text": text}


def bubble(output: int) -> str:
    counts = {"inputTokens": 1, "outputTokens": output}
    return json.dumps({"type": 2, "text": "x", "createdAt": "2026-01-02T03:04:05Z", "tokenCount": counts})


def cursor_database(path: Path, is_wal: bool = False) -> sqlite3.Connection:
    """Open Cursor's database as Cursor does."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"pragma journal_mode = {'wal' if is_wal else 'delete'}")
    connection.execute("create table if not exists cursorDiskKV (key text unique on conflict replace, value blob)")
    return connection


def put(connection: sqlite3.Connection, rows: Iterable[tuple[str, str | bytes | None]]) -> None:
    connection.executemany("insert into cursorDiskKV values (?, ?)", rows)


def outputs(rows: Iterable[Row]) -> dict[str, int]:
    return {row["message_id"]: row["output_tokens"] for row in rows}
