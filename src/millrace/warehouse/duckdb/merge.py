# ruff: noqa: S608 - this module only writes SQL: values are parameters, names are quoted and checked before
"""The statements by which DuckDB merges a Parquet file into a raw table, by the rule of merge_rule.py.

The file's rows are put into the temporary table `staged`, their row actions into `classified`, which names stored rows
by `rowid`. Then one statement for each row action applies them.
"""

from millrace.tables import EXTRACTED_AT, LOAD_SEQ
from millrace.warehouse import merge_rule
from millrace.warehouse.merge_rule import Dialect, MergeRule

_WIDENED = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"), "BIGINT"),
    **dict.fromkeys(("TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "TIMESTAMP"),
    **dict.fromkeys(("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"), "TIMESTAMP"),
    "FLOAT": "DOUBLE",
    "JSON": "VARCHAR",
    '"NULL"[]': "VARCHAR[]",
}
_FIRST, _LAST = "TIMESTAMP '0001-01-01'", "TIMESTAMP '9999-12-31 23:59:59.999999'"
# The folders dt=… and run=… of a path would otherwise become columns.
_FILE = "read_parquet($path, hive_partitioning = false)"
# No column of a file can have a name with a blank in it (see parquet.check).
_STAGED_ROW, _STORED_ROW = '"staged row"', '"stored row"'
OBJECT = "object number"  # in a bundle: the number of a row's object

DESCRIBE_FILE = f"DESCRIBE SELECT * FROM {_FILE}"
COUNT_ROW_ACTIONS = "SELECT row_action, count(*) FROM classified GROUP BY row_action"
COUNT_ROW_ACTIONS_BY_OBJECT = f"""
    SELECT s."{OBJECT}", c.row_action, count(*)
    FROM classified AS c JOIN staged AS s ON s.{_STAGED_ROW} = c.staged_row GROUP BY ALL"""


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _read(column: str, file_kind: str, kind: str) -> str:
    if file_kind.endswith("_NS"):  # a cast would round towards 1970
        nanoseconds = f"epoch_ns({column})"
        return f"make_timestamp(({nanoseconds} - (({nanoseconds} % 1000) + 1000) % 1000) // 1000)"
    return column if file_kind == kind else f"{column}::{kind}"


def _to_json(column: str, kind: str) -> str:
    is_scalar = "(" not in kind and not kind.endswith("]")
    return f"to_json({column}::VARCHAR)" if is_scalar else f"to_json({column})"


DUCKDB = Dialect(
    quoted=quoted,
    parameter=lambda name: f"${name}",
    type_of=lambda kind: kind,
    read=_read,
    comparable=lambda column, kind: column,
    to_json=_to_json,
    concatenated=lambda texts: f"concat({', '.join(texts)})",  # 300 operators || would copy each text 300 times
    widened=_WIDENED,
)


def select(rule: MergeRule, *more: str) -> str:
    """Return the query that reads the file as rows of the raw table; parameters: $path, $extracted_at, $run_id."""
    return f"SELECT {', '.join([*more, rule.values])} FROM {_FILE}"


def stage(source: str) -> str:
    """Return the statement that puts the rows of a query into the table `staged`."""
    return f"CREATE OR REPLACE TEMP TABLE staged AS SELECT row_number() OVER () AS {_STAGED_ROW}, * FROM ({source})"


def deduplicate(rule: MergeRule, table: str) -> str:
    """Return the statement that keeps only the greatest version of each key in a table; the others stay in order."""
    kept = greatest(rule, f"SELECT rowid AS {_STORED_ROW}, * FROM {table}")
    return f"DELETE FROM {table} WHERE rowid NOT IN (SELECT {_STORED_ROW} FROM ({kept}))"


def greatest(rule: MergeRule, source: str) -> str:
    """Return the query for the greatest version of each key in `source`."""
    return f"SELECT * FROM ({source}) AS f QUALIFY {rule.is_greatest}"


def facts(rule: MergeRule, source: str, owner: tuple[str, str] | None) -> str:
    """Return the query for the facts of a file.

    They are (rows, distinct keys, greatest `_extracted_at`, rows that fail one of the checks), then the first and the
    last instant that decides a row's month; both are NULL if the table has none, or a row lacks it.
    """
    failing = " OR ".join(condition for _, _, condition in checks(rule, owner))
    distinct = f"count(DISTINCT ROW({rule.identity}))"
    dated = quoted(rule.table.month_of) if rule.table.month_of else "NULL::TIMESTAMP"
    bounds = ", ".join(f"CASE WHEN count({dated}) = count(*) THEN {bound}({dated}) END" for bound in ("min", "max"))
    return f"SELECT count(*), {distinct}, max({EXTRACTED_AT}), count(*) FILTER ({failing}), {bounds} FROM ({source})"


def failures(rule: MergeRule, source: str, owner: tuple[str, str] | None) -> str:
    """Return the query for the number of rows that fail each of the checks."""
    counts = [f"count(*) FILTER ({condition})" for _, _, condition in checks(rule, owner)]
    return f"SELECT {', '.join(counts)} FROM ({source})"


def checks(rule: MergeRule, owner: tuple[str, str] | None) -> list[tuple[str, str, str]]:
    """Return the conditions that no row may meet, as (reason, message, condition); `owner` is that of the batch."""
    table = rule.table
    required = [name for name in table.key if name not in table.key_may_be_null]
    instants = [name for name, kind in rule.columns.items() if kind == "TIMESTAMP"]
    null = [("null_key", merge_rule.without_key(table, name), f"{quoted(name)} IS NULL") for name in required]
    outside = [
        ("out_of_range", merge_rule.out_of_range(name), f"{quoted(name)} NOT BETWEEN {_FIRST} AND {_LAST}")
        for name in instants
    ]
    foreign = [
        ("foreign", merge_rule.of_another_owner(name, value), f"{quoted(name)} IS DISTINCT FROM {_literal(value)}")
        for name, value in ([owner] if owner else [])
    ]
    return null + outside + foreign


def insert_all(rule: MergeRule, source: str) -> str:
    """Return the statement that fills an empty raw table."""
    into = f"INSERT INTO {DUCKDB.raw(rule.table)} ({rule.names}, {LOAD_SEQ})"
    return f"{into} SELECT {rule.names}, $load_seq FROM ({source})"


def classify(rule: MergeRule) -> str:
    """Return the statement that writes the row action of every row of `staged` into the table `classified`."""
    raw, same_key = DUCKDB.raw(rule.table), rule.is_same_key
    # Only the key columns of a large table are scanned; the matching rows are then read by rowid.
    return f"""
        CREATE OR REPLACE TEMP TABLE classified AS
        SELECT s.{_STAGED_ROW} AS staged_row, t.{_STORED_ROW} AS stored_row,
            CASE WHEN t.{_STORED_ROW} IS NULL THEN 'inserted' ELSE {rule.row_action} END AS row_action
        FROM staged AS s LEFT JOIN (
            SELECT rowid AS {_STORED_ROW}, * FROM {raw}
            WHERE rowid IN (SELECT t.rowid FROM {raw} AS t SEMI JOIN staged AS s ON {same_key})
        ) AS t ON {same_key}"""


def apply(rule: MergeRule) -> dict[str, str]:
    """Return, by row action, the statement that applies it to the raw table; parameter: $load_seq, if it is used."""
    chosen = f"FROM staged AS s JOIN classified AS c ON s.{_STAGED_ROW} = c.staged_row WHERE c.row_action"
    update, this = f"UPDATE {DUCKDB.raw(rule.table)} AS t SET", "AND t.rowid = c.stored_row"
    return {
        "inserted": insert_all(rule, f"SELECT s.* {chosen} = 'inserted'"),
        **{
            action: f"{update} {rule.assignments(action)} {chosen} = '{action}' {this}"
            for action in ("updated", "confirmed")
        },
    }


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
