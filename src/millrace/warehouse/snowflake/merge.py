# ruff: noqa: S608 - this module only writes SQL: values are parameters, names are quoted and checked before
"""The statements by which Snowflake merges a file into a raw table, by the rule of merge_rule.py.

The file is copied into the temporary table STAGED and reduced to the greatest version of each key in DEDUPLICATED.
Those statements would end a transaction, so they run before it; within it there is one MERGE.

Names are stored in capitals, as Snowflake reads a name without quotes: `commitHash` in a model is COMMITHASH.
"""

from dataclasses import dataclass

from millrace.tables import EXTRACTED_AT, LOAD_SEQ, Table
from millrace.warehouse.merge_rule import KINDS, NESTED, Dialect, MergeRule
from millrace.warehouse.snowflake.objects import DROPS, LAKE

# No column of a file can have a name with a blank in it (see parquet.check).
OBJECT = "OBJECT NUMBER"  # in a bundle: the number of a row's object
_OBJECT = f'"{OBJECT}"'
_ROW_ACTION = '"ROW ACTION"'  # in DEDUPLICATED
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
RAW_COLUMNS = """
    SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, NUMERIC_PRECISION, NUMERIC_SCALE FROM INFORMATION_SCHEMA.COLUMNS
    WHERE TABLE_SCHEMA = 'RAW' ORDER BY TABLE_NAME, ORDINAL_POSITION"""


# The format is stated here: a named one is an object more to grant, and loses its grants when it is replaced. The older
# scanner fails on a list of several values; binary columns as text would be hexadecimal digits in a BINARY column.
# FORCE: Snowflake remembers copies by name, and for 64 days only; the ledger decides instead.
_HOW = (
    "FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE USE_VECTORIZED_SCANNER = TRUE BINARY_AS_TEXT = FALSE)"
    " MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE ON_ERROR = ABORT_STATEMENT FORCE = TRUE"
)


def quoted(name: str) -> str:
    """Return a column's or table's name as an SQL identifier."""
    return '"' + name.upper().replace('"', '""') + '"'


def _type_of(kind: str) -> str:
    return f"NUMBER{kind.removeprefix('DECIMAL')}" if kind.startswith("DECIMAL") else _TYPES[kind]


def _comparable(column: str, kind: str) -> str:
    return f"TO_JSON({column})" if kind in ("VARCHAR[]", NESTED) else column


def _to_json(column: str, kind: str) -> str:
    is_list = kind in ("VARCHAR[]", NESTED)
    return f"TO_JSON({column})" if is_list else f"TO_JSON(TO_VARIANT(CAST({column} AS VARCHAR)))"


SNOWFLAKE = Dialect(
    quoted=quoted,
    parameter=lambda name: "?",
    type_of=_type_of,
    read=lambda column, file_kind, kind: column,
    comparable=_comparable,
    to_json=_to_json,
    concatenated=lambda texts: f"({' || '.join(texts)})",
    widened={},  # canonical.kind_of has widened them
)


@dataclass(frozen=True, slots=True)
class Merge:
    """The merge of one file into one raw table; `session` makes the names of the temporary tables unique."""

    rule: MergeRule
    session: str
    is_bundle: bool = False

    @property
    def staged(self) -> str:
        """The temporary table that holds the file."""
        return f"STAGED_{self.session}"

    @property
    def deduplicated(self) -> str:
        """The temporary table that holds the greatest version of each key, and its row action."""
        return f"DEDUPLICATED_{self.session}"


def kind_of_stored(table: Table, name: str, data_type: str, precision: int | None, scale: int | None) -> str:
    """Return the kind of a column by INFORMATION_SCHEMA, or by the registry where it has the column."""
    registered = {field.name.lower(): KINDS[field.type] for field in table.schema}
    if name.lower() in registered:
        return registered[name.lower()]
    if data_type == "NUMBER":
        return {(38, 0): "BIGINT", (20, 0): "UBIGINT"}.get(
            (precision or 38, scale or 0), f"DECIMAL({precision},{scale})"
        )
    return _STORED.get(data_type, data_type)


def create_staged(merge: Merge) -> str:
    """Return the statement that creates STAGED, empty."""
    return _create(merge, merge.staged, merge.rule.file_columns)


