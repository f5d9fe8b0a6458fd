# ruff: noqa: S608 - the names are this project's own
"""Which repositories of an account are complete, by what the runs noted of them; no build is needed for it."""

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
    FROM meta.source_windows
)"""


def completeness_of(warehouse: DuckDBWarehouse, account: str) -> AccountState | None:
    """Return what is complete of an account, with all that is not; None before any of it was read."""

    def query(sql: str) -> list[dict[str, Any]]:
        return [json.loads(row) for (row,) in warehouse.query(f"SELECT to_json(found) FROM ({sql}) AS found")]

    return next((each for each in completeness.read(query, _WINDOWS, MOST) if each.account == account), None)
