# ruff: noqa: S608 - this module only writes SQL: values are parameters, names are quoted and checked before
"""The SQL by which Snowflake merges a file into a raw table: pure functions of column names and kinds.

Rule and result are those of duckdb/merge.py: of all versions of a row that ever arrive, the greatest stays. The file
is copied into the temporary table ARRIVED and reduced to the greatest version of each key in NEWEST. Those statements
would end a transaction, so they run before it; within it there is one MERGE.

Names are stored in capitals, as Snowflake reads a name without quotes: `commitHash` in a model is COMMITHASH.
"""

from dataclasses import dataclass

from millrace.errors import BadObject
from millrace.tables import COUNT, EXTRACTED_AT, FLAG, INSTANT, LOAD_SEQ, RATIO, RUN_ID, TEXT, TEXTS, Table
from millrace.warehouse.canonical import NESTED, NOTHING
from millrace.warehouse.parquet import MOST_NEW_COLUMNS
from millrace.warehouse.snowflake.objects import DROPS, LAKE, PARQUET

# No column of a file can have a name with a blank in it (see parquet.check).
OBJECT = "OBJECT OF ROW"  # in a bundle: the number of a row's object
_OBJECT = f'"{OBJECT}"'
_ROW_ACTION = '"FATE OF ROW"'  # in NEWEST
_KINDS = {TEXT: "VARCHAR", COUNT: "BIGINT", RATIO: "DOUBLE", FLAG: "BOOLEAN", INSTANT: "TIMESTAMP", TEXTS: "VARCHAR[]"}
_TYPES = {
    "VARCHAR": "VARCHAR",
    "BIGINT": "NUMBER(38, 0)",
    "UBIGINT": "NUMBER(20, 0)",
    "DOUBLE": "DOUBLE",
    "BOOLEAN": "BOOLEAN",
    "TIMESTAMP": "TIMESTAMP_NTZ(6)",
    "DATE": "DATE",
    "TIME": "TIME(6)",
    "BLOB": "BINARY",
    "VARCHAR[]": "ARRAY",
    NESTED: "VARIANT",
}
# The names in INFORMATION_SCHEMA; the digits distinguish the kinds of NUMBER.
_STORED = {
    "TEXT": "VARCHAR",
    "FLOAT": "DOUBLE",
    "BOOLEAN": "BOOLEAN",
    "TIMESTAMP_NTZ": "TIMESTAMP",
    "DATE": "DATE",
    "TIME": "TIME",
    "BINARY": "BLOB",
    "ARRAY": "VARCHAR[]",
    "VARIANT": NESTED,
}
COLUMNS_OF = """
    SELECT COLUMN_NAME, DATA_TYPE, NUMERIC_PRECISION, NUMERIC_SCALE FROM INFORMATION_SCHEMA.COLUMNS
    WHERE TABLE_SCHEMA = 'RAW' AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION"""


# FORCE: Snowflake remembers copies by name, and for 64 days only; the ledger decides instead.
_HOW = (
    f"FILE_FORMAT = (FORMAT_NAME = '{PARQUET}') MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE"
    " ON_ERROR = ABORT_STATEMENT FORCE = TRUE"
)


@dataclass(frozen=True, slots=True)
class Merge:
    """The merge of one file into one raw table.

    `columns` are the table's (name: kind) after `new_columns` were added, without `_load_seq`; `file_columns`
    are the file's. `session` makes the names of the temporary tables unique to this session.
    """

    table: Table
    columns: dict[str, str]
    file_columns: dict[str, str]
    new_columns: dict[str, str]
    session: str
    is_bundle: bool = False

    @property
    def arrived(self) -> str:
        """The temporary table that holds the file."""
        return f"ARRIVED_{self.session}"

    @property
    def newest(self) -> str:
        """The temporary table that holds the greatest version of each key."""
        return f"NEWEST_{self.session}"

    @property
    def content(self) -> list[str]:
        """The columns with a row's content, besides its key and stamps: by name, in any case."""
        stamps_and_key = {EXTRACTED_AT, RUN_ID, *(name.lower() for name in self.table.key)}
        return sorted((name for name in self.columns if name.lower() not in stamps_and_key), key=str.lower)


def quoted(name: str) -> str:
    """Return a column's or table's name as an SQL identifier."""
    return '"' + name.upper().replace('"', '""') + '"'


def raw(table: Table) -> str:
    """Return the qualified name of the raw table."""
    return f"RAW.{quoted(table.name)}"


