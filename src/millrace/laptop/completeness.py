# ruff: noqa: S608 - the names are this project's own
"""Which repositories of each account are complete, by what the runs noted of them; no build is needed for it."""

import json
from typing import Any

from millrace.status import completeness
from millrace.status.completeness import AccountState
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

MOST = 10_000
"""Repositories that are listed."""

# As the mart source_completeness has them.
_WINDOWS = """(
    SELECT source, account, object, "window" AS window_id, name, reason, row_count, source_total,
        greatest(source_total - row_count, 0) AS missing,
        CASE WHEN state LIKE 'known%' AND row_count < source_total THEN 'unknown' ELSE state END AS state
    FROM raw.source_windows
)"""


def accounts(warehouse: DuckDBWarehouse) -> tuple[AccountState, ...]:
    """Return the accounts whose source says how much it has, each with all that is not complete."""

    def query(sql: str) -> list[dict[str, Any]]:
        return [json.loads(row) for (row,) in warehouse.query(f"SELECT to_json(found) FROM ({sql}) AS found")]

    return completeness.read(query, _WINDOWS, MOST)
