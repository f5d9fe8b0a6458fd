# ruff: noqa: S608 - this module only writes SQL: values are parameters, names are quoted and checked before
"""The SQL by which DuckDB merges a Parquet file into a raw table: pure functions of column names and types.

Any order of arrival gives the same table: all versions of a row that ever arrive are totally ordered by
(`_extracted_at`, the table's `version_column`, the content, `_run_id`), NULL lowest. Whatever happens (insert,
update, advance the stamp of an equal row, supersede), the raw table holds the greatest version so far of each
key. A maximum depends neither on order nor on repetition, so one load or twenty, forwards or backwards, end in
the same rows. Only `_load_seq` depends on the order.

The content is compared column by column, null-safe. It is ordered as text: the columns that are not NULL, by name. So
a column that another file adds, before or after, changes nothing for the rows without it.
"""

from dataclasses import dataclass

import pyarrow as pa

from millrace.errors import BadObject
from millrace.tables import COUNT, EXTRACTED_AT, FLAG, INSTANT, LOAD_SEQ, RATIO, RUN_ID, TEXT, TEXTS, Table
from millrace.warehouse import of_another
from millrace.warehouse.parquet import MOST_NEW_COLUMNS

_TYPES: dict[pa.DataType, str] = {
    TEXT: "VARCHAR",
    COUNT: "BIGINT",
    RATIO: "DOUBLE",
    FLAG: "BOOLEAN",
    INSTANT: "TIMESTAMP",
    TEXTS: "VARCHAR[]",
}
_WIDENED = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"), "BIGINT"),
    **dict.fromkeys(("TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), "TIMESTAMP"),
    **dict.fromkeys(("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ_NS"), "TIMESTAMP"),
    "FLOAT": "DOUBLE",
    "JSON": "VARCHAR",
    '"NULL"[]': "VARCHAR[]",
}
_NOTHING = '"NULL"'  # DuckDB's name for the type of a column without values
_FIRST, _LAST = "TIMESTAMP '0001-01-01'", "TIMESTAMP '9999-12-31 23:59:59.999999'"
# The folders dt=… and run=… of a path would otherwise become columns.
_FILE = "read_parquet($path, hive_partitioning = false)"
# No column of a file can have a name with a blank in it (see parquet.check).
_ROW, _PLACE = '"row of file"', '"place of row"'

DESCRIBE_FILE = f"DESCRIBE SELECT * FROM {_FILE}"
COUNT_ROW_ACTIONS = "SELECT fate, count(*) FROM decided GROUP BY fate"


@dataclass(frozen=True, slots=True)
class Merge:
    """The merge of one file into one raw table.

    `columns` are the table's (name: type) after `new_columns` were added, without `_load_seq`. `select` reads them from
    the file; its parameters are $path, $extracted_at and $run_id. `owner` is that of the batch.
    """

    table: Table
    columns: dict[str, str]
    new_columns: dict[str, str]
    select: str
    owner: tuple[str, str] | None = None

    @property
    def names(self) -> str:
        """The columns, as SQL."""
        return ", ".join(quoted(name) for name in self.columns)

    @property
    def keys(self) -> str:
        """The key columns, as SQL."""
        return ", ".join(quoted(name) for name in self.table.key)

    @property
    def content(self) -> list[str]:
        """The columns with a row's content, besides its key and stamps: by name, in any case."""
        stamps_and_key = (EXTRACTED_AT, RUN_ID, *self.table.key)
        return sorted((name for name in self.columns if name not in stamps_and_key), key=str.lower)


def quoted(name: str) -> str:
    """Return a name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def raw(table: Table) -> str:
    """Return the qualified name of the raw table."""
    return f"raw.{quoted(table.name)}"


def create(table: Table) -> str:
    """Return the statement that creates a missing raw table; a primary key would make it five times slower."""
    columns = [f"{quoted(field.name)} {_TYPES[field.type]}" for field in table.schema]
    return f"CREATE TABLE IF NOT EXISTS {raw(table)} ({', '.join(columns)}, {LOAD_SEQ} BIGINT)"


def all_keys(table: Table) -> str:
    """Return the query for the key of every row."""
    return f"SELECT {', '.join(quoted(name) for name in table.key)} FROM {raw(table)}"


def plan(
    table: Table, file_columns: dict[str, str], stored: dict[str, str], cap: int, owner: tuple[str, str] | None = None
) -> Merge:
    """Match the file's columns (`file_columns`, name: type) to the raw table's (`stored`), by name in any case.

    Raises BadObject: `missing_key`, `schema` (a type that does not fit), `too_large` (too many columns, or new ones).
    """
    columns = {name: kind for name, kind in stored.items() if name != LOAD_SEQ}
    present = {name.lower(): (name, kind) for name, kind in file_columns.items()}
    missing = [name for name in table.key if name.lower() not in present]
    if missing:
        raise BadObject("missing_key", f"no column {' and '.join(missing)} came: it names a row of {table.name}")
    known = {name.lower() for name in columns}
    new = {name: kind for name, kind in file_columns.items() if name.lower() not in known and kind != _NOTHING}
    new_columns = {name: _WIDENED.get(kind, kind) for name, kind in new.items()}
    columns |= new_columns
    if len(columns) > cap:
        raise BadObject("too_large", f"raw.{table.name} would get {len(columns)} columns; {cap} are the most")
    if len(new_columns) > MOST_NEW_COLUMNS:
        raise BadObject("too_large", f"{len(new_columns)} new columns came; a file may add {MOST_NEW_COLUMNS} at most")
    return Merge(table, columns, new_columns, _select(columns, present), owner)


def add_column(table: Table, name: str, kind: str) -> str:
    """Return the statement that adds a column of the file to the raw table."""
    return f"ALTER TABLE {raw(table)} ADD COLUMN {quoted(name)} {kind}"


def stage(merge: Merge) -> str:
    """Return the statement that puts the file's rows into the table `staged`."""
    return f"CREATE OR REPLACE TEMP TABLE staged AS SELECT row_number() OVER () AS {_ROW}, * FROM ({merge.select})"


def keep_best(merge: Merge) -> str:
    """Return the statement that keeps only the greatest version of each key in `staged`."""
    return f"CREATE OR REPLACE TEMP TABLE staged AS {best(merge, 'SELECT * FROM staged')}"


def facts(merge: Merge, source: str) -> str:
    """Return the query for (rows, distinct keys, greatest `_extracted_at`, rows that fail one of the checks)."""
    failing = " OR ".join(condition for _, _, condition in checks(merge))
    wanted = f"count(*), count(DISTINCT ROW({merge.keys})), max({EXTRACTED_AT}), count(*) FILTER ({failing})"
    return f"SELECT {wanted} FROM ({source})"


def failures(merge: Merge, source: str) -> str:
    """Return the query for the number of rows that fail each of the checks."""
    counts = [f"count(*) FILTER ({condition})" for _, _, condition in checks(merge)]
    return f"SELECT {', '.join(counts)} FROM ({source})"


def checks(merge: Merge) -> list[tuple[str, str, str]]:
    """Return the conditions that no row may meet, as (reason, message, condition)."""
    required = [name for name in merge.table.key if name not in merge.table.key_may_be_null]
    instants = [name for name, kind in merge.columns.items() if kind == "TIMESTAMP"]
    null = [("null_key", f"have no {name}, which names them", f"{quoted(name)} IS NULL") for name in required]
    far = "have a {} outside of the years 1 to 9999"
    outside = [
        ("out_of_range", far.format(name), f"{quoted(name)} NOT BETWEEN {_FIRST} AND {_LAST}") for name in instants
    ]
    foreign = [
        ("foreign", of_another(name, value), f"{quoted(name)} IS DISTINCT FROM {_literal(value)}")
        for name, value in ([merge.owner] if merge.owner else [])
    ]
    return null + outside + foreign


def best(merge: Merge, source: str) -> str:
    """Return the query for the greatest version of each key in `source`."""
    return f"SELECT * FROM ({source}) AS f QUALIFY {_rank(merge)} = 1"


def remove_repeated(merge: Merge) -> str:
    """Return the statement that keeps only the greatest version of each key in the raw table."""
    ranked = f"SELECT rowid AS {_PLACE}, {_rank(merge)} AS rank FROM {raw(merge.table)} AS f"
    return f"DELETE FROM {raw(merge.table)} WHERE rowid IN (SELECT {_PLACE} FROM ({ranked}) WHERE rank > 1)"


def insert_all(merge: Merge, source: str) -> str:
    """Return the statement that fills an empty raw table."""
    return f"INSERT INTO {raw(merge.table)} ({merge.names}, {LOAD_SEQ}) SELECT {merge.names}, $load_seq FROM ({source})"


def classify(merge: Merge) -> str:
    """Return the statement that writes the row action of every row of `staged` into the table `decided`.

    A row is `tied` when only the text of its content orders it against the stored version: `break_ties` decides. The
    parameter $latest is the batch's: a stored row with a later stamp counts as older than every other.
    """
    same_key = " AND ".join(
        _same(name) if name in merge.table.key_may_be_null else f"s.{quoted(name)} = t.{quoted(name)}"
        for name in merge.table.key
    )
    newest = merge.table.version_column
    by_newest = f"WHEN NOT ({_same(newest)}) THEN if({_greater(newest)}, 'updated', 'superseded')" if newest else ""
    is_untrue = f"coalesce(t.{EXTRACTED_AT} > $latest::TIMESTAMP, false)"
    # Only the key columns of a large table are scanned; the matching rows are then read by rowid.
    return f"""
        CREATE OR REPLACE TEMP TABLE decided AS
        SELECT s.{_ROW} AS staged_row, t.{_PLACE} AS stored_row, CASE
            WHEN t.{_PLACE} IS NULL THEN 'inserted'
            WHEN {" AND ".join(_same(name) for name in merge.content) or "true"} THEN
                if({is_untrue} OR s.{EXTRACTED_AT} > t.{EXTRACTED_AT}
                    OR (s.{EXTRACTED_AT} = t.{EXTRACTED_AT} AND {_greater(RUN_ID)}), 'confirmed', 'unchanged')
            WHEN {is_untrue} OR s.{EXTRACTED_AT} > t.{EXTRACTED_AT} THEN 'updated'
            WHEN s.{EXTRACTED_AT} < t.{EXTRACTED_AT} THEN 'superseded'
            {by_newest}
            ELSE 'tied' END AS fate
        FROM staged AS s LEFT JOIN (
            SELECT rowid AS {_PLACE}, * FROM {raw(merge.table)}
            WHERE rowid IN (SELECT t.rowid FROM {raw(merge.table)} AS t SEMI JOIN staged AS s ON {same_key})
        ) AS t ON {same_key}"""


def count_row_actions_by(column: str) -> str:
    """Return the query for (a column of `staged`, row action, rows)."""
    joined = f"decided AS d JOIN staged AS s ON s.{_ROW} = d.staged_row"
    return f"SELECT s.{column}, d.fate, count(*) FROM {joined} GROUP BY ALL"


def break_ties(merge: Merge) -> str:
    """Return the statement that decides the `tied` rows."""
    return f"""
        UPDATE decided AS d
        SET fate = if({_text(merge, "s")} > {_text(merge, "t")}, 'updated', 'superseded')
        FROM staged AS s, {raw(merge.table)} AS t
        WHERE d.fate = 'tied' AND s.{_ROW} = d.staged_row AND t.rowid = d.stored_row"""


def apply(merge: Merge) -> dict[str, str]:
    """Return, by row action, the statement that applies it to the raw table."""
    chosen = f"FROM staged AS s JOIN decided AS d ON s.{_ROW} = d.staged_row WHERE d.fate"
    rest = [name for name in merge.columns if name not in merge.table.key]
    changes = ", ".join(f"{quoted(name)} = s.{quoted(name)}" for name in rest)
    stamps = f"{EXTRACTED_AT} = s.{EXTRACTED_AT}, {RUN_ID} = s.{RUN_ID}"
    update, this = f"UPDATE {raw(merge.table)} AS t SET", "AND t.rowid = d.stored_row"
    return {
        "inserted": insert_all(merge, f"SELECT s.* {chosen} = 'inserted'"),
        "updated": f"{update} {changes}, {LOAD_SEQ} = $load_seq {chosen} = 'updated' {this}",
        "confirmed": f"{update} {stamps} {chosen} = 'confirmed' {this}",
    }


def _rank(merge: Merge) -> str:
    """Return the expression that is 1 for the greatest version of each key of `f`."""
    newest = f"{quoted(merge.table.version_column)} DESC NULLS LAST, " if merge.table.version_column else ""
    order = f"{EXTRACTED_AT} DESC, {newest}{_text(merge, 'f')} DESC, {RUN_ID} DESC NULLS LAST"
    return f"row_number() OVER (PARTITION BY {merge.keys} ORDER BY {order})"


def _select(columns: dict[str, str], present: dict[str, tuple[str, str]]) -> str:
    stand_in = {EXTRACTED_AT: "$extracted_at::TIMESTAMP", RUN_ID: "$run_id::VARCHAR"}
    parts = []
    for name, kind in columns.items():
        value = _value(*present[name.lower()], kind) if name.lower() in present else f"NULL::{kind}"
        if name in stand_in:
            value = f"coalesce({value}, {stand_in[name]})"
        parts.append(f"{value} AS {quoted(name)}")
    return f"SELECT {', '.join(parts)} FROM {_FILE}"


def _value(name: str, file_kind: str, kind: str) -> str:
    """Return the expression that reads the column `name` of type `file_kind` as `kind` without loss; or BadObject."""
    column = quoted(name)
    if file_kind == _NOTHING:
        return f"NULL::{kind}"
    if _WIDENED.get(file_kind, file_kind) != kind:
        raise BadObject("schema", f"column {name}: file has {file_kind}, table has {kind}")
    if file_kind.endswith("_NS"):  # a cast would round towards 1970
        nanoseconds = f"epoch_ns({column})"
        return f"make_timestamp(({nanoseconds} - (({nanoseconds} % 1000) + 1000) % 1000) // 1000)"
    if kind == "DOUBLE":
        return f"{column}::DOUBLE + 0.0"  # -0.0 equals 0.0, but has another text: keep one of them
    return column if file_kind == kind else f"{column}::{kind}"


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _same(name: str) -> str:
    return f"s.{quoted(name)} IS NOT DISTINCT FROM t.{quoted(name)}"


def _greater(name: str) -> str:
    s, t = f"s.{quoted(name)}", f"t.{quoted(name)}"
    return f"coalesce({s} > {t}, {s} IS NOT NULL AND {t} IS NULL)"


def _text(merge: Merge, alias: str) -> str:
    """Return the expression for the content as text; two rows have the same text only if they are equal."""
    parts = []
    for name in merge.content:
        column = f"{alias}.{quoted(name)}"
        is_scalar = "(" not in merge.columns[name] and not merge.columns[name].endswith("]")
        value = f"to_json({column}::VARCHAR)" if is_scalar else f"to_json({column})"
        parts.append(f"coalesce('{name.lower()}:' || {value} || ',', '')")
    return f"concat({', '.join(parts)})" if parts else "''"