def copy_from_lake(merge: Merge, name: str) -> str:
    """Return the statement that copies a part of the lake (its name below `raw/`) into STAGED."""
    return f"COPY INTO {merge.staged} FROM @{LAKE} FILES = ('{name}') {_HOW}"


def upload(path: str, folder: str) -> str:
    """Return the statement that uploads a file of this machine to the internal stage."""
    return f"PUT 'file://{path}' @{DROPS}/{folder} AUTO_COMPRESS = FALSE SOURCE_COMPRESSION = NONE"


def copy_uploaded(merge: Merge, folder: str, file: str) -> str:
    """Return the statement that copies an uploaded file into STAGED, and removes it from the stage."""
    return f"COPY INTO {merge.staged} FROM @{DROPS}/{folder}/{file} {_HOW} PURGE = TRUE"


def create_deduplicated(merge: Merge) -> str:
    """Return the statement that creates DEDUPLICATED, empty."""
    return _create(merge, merge.deduplicated, merge.rule.columns, f"{_ROW_ACTION} VARCHAR")


def deduplicate(merge: Merge) -> str:
    """Return the statement that fills DEDUPLICATED from STAGED; parameters: the stamps of rows without."""
    number = [_OBJECT] if merge.is_bundle else []
    names = ", ".join([merge.rule.names, *number])
    read = f"SELECT {', '.join([merge.rule.values, *number])} FROM {merge.staged}"
    return (
        f"INSERT INTO {merge.deduplicated} ({names}, {_ROW_ACTION}) SELECT {names}, 'inserted' FROM ({read}) AS f "
        f"QUALIFY {merge.rule.is_greatest}"
    )


def newest_of_objects(merge: Merge) -> str:
    """Return the query for (object, its greatest `_extracted_at`) of a bundle."""
    return f"SELECT {_OBJECT}, MAX({quoted(EXTRACTED_AT)}) FROM {merge.staged} GROUP BY {_OBJECT}"


def classify(merge: Merge) -> str:
    """Return the statement that notes the row action of every row of DEDUPLICATED with a stored version.

    The others stay `inserted`. The parameter is the batch's `latest`.
    """
    return (
        f"UPDATE {merge.deduplicated} AS s SET {_ROW_ACTION} = {merge.rule.row_action} "
        f"FROM {SNOWFLAKE.raw(merge.rule.table)} AS t WHERE {merge.rule.is_same_key}"
    )


def count_row_actions(merge: Merge) -> str:
    """Return the query for (object, row action, rows)."""
    if merge.is_bundle:
        return f"SELECT {_OBJECT}, {_ROW_ACTION}, COUNT(*) FROM {merge.deduplicated} GROUP BY {_OBJECT}, {_ROW_ACTION}"
    return f"SELECT 0, {_ROW_ACTION}, COUNT(*) FROM {merge.deduplicated} GROUP BY {_ROW_ACTION}"


def apply(merge: Merge) -> str:
    """Return the statement that merges DEDUPLICATED into the raw table; parameters: the load sequence, twice."""
    rule = merge.rule
    return (
        f"MERGE INTO {SNOWFLAKE.raw(rule.table)} AS t USING {merge.deduplicated} AS s ON {rule.is_same_key} "
        f"WHEN MATCHED AND s.{_ROW_ACTION} = 'updated' THEN UPDATE SET {rule.assignments('updated')} "
        f"WHEN MATCHED AND s.{_ROW_ACTION} = 'confirmed' THEN UPDATE SET {rule.assignments('confirmed')} "
        f"WHEN NOT MATCHED THEN INSERT ({rule.names}, {quoted(LOAD_SEQ)}) "
        f"VALUES ({SNOWFLAKE.names(rule.columns, 's.')}, ?)"
    )


def _create(merge: Merge, name: str, columns: dict[str, str], *more: str) -> str:
    number = [f"{_OBJECT} NUMBER(38, 0)"] if merge.is_bundle else []
    return f"CREATE OR REPLACE TEMPORARY TABLE {name} ({', '.join([*SNOWFLAKE.columns(columns), *number, *more])})"