def create(table: Table) -> str:
    """Return the statement that creates a missing raw table."""
    return f"CREATE TABLE IF NOT EXISTS {raw(table)} ({columns_of(table)}, {quoted(LOAD_SEQ)} NUMBER(38, 0))"


def columns_of(table: Table) -> str:
    """Return the columns of the registry with their types."""
    return ", ".join(f"{quoted(field.name)} {_TYPES[_KINDS[field.type]]}" for field in table.schema)


def all_keys(table: Table) -> str:
    """Return the query for the key of every row."""
    return f"SELECT {', '.join(quoted(name) for name in table.key)} FROM {raw(table)}"


def kind_of_stored(table: Table, name: str, data_type: str, precision: int | None, scale: int | None) -> str:
    """Return the kind of a column by INFORMATION_SCHEMA, or by the registry where it has the column."""
    registered = {field.name.lower(): _KINDS[field.type] for field in table.schema}
    if name.lower() in registered:
        return registered[name.lower()]
    if data_type == "NUMBER":
        return {(38, 0): "BIGINT", (20, 0): "UBIGINT"}.get(
            (precision or 38, scale or 0), f"DECIMAL({precision},{scale})"
        )
    return _STORED.get(data_type, data_type)


def plan(
    table: Table, file_columns: dict[str, str], stored: dict[str, str], cap: int, session: str, bundle: bool
) -> Merge:
    """Match the file's columns (`file_columns`, name: kind) to the raw table's (`stored`), by name in any case.

    Raises BadObject: `schema` (a type that does not fit), `too_large` (over `cap` columns, or too many new).
    """
    columns = {name: kind for name, kind in stored.items() if name.lower() != LOAD_SEQ}
    known = {name.lower(): kind for name, kind in columns.items()}
    present = {name: kind for name, kind in file_columns.items() if kind != NOTHING and not (bundle and name == OBJECT)}
    for name, kind in present.items():
        expected = known.get(name.lower(), kind)
        if kind != expected and expected != NESTED:
            raise BadObject("schema", f"column {name}: file has {kind}, table has {expected}")
    new_columns = {name: kind for name, kind in present.items() if name.lower() not in known}
    columns |= new_columns
    if len(columns) > cap:
        raise BadObject("too_large", f"raw.{table.name} would get {len(columns)} columns; {cap} are the most")
    if len(new_columns) > MOST_NEW_COLUMNS:
        raise BadObject("too_large", f"{len(new_columns)} new columns came; a file may add {MOST_NEW_COLUMNS} at most")
    return Merge(table, columns, present, new_columns, session, bundle)


def add_column(merge: Merge, name: str) -> str:
    """Return the statement that adds a column of the file to the raw table."""
    return f"ALTER TABLE {raw(merge.table)} ADD COLUMN IF NOT EXISTS {quoted(name)} {_type(merge.new_columns[name])}"


def make_arrived(merge: Merge) -> str:
    """Return the statement that creates ARRIVED, empty."""
    return _temporary(merge, merge.arrived, merge.file_columns)


def copy_from_lake(merge: Merge, name: str) -> str:
    """Return the statement that copies a part of the lake (its name below `raw/`) into ARRIVED."""
    return f"{_copy(merge)} FROM @{LAKE} FILES = ('{name}') {_HOW}"


def upload(path: str, folder: str) -> str:
    """Return the statement that uploads a file of this machine to the internal stage."""
    return f"PUT 'file://{path}' @{DROPS}/{folder} AUTO_COMPRESS = FALSE SOURCE_COMPRESSION = NONE"


def copy_uploaded(merge: Merge, folder: str, file: str) -> str:
    """Return the statement that copies an uploaded file into ARRIVED, and removes it from the stage."""
    return f"{_copy(merge)} FROM @{DROPS}/{folder}/{file} {_HOW} PURGE = TRUE"


def _temporary(merge: Merge, name: str, columns: dict[str, str], *more: str) -> str:
    parts = [f"{quoted(column)} {_type(kind)}" for column, kind in columns.items()]
    parts += [f"{_OBJECT} NUMBER(38, 0)"] if merge.is_bundle else []
    parts += more
    return f"CREATE OR REPLACE TEMPORARY TABLE {name} ({', '.join(parts)})"


def _copy(merge: Merge) -> str:
    return f"COPY INTO {merge.arrived}"


