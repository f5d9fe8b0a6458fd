"""A history of usage events in the emulator of Snowflake, and a file of a thousand more."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import md5
from importlib import import_module
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from millrace.arrow import to_batch
from millrace.lake import ObjectVersion
from millrace.tables import TABLES
from millrace.warehouse import Batch

EVENTS = TABLES["usage_events"]
ROWS = 1_000
STEP_S = 62
"""The seconds between two events of the history: some 42,000 a month, so 10^7 are twenty years."""
_HISTORY = """
    INSERT INTO "{database}".raw."USAGE_EVENTS"
        (collector_id, user_id, agent, session_id, message_id, request_id, role, occurred_at, model, provider, speed,
        input_tokens, _extracted_at, _load_seq)
    SELECT 'c' || i % 50, 'u' || i % 50, 'claude', 's' || i // 30, 'msg_' || md5(i::VARCHAR), NULL, 'assistant',
        TIMESTAMP '{first}' + INTERVAL (i * {step_s}) SECOND, 'm', 'p', 'standard', i % 1000, TIMESTAMP '{first}', 0
    FROM range({rows}) AS events(i)"""


def fill(database: str, rows: int, until: datetime) -> None:
    """Write a history into the emulator's own database: by the connector it would take minutes."""
    first = (until - timedelta(seconds=rows * STEP_S)).strftime("%Y-%m-%d %H:%M:%S")
    emulator: Any = import_module("fakesnow.server")
    with emulator.shared_fs.duck_conn.cursor() as connection:
        connection.execute(_HISTORY.format(database=database, rows=rows, first=first, step_s=STEP_S)).fetchall()


def batch_of(folder: Path, name: str, now: datetime) -> Batch:
    """Write a file of events of the last minutes; return it as the load function does."""
    path = folder / f"{name}.parquet"
    pq.write_table(pa.Table.from_batches([to_batch(list(_events(now)), EVENTS, now, None)]), path)
    return Batch(ObjectVersion("b", path.name, 1), EVENTS, path, now, None)


def _events(now: datetime) -> Iterator[dict[str, Any]]:
    for number in range(ROWS):
        yield {
            "collector_id": f"c{number % 50}",
            "agent": "claude",
            "session_id": "s",
            "message_id": f"msg_{md5(f'new {number}'.encode(), usedforsecurity=False).hexdigest()}",
            "role": "assistant",
            "occurred_at": (now - timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "input_tokens": number,
        }
