"""The drops of two machines' collectors of a simulated team's logs, and of a person's maps and prices, as Parquet."""

import json
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from millrace.arrow import to_batch
from millrace.collect.parsers.agents import AGENTS
from millrace.collect.parsers.event import UsageEvent, merge_all
from millrace.collect.parsers.reading import LogState, Reading
from millrace.lake.local import LocalLake
from millrace.lake.names import DroppedFile
from millrace.tables import TABLES, Table
from simulator.agent_logs import CURSOR_DATABASE, Home, write_homes
from simulator.world import World

_UNLISTED = {"model": "claude-unlisted-1", "valid_from": "2024-01-01"}  # a model that no rate card has
_FAST = {"model": "claude-opus-4.6", "speed": "fast", "valid_from": "2024-01-01"}
_OBJECTS = 3
Row = dict[str, object]


def drop_usage(lake: LocalLake, world: World, name: str, at: datetime) -> None:
    """Write the events in the logs of a world into `drop/usage_events/`, in objects of rows in random order.

    Later worlds repeat the same events and add more. A second machine, to which logs were copied, reports some with
    other counts, and from the second time on with an earlier instant in another folder: their mart keys change.
    """
    with tempfile.TemporaryDirectory(prefix="homes-") as folder:
        rows = [row for home in write_homes(world, Path(folder)) for row in _told(home, is_later=name != "first")]
    Random(f"{world.seed}/{name}").shuffle(rows)  # noqa: S311 - no secret
    for number in range(_OBJECTS):
        _drop(lake, TABLES["usage_events"], rows[number::_OBJECTS], f"{name}-{number}.parquet", at)


def drop_typed(lake: LocalLake, world: World, name: str, at: datetime) -> None:
    """Write maps and prices of a person; later maps move a project and take two rows back."""
    is_later = name != "first"
    repos = sorted(world.repos)
    mapped: list[Row] = [{"project": f"SRC-{repo.rpartition('/')[2]}", "repo_name": repo} for repo in repos[is_later:]]
    typed: dict[str, list[Row]] = {
        "project_repositories": [{"project": "*", "repo_name": repos[-1]}, *mapped],
        "user_developers": [
            {"user_id": member["email"].upper(), "developer": "" if is_later and number == 1 else f"user_{number:03}"}
            for number, member in enumerate(world.members, 1)
        ],
        "usage_prices": [
            {**_UNLISTED, "input_usd": 1.5, "output_usd": 4.0, "cache_read_usd": 0.0, "source": "a person"},
            {"model": "GPT 5.2 Codex", "valid_from": "2026-10-25", "input_usd": 2.0, "output_usd": 7.25},
            {**_FAST, "output_usd": 9.0},
            {"model": "gpt-5-codex", "valid_from": "2024-01-01"},
        ],
    }
    if is_later:
        del typed["usage_prices"]  # a changed price fills the marts again; here they are to follow the events
        typed["project_repositories"].append({"project": f"src-{repos[0].rpartition('/')[2]}", "repo_name": ""})
    for table, rows in typed.items():
        _drop(lake, TABLES[table], rows, f"{name}.parquet", at)


def _drop(lake: LocalLake, table: Table, rows: list[Row], name: str, at: datetime) -> None:
    with tempfile.TemporaryDirectory(prefix="dropped-") as folder:
        path = Path(folder, name)
        pq.write_table(pa.Table.from_batches([to_batch(rows, table, at, None)]), path)
        lake.write(str(DroppedFile(table.name, name, "parquet")), path, 0)


def _told(home: Home, is_later: bool) -> Iterator[Row]:
    events = list(merge_all(event for reading in _readings(home.folder) for event in reading.events).values())
    for number, event in enumerate(events):
        yield _row(event, f"{home.developer_id}-laptop", home.email)
        if number % 5 == 0:
            yield _row(_elsewhere(event, is_moved=is_later and number % 10 == 0), f"{home.developer_id}-server", None)


def _elsewhere(event: UsageEvent, is_moved: bool) -> UsageEvent:
    """Return the event of a copied log: without its last line, and with some values unknown."""
    tokens = replace(event.tokens, output_tokens=1, cache_read_tokens=(event.tokens.cache_read_tokens or 0) + 7)
    if event.role == "user":
        tokens = event.tokens
    told = replace(event, tokens=tokens, provider=None, speed=None)
    if not is_moved:
        return told
    earlier = event.occurred_at - timedelta(days=1)
    return replace(told, occurred_at=earlier, session_id=f"copy-of-{event.session_id}", project=None)


def _row(event: UsageEvent, collector_id: str, user_id: str | None) -> Row:
    row = event.to_json()
    row["reported_cost_usd"] = row.pop("cost_usd") if event.role == "assistant" else None
    return {name: value for name, value in row.items() if value is not None} | {
        "collector_id": collector_id,
        **({"user_id": user_id} if user_id else {}),
    }


def _readings(folder: Path) -> Iterator[Reading]:
    for path in sorted(folder.rglob("*.jsonl")):
        agent = "claude" if ".claude" in path.parts else "codex"
        yield AGENTS[agent].read(path.read_bytes(), LogState(session_id=path.stem[-36:]))
    for path in sorted(folder.rglob("ui_messages.json")):
        yield AGENTS["cline"].read(path.read_bytes(), LogState(session_id=path.parent.name))
    if (folder / CURSOR_DATABASE).exists():
        lines = [json.dumps({"key": key, "value": value}) + "\n" for key, value in _cursor_rows(folder)]
        yield AGENTS["cursor"].read("".join(lines).encode(), LogState())


def _cursor_rows(folder: Path) -> Sequence[tuple[str, str]]:
    with closing(sqlite3.connect(folder / CURSOR_DATABASE)) as database:
        return database.execute("SELECT key, value FROM cursorDiskKV ORDER BY rowid").fetchall()
