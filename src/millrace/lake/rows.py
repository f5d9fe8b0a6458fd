"""Rows that a person typed, as a small dropped file that is loaded like any other."""

import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from millrace.lake import LakeWriter, StoredObject
from millrace.lake.names import DroppedFile
from millrace.tables import EXTRACTED_AT


def drop(lake: LakeWriter, table: str, rows: Sequence[Mapping[str, object]], now: datetime) -> StoredObject:
    """Write rows into a new file under `drop/`, and return it.

    Each row carries the time at which it was typed: the newest row of a key counts, in whatever order files are loaded.
    """
    typed_at = now.astimezone(UTC)
    lines = [json.dumps({**row, EXTRACTED_AT: typed_at.isoformat()}, ensure_ascii=False) + "\n" for row in rows]
    name = DroppedFile(table, f"{typed_at:%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(8)}.ndjson", "ndjson")
    return lake.write(str(name), "".join(lines).encode(), if_generation=0)