def make_newest(merge: Merge) -> str:
    """Return the statement that creates NEWEST, empty."""
    return _temporary(merge, merge.newest, merge.columns, f"{_ROW_ACTION} VARCHAR")


def fill_newest(merge: Merge) -> str:
    """Return the statement that fills NEWEST from ARRIVED; parameters: `_extracted_at`, `_run_id` of rows without."""
    names = ", ".join([*(quoted(name) for name in merge.columns), *([_OBJECT] if merge.is_bundle else [])])
    keys = ", ".join(quoted(name) for name in merge.table.key)
    newest = f"{quoted(merge.table.version_column)} DESC NULLS LAST, " if merge.table.version_column else ""
    order = f"{quoted(EXTRACTED_AT)} DESC, {newest}{_text(merge, 'f')} DESC, {quoted(RUN_ID)} DESC NULLS LAST"
    return (
        f"INSERT INTO {merge.newest} ({names}, {_ROW_ACTION}) SELECT {names}, 'inserted' FROM ({_select(merge)}) AS f "
        f"QUALIFY ROW_NUMBER() OVER (PARTITION BY {keys} ORDER BY {order}) = 1"
    )


def drop(merge: Merge) -> tuple[str, str]:
    """Return the statements that drop the temporary tables."""
    return f"DROP TABLE IF EXISTS {merge.arrived}", f"DROP TABLE IF EXISTS {merge.newest}"


def newest_of_objects(merge: Merge) -> str:
    """Return the query for (object, its greatest `_extracted_at`) of a bundle."""
    return f"SELECT {_OBJECT}, MAX({quoted(EXTRACTED_AT)}) FROM {merge.arrived} GROUP BY {_OBJECT}"


def classify(merge: Merge) -> str:
    """Return the statement that notes the row action of every row of NEWEST; without a stored version, it is inserted.

    The parameter, twice, is the batch's `latest`: a stored row with a later stamp counts as older than every other.
    """
    return (
        f"UPDATE {merge.newest} AS s SET {_ROW_ACTION} = {_row_action(merge)} "
        f"FROM {raw(merge.table)} AS t WHERE {_same_key(merge)}"
    )


def count_row_actions(merge: Merge) -> str:
    """Return the query for (object, row action, rows)."""
    if merge.is_bundle:
        return f"SELECT {_OBJECT}, {_ROW_ACTION}, COUNT(*) FROM {merge.newest} GROUP BY {_OBJECT}, {_ROW_ACTION}"
    return f"SELECT 0, {_ROW_ACTION}, COUNT(*) FROM {merge.newest} GROUP BY {_ROW_ACTION}"


def merge_newest(merge: Merge) -> str:
    """Return the statement that merges NEWEST into the raw table; parameters: the load sequence, twice."""
    rest = [name for name in merge.columns if name not in _key_of(merge)]
    changes = ", ".join(f"{quoted(name)} = s.{quoted(name)}" for name in rest)
    stamps = ", ".join(f"{quoted(name)} = s.{quoted(name)}" for name in (EXTRACTED_AT, RUN_ID))
    names = ", ".join(quoted(name) for name in merge.columns)
    values = ", ".join(f"s.{quoted(name)}" for name in merge.columns)
    return (
        f"MERGE INTO {raw(merge.table)} AS t USING {merge.newest} AS s ON {_same_key(merge)} "
        f"WHEN MATCHED AND s.{_ROW_ACTION} = 'updated' THEN UPDATE SET {changes}, {quoted(LOAD_SEQ)} = ? "
        f"WHEN MATCHED AND s.{_ROW_ACTION} = 'confirmed' THEN UPDATE SET {stamps} "
        f"WHEN NOT MATCHED THEN INSERT ({names}, {quoted(LOAD_SEQ)}) VALUES ({values}, ?)"
    )


def forget_untrue(table: Table) -> str:
    """Return the statement that corrects the ledger once no row is stamped after `latest` (four times) any more."""
    return (
        "UPDATE META.LOADS SET EXTRACTED_AT = CASE WHEN LOADED_AT < CAST(? AS TIMESTAMP_NTZ(6)) THEN LOADED_AT "
        "ELSE CAST(? AS TIMESTAMP_NTZ(6)) END "
        f"WHERE TABLE_NAME = '{table.name}' AND EXTRACTED_AT > CAST(? AS TIMESTAMP_NTZ(6)) AND 0 = "
        f"(SELECT COUNT(*) FROM {raw(table)} WHERE {quoted(EXTRACTED_AT)} > CAST(? AS TIMESTAMP_NTZ(6)))"
    )


