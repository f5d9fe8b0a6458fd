"""The registry: one entry per raw table, with its columns, its key and the origin of its rows.

The object names, the Parquet schema and the raw table follow from the entry, and the extract functions from ENDPOINTS.
A table that no endpoint feeds arrives as files under `drop/`.
"""

from millrace.tables import files, github
from millrace.tables.cursor_sim import CURSOR_SIM
from millrace.tables.endpoints import ENDPOINTS, Endpoint, children_of, endpoint_of, endpoints_of
from millrace.tables.table import (
    COUNT,
    EXTRA,
    EXTRACTED_AT,
    FLAG,
    INSTANT,
    JSON,
    LOAD_SEQ,
    META_FIELDS,
    MOST_AHEAD,
    RATIO,
    RUN_ID,
    TEXT,
    TEXTS,
    ChildListing,
    PageNumberListing,
    SinglePageListing,
    Table,
    is_json,
)

_ALL = (
    *CURSOR_SIM.values(),
    files.USAGE_EVENTS,
    files.PROJECT_REPOSITORIES,
    files.USER_DEVELOPERS,
    files.USAGE_PRICES,
    github.GITHUB_REPOS,
    github.GITHUB_PULL_REQUESTS,
    github.GITHUB_REVIEWS,
    github.GITHUB_COMMITS,
    github.GITHUB_PULL_REQUEST_COMMITS,
    github.GITHUB_PULL_REQUEST_EVENTS,
    github.IDENTITIES,
    github.SOURCE_WINDOWS,
)
TABLES: dict[str, Table] = {table.name: table for table in _ALL}
EXTRACTED: dict[str, Table] = {
    name: table for name, table in TABLES.items() if any(name in endpoint.feeds for endpoint in ENDPOINTS.values())
}
"""The tables whose rows are extracted."""

__all__ = [
    "COUNT",
    "CURSOR_SIM",
    "ENDPOINTS",
    "EXTRA",
    "EXTRACTED",
    "EXTRACTED_AT",
    "FLAG",
    "INSTANT",
    "JSON",
    "LOAD_SEQ",
    "META_FIELDS",
    "MOST_AHEAD",
    "RATIO",
    "RUN_ID",
    "TABLES",
    "TEXT",
    "TEXTS",
    "ChildListing",
    "Endpoint",
    "PageNumberListing",
    "SinglePageListing",
    "Table",
    "children_of",
    "endpoint_of",
    "endpoints_of",
    "is_json",
]
