"""The types of timestamps.

TIMESTAMP is an alias of what TIMESTAMP_TYPE_MAPPING of the session says, DATETIME one of TIMESTAMP_NTZ:
https://docs.snowflake.com/en/sql-reference/data-types-datetime. TIMESTAMP_LTZ is DuckDB's TIMESTAMPTZ, which follows
the same rules: its wall clock is that of the session's zone, in a cast to a date and to TIMESTAMP_NTZ too. COPY reads
a column of Parquet with isAdjustedToUTC as TIMESTAMP_LTZ (apache/arrow-adbc issue 3766), and DuckDB as TIMESTAMPTZ.
"""

from fakesnow import info_schema
from sqlglot import exp

_TYPES = {"TIMESTAMP_LTZ": exp.DataType.Type.TIMESTAMPLTZ, "TIMESTAMP_TZ": exp.DataType.Type.TIMESTAMPTZ}
COLUMNS = (
    info_schema.SQL_CREATE_GLOBAL_INFORMATION_SCHEMA_COLUMNS_VIEW.replace(
        "create view if not exists", "create or replace view"
    )
    .replace("'TIMESTAMP_TZ'", "'TIMESTAMP_LTZ'")
    .replace("columns.data_type='BIGINT'", "columns.data_type in ('BIGINT', 'HUGEINT', 'INT128')")
)
"""INFORMATION_SCHEMA.COLUMNS of fakesnow, which calls DuckDB's type TIMESTAMP_TZ, and the sum of numbers INT128."""


def map_timestamps(tree: exp.Expression, mapping: str) -> None:
    """Replace the types TIMESTAMP and DATETIME of a statement by those that they stand for."""
    for kind in tree.find_all(exp.DataType):
        if kind.this == exp.DataType.Type.DATETIME:
            kind.set("this", exp.DataType.Type.TIMESTAMPNTZ)
        elif kind.this == exp.DataType.Type.TIMESTAMP and mapping.upper() in _TYPES:
            kind.set("this", _TYPES[mapping.upper()])
            kind.set("expressions", None)