def _key_of(merge: Merge) -> list[str]:
    keys = {name.lower() for name in merge.table.key}
    return [name for name in merge.columns if name.lower() in keys]


def _row_action(merge: Merge) -> str:
    """Return the expression for the row action of `s` where `t` is the stored row; the order of duckdb/merge.py."""
    at, newest = quoted(EXTRACTED_AT), merge.table.version_column
    equal = " AND ".join(_equal(merge, name) for name in merge.content) or "TRUE"
    is_untrue = f"COALESCE(t.{at} > CAST(? AS TIMESTAMP_NTZ(6)), FALSE)"
    later = f"{is_untrue} OR s.{at} > t.{at} OR (s.{at} = t.{at} AND {_greater(RUN_ID)})"
    by_newest = ""
    if newest:
        same = f"EQUAL_NULL(s.{quoted(newest)}, t.{quoted(newest)})"
        by_newest = f"WHEN NOT {same} THEN IFF({_greater(newest)}, 'updated', 'superseded') "
    return (
        f"CASE WHEN {equal} THEN IFF({later}, 'confirmed', 'unchanged') "
        f"WHEN {is_untrue} OR s.{at} > t.{at} THEN 'updated' WHEN s.{at} < t.{at} THEN 'superseded' {by_newest}"
        f"WHEN {_text(merge, 's')} > {_text(merge, 't')} THEN 'updated' ELSE 'superseded' END"
    )


def _same_key(merge: Merge) -> str:
    return " AND ".join(
        f"EQUAL_NULL(s.{quoted(name)}, t.{quoted(name)})"
        if name in merge.table.key_may_be_null
        else f"s.{quoted(name)} = t.{quoted(name)}"
        for name in merge.table.key
    )


def _equal(merge: Merge, name: str) -> str:
    s, t = (_comparable(merge, alias, name) for alias in ("s", "t"))
    return f"EQUAL_NULL({s}, {t})"


def _greater(name: str) -> str:
    s, t = f"s.{quoted(name)}", f"t.{quoted(name)}"
    return f"COALESCE({s} > {t}, {s} IS NOT NULL AND {t} IS NULL)"


def _text(merge: Merge, alias: str) -> str:
    """Return the expression for the content as text; two rows have the same text only if they are equal."""
    parts = []
    for name in merge.content:
        is_list = merge.columns[name] in ("VARCHAR[]", NESTED)
        column = f"{alias}.{quoted(name)}"
        value = f"TO_JSON({column})" if is_list else f"TO_JSON(TO_VARIANT(CAST({column} AS VARCHAR)))"
        parts.append(f"COALESCE('{name.lower()}:' || {value} || ',', '')")
    return f"({' || '.join(parts)})" if parts else "''"


def _comparable(merge: Merge, alias: str, name: str) -> str:
    column = f"{alias}.{quoted(name)}"
    return f"TO_JSON({column})" if merge.columns[name] in ("VARCHAR[]", NESTED) else column


def _select(merge: Merge) -> str:
    """Return the query that reads ARRIVED as rows of the raw table."""
    present = {name.lower() for name in merge.file_columns}
    parts = [f"{_read(merge, name, kind, present)} AS {quoted(name)}" for name, kind in merge.columns.items()]
    parts += [_OBJECT] if merge.is_bundle else []
    return f"SELECT {', '.join(parts)} FROM {merge.arrived}"


def _read(merge: Merge, name: str, kind: str, present: set[str]) -> str:
    is_present = name.lower() in present
    if name.lower() == EXTRACTED_AT:
        stand_in = "CAST(? AS TIMESTAMP_NTZ(6))"
        return f"COALESCE({quoted(name)}, {stand_in})" if is_present else stand_in
    if name.lower() == RUN_ID:
        return f"COALESCE({quoted(name)}, CAST(? AS VARCHAR))" if is_present else "CAST(? AS VARCHAR)"
    if not is_present:
        return f"CAST(NULL AS {_type(kind)})"
    return f"{quoted(name)} + 0.0" if kind == "DOUBLE" else quoted(name)  # -0.0 equals 0.0, but has another text


def _type(kind: str) -> str:
    return f"NUMBER{kind.removeprefix('DECIMAL')}" if kind.startswith("DECIMAL") else _TYPES[kind]
