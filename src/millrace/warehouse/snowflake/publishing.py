# ruff: noqa: S608 - the names are this module's own, or those of dbt's tables in MART
"""The marts that readers see on Snowflake: the tables of PUBLISHED, filled from those of MART after a good build.

dbt replaces mart after mart in MART. PUBLISHED changes in one transaction: a statement sees the marts of the build
before, or of this one. The transaction holds the write lock and checks the token first (see builds.py), so a superseded
builder cannot overwrite its successor.

META.MART_WATERMARKS has a row for each incremental mart: its last change, its definition and its key columns. These
determine the mart's content. The row `published.<mart>` has the same as they were when the mart was copied:

- where nothing differs, the mart is not copied;
- where only the last change differs, the rows of the keys that changed since are replaced;
- any other mart is copied whole.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from millrace.errors import TransientError
from millrace.warehouse import BuildRow
from millrace.warehouse.snowflake.builds import refuse_older
from millrace.warehouse.snowflake.merge import quoted

Execute = Callable[..., list[tuple[Any, ...]]]
Columns = list[tuple[object, ...]]
_FACT = "usage_events"
_COPY = "published."
# As the macro same_key of the dbt project: these may be unknown on both sides.
_MAY_BE_NULL = frozenset({"user_id", "project", "repository", "provider", "model", "speed"})
_WATERMARKS = "SELECT MART_NAME, LOAD_SEQ, DEFINITION, MART_KEYS, REFRESHED_AT FROM META.MART_WATERMARKS"
# All that an INSERT ... SELECT of a mart's rows could fail on, or change without a word.
_SHAPES = """
    SELECT C.TABLE_SCHEMA, C.TABLE_NAME, T.IS_TRANSIENT, C.COLUMN_NAME, C.DATA_TYPE, C.CHARACTER_MAXIMUM_LENGTH,
        C.NUMERIC_PRECISION, C.NUMERIC_SCALE, C.IS_NULLABLE
    FROM INFORMATION_SCHEMA.COLUMNS AS C
    INNER JOIN INFORMATION_SCHEMA.TABLES AS T ON T.TABLE_SCHEMA = C.TABLE_SCHEMA AND T.TABLE_NAME = C.TABLE_NAME
    WHERE C.TABLE_SCHEMA IN ('MART', 'PUBLISHED') AND T.TABLE_TYPE = 'BASE TABLE'
    ORDER BY C.TABLE_SCHEMA, C.TABLE_NAME, C.ORDINAL_POSITION"""


@dataclass(frozen=True, slots=True)
class _Watermark:
    """A row of META.MART_WATERMARKS; an older version of the dbt project leaves `keys` empty."""

    load_seq: int
    definition: str
    keys: str | None
    refreshed_at: datetime | None

    @classmethod
    def of(cls, row: tuple[Any, ...]) -> Self:
        _, load_seq, definition, keys, refreshed_at = row
        return cls(int(load_seq), definition, keys, refreshed_at)

    def is_like(self, other: "_Watermark") -> bool:
        return (self.definition, self.keys) == (other.definition, other.keys)


@dataclass(frozen=True, slots=True)
class _Shapes:
    """The columns of the tables of MART and of PUBLISHED, and which of the latter are transient."""

    marts: dict[str, Columns]
    copies: dict[str, Columns]
    transient: frozenset[str]

    @classmethod
    def read(cls, execute: Execute) -> Self:
        found: dict[str, dict[str, Columns]] = {"MART": {}, "PUBLISHED": {}}
        transient = set()
        for schema, table, is_transient, *column in execute(_SHAPES):
            found[schema].setdefault(table, []).append(tuple(column))
            if schema == "PUBLISHED" and is_transient == "YES":
                transient.add(table)
        return cls(found["MART"], found["PUBLISHED"], frozenset(transient))

    def differing(self) -> list[str]:
        """Return the marts whose copy is missing, has other columns, or is permanent: an older version made it so."""
        return [
            table
            for table, columns in self.marts.items()
            if self.copies.get(table) != columns or table not in self.transient
        ]


def shape(execute: Execute, token: int) -> None:
    """Create each table of PUBLISHED that is missing, and replace one whose columns or kind differ from its mart's.

    A table that is replaced keeps its grants. A new one has those of the schema's future grants, which COPY GRANTS
    would leave out.

    A statement that creates a table commits the open transaction, so none of this is part of the publication: after a
    change of columns a reader may, for a moment, see that one mart newer than the others. Each statement leaves a whole
    mart, and the token is checked before each, so a builder that lost its lease stops here. If one was suspended after
    its check, it may still copy a mart of its successor's unfinished build. The next publication repairs that: the row
    `published.<mart>` is older than such a copy, so all that changed since is copied again. And a publication compares
    the columns again once it holds the write lock, and does nothing while they differ.
    """
    shapes = _Shapes.read(execute)
    for table in shapes.differing():
        refuse_older(execute, token)
        if table in shapes.copies:
            execute(f"CREATE OR REPLACE TRANSIENT TABLE {_of_copy(table)} CLONE {_of_mart(table)} COPY GRANTS")
        else:
            execute(f"CREATE TRANSIENT TABLE IF NOT EXISTS {_of_copy(table)} CLONE {_of_mart(table)}")


def publish(execute: Execute, build: BuildRow) -> None:
    """Fill PUBLISHED from MART; the caller holds the write lock, and commits.

    The old rows of the copies are deleted from META.MART_WATERMARKS before any mart is read. dbt commits each refresh
    of an incremental mart together with its row of that table, which Snowflake locks from then on: all statements of
    this transaction read the marts of one state, also while an outdated dbt runs. What it committed just before is
    copied a second time by the next publication.
    """
    refuse_older(execute, build.token)
    shapes = _Shapes.read(execute)
    if shapes.differing():
        raise TransientError("another publication is changing the tables of PUBLISHED; this one is made again")
    rows = {row[0]: _Watermark.of(row) for row in execute(_WATERMARKS)}
    made = {mart: mark for mart, mark in rows.items() if "." not in mart}
    copied = {mart: mark for mart in made if (mark := rows.get(_COPY + mart)) is not None}
    if made != copied:
        execute(f"DELETE FROM META.MART_WATERMARKS WHERE MART_NAME LIKE '{_COPY}%'")
    for table, columns in shapes.marts.items():
        names = [str(column[0]) for column in columns]
        _copy(execute, table, names, made.get(table.lower()), copied.get(table.lower()))
    if made != copied:
        _note_copies(execute, made)
    _note_published(execute, build)


def _copy(execute: Execute, table: str, columns: list[str], made: _Watermark | None, copied: _Watermark | None) -> None:
    """Copy what may differ of a mart; `made` and `copied` are None for one that is not incremental."""
    if made is not None and copied is not None and made.is_like(copied):
        if made.load_seq == copied.load_seq:
            return
        if made.keys is not None and made.load_seq > copied.load_seq:
            _copy_changes(execute, table, columns, made.keys.split(","), copied.load_seq)
            return
    names = ", ".join(map(quoted, columns))
    execute(f"INSERT OVERWRITE INTO {_of_copy(table)} ({names}) SELECT {names} FROM {_of_mart(table)}")


def _copy_changes(execute: Execute, table: str, columns: list[str], keys: list[str], since: int) -> None:
    """Replace the rows of the keys that changed after a load sequence, by the rule of the macro affected_keys.

    These are the keys of the events that changed, and the former keys of events that left them or vanished.
    """
    names = ", ".join(map(quoted, keys))
    changed = (
        f"(SELECT {names} FROM {_of_mart(_FACT)} WHERE _LOAD_SEQ > {since:d}"
        f" UNION SELECT {names} FROM META.USAGE_OLD_KEYS WHERE LOAD_SEQ > {since:d}) AS CHANGED"
    )
    execute(f"DELETE FROM {_of_copy(table)} USING {changed} WHERE {_same(_of_copy(table), keys)}")
    execute(
        f"INSERT INTO {_of_copy(table)} ({', '.join(map(quoted, columns))}) "
        f"SELECT {', '.join(f'MADE.{quoted(column)}' for column in columns)} FROM {_of_mart(table)} AS MADE "
        f"INNER JOIN {changed} ON {_same('MADE', keys)}"
    )


def _same(one: str, keys: list[str]) -> str:
    """Return the condition of equal keys, by the macro is_same: equalities alone, which Snowflake joins by hash."""
    pairs = [(f"{one}.{quoted(key)}", f"CHANGED.{quoted(key)}", key in _MAY_BE_NULL) for key in keys]
    return " AND ".join(
        f"COALESCE({a}, '') = COALESCE({b}, '') AND ({a} IS NULL) = ({b} IS NULL)" if is_nullable else f"{a} = {b}"
        for a, b, is_nullable in pairs
    )


def _note_copies(execute: Execute, made: dict[str, _Watermark]) -> None:
    values = [
        value
        for mart, mark in made.items()
        for value in (_COPY + mart, mark.load_seq, mark.definition, mark.keys, mark.refreshed_at)
    ]
    if values:
        rows = ", ".join(["(?, ?, ?, ?, ?)"] * len(made))
        execute(
            "INSERT INTO META.MART_WATERMARKS (MART_NAME, LOAD_SEQ, DEFINITION, MART_KEYS, REFRESHED_AT) "
            f"VALUES {rows}",
            *values,
        )


def _note_published(execute: Execute, build: BuildRow) -> None:
    changed = execute("UPDATE META.PUBLISHED SET NUMBER = ?, TOKEN = ?", build.number, build.token)[0][0]
    if not changed:
        execute("INSERT INTO META.PUBLISHED (NUMBER, TOKEN) VALUES (?, ?)", build.number, build.token)


def _of_mart(table: str) -> str:
    return f"MART.{quoted(table)}"


def _of_copy(table: str) -> str:
    return f"PUBLISHED.{quoted(table)}"
