# ruff: noqa: S608 - the names are this project's own
"""Which repositories of each account are complete, by what the runs noted of them; no build is needed for it."""

import json
from typing import Any

from millrace.status import completeness
from millrace.status.completeness import AccountState
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

MOST = 10_000
"""Repositories that are listed."""


def accounts(warehouse: DuckDBWarehouse) -> tuple[AccountState, ...]:
    """Return the accounts whose source says how much it has, each with all that is not complete."""

    def query(sql: str) -> list[dict[str, Any]]:
        return [json.loads(row) for (row,) in warehouse.query(f"SELECT to_json(found) FROM ({sql}) AS found")]

    warehouse.ensure_tables()  # those that an earlier version made lack the view
    return completeness.read(query, completeness.VIEW, MOST)
