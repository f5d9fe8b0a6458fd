# ruff: noqa: S608 - the names are this module's own, or those of dbt's tables in MART
"""The builds on Snowflake: their log in META.BUILDS, and the marts that readers see in PUBLISHED.

dbt replaces mart after mart in MART. Readers use the schema PUBLISHED, whose tables are filled from those of MART
after a good build, all in one transaction: a statement sees the marts of the build before, or of this one. Every write
holds the write lock (see warehouse.py) and checks the token first: a superseded builder cannot overwrite its
successor.

META.MART_WATERMARKS contains, for each incremental mart, its last change and its definition: these two determine its
content. It also contains both as they were when the mart was copied. Where they are the same, the mart is not copied
again.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, astuple, fields, replace
from datetime import UTC, datetime
from typing import Any

from millrace.warehouse import BuildRow, Fenced, Node

Execute = Callable[..., list[tuple[Any, ...]]]
_TESTED = "tested."
_NOTE_TESTED = f"""
    INSERT INTO META.MART_WATERMARKS (MART_NAME, LOAD_SEQ, DEFINITION, REFRESHED_AT)
    SELECT '{_TESTED}' || MART_NAME, LEAST(LOAD_SEQ, {{:d}}), DEFINITION, REFRESHED_AT FROM META.MART_WATERMARKS
    WHERE MART_NAME NOT LIKE '%.%'"""
_COLUMNS = ", ".join(field.name for field in fields(BuildRow))
_AS_OF = "SELECT MAX(EXTRACTED_AT) FROM META.LOADS WHERE TABLE_NAME = 'pull_requests' AND QUARANTINE_REASON IS NULL"
_COPY = "published."
_UNCHANGED = f"""
    SELECT MADE.MART_NAME FROM META.MART_WATERMARKS AS MADE JOIN META.MART_WATERMARKS AS COPIED
    ON COPIED.MART_NAME = '{_COPY}' || MADE.MART_NAME
    AND COPIED.LOAD_SEQ = MADE.LOAD_SEQ AND COPIED.DEFINITION = MADE.DEFINITION"""
_NOTE_COPIES = f"""
    INSERT INTO META.MART_WATERMARKS (MART_NAME, LOAD_SEQ, DEFINITION, REFRESHED_AT)
    SELECT '{_COPY}' || MART_NAME, LOAD_SEQ, DEFINITION, REFRESHED_AT FROM META.MART_WATERMARKS"""
_TABLES = """
    SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_SCHEMA = ?
    ORDER BY TABLE_NAME, ORDINAL_POSITION"""


def start(execute: Execute, token: int, holder: str, requested_load_seq: int | None, now: datetime) -> BuildRow:
    """Note that a build starts; running builds with an older token become abandoned."""
    refuse_older(execute, token)
    execute("UPDATE META.BUILDS SET RESULT = 'abandoned' WHERE RESULT = 'running'")
    as_of = execute(_AS_OF)[0][0]
    build = BuildRow(
        number=int(execute("SELECT COALESCE(MAX(NUMBER), 0) + 1 FROM META.BUILDS")[0][0]),
        token=token,
        holder=holder,
        requested_load_seq=requested_load_seq,
        built_through=int(execute("SELECT COALESCE(MAX(LOAD_SEQ), 0) FROM META.LOADS")[0][0]),
        as_of=as_of and min(as_of.replace(tzinfo=UTC), now),
        started_at=now,
    )
    values = _values(build)
    execute(f"INSERT INTO META.BUILDS ({_COLUMNS}) VALUES ({', '.join('?' * len(values))})", *values)
    return build


def end(execute: Execute, build: BuildRow) -> None:
    """Note how a build ended, and of a good one that each mart is tested through what was loaded when it started."""
    refuse_older(execute, build.token)
    changes = "FINISHED_AT = ?, RESULT = ?, SECONDS = ?, NODES = ?"
    execute(f"UPDATE META.BUILDS SET {changes} WHERE NUMBER = ?", *_values(build)[-4:], build.number)
    if build.result == "good":
        reset_tested(execute)
        execute(_NOTE_TESTED.format(build.built_through))


def reset_tested(execute: Execute) -> None:
    """Make the next build test everything."""
    execute(f"DELETE FROM META.MART_WATERMARKS WHERE MART_NAME LIKE '{_TESTED}%'")


def last(execute: Execute, limit: int) -> list[BuildRow]:
    """Return the last builds, the newest first."""
    return [_build(row) for row in execute(f"SELECT {_COLUMNS} FROM META.BUILDS ORDER BY NUMBER DESC LIMIT {limit:d}")]


def published(execute: Execute) -> BuildRow | None:
    """Return the build whose marts PUBLISHED holds; None before the first."""
    columns = ", ".join(f"b.{field.name}" for field in fields(BuildRow))
    joined = "META.BUILDS AS b JOIN META.PUBLISHED AS p ON b.NUMBER = p.NUMBER AND b.TOKEN = p.TOKEN"
    return next((_build(row) for row in execute(f"SELECT {columns} FROM {joined}")), None)


def shape(execute: Execute) -> None:
    """Create each table of PUBLISHED that is missing, or has other columns than the mart.

    A statement that creates a table is a transaction of its own: after a change of columns a reader may, for a moment,
    see that one mart newer than the others. It is still the mart of a good build.
    """
    there = _shapes(execute, "PUBLISHED")
    for table, columns in _shapes(execute, "MART").items():
        if there.get(table) != columns:
            execute(f'CREATE OR REPLACE TABLE PUBLISHED."{table}" CLONE MART."{table}"')


def publish(execute: Execute, build: BuildRow) -> None:
    """Fill PUBLISHED from MART; the caller holds the write lock, and commits."""
    refuse_older(execute, build.token)
    unchanged = {name.upper() for (name,) in execute(_UNCHANGED)}
    for table, columns in _shapes(execute, "MART").items():
        if table not in unchanged:
            names = ", ".join(f'"{name}"' for name, _ in columns)
            execute(f'DELETE FROM PUBLISHED."{table}"')
            execute(f'INSERT INTO PUBLISHED."{table}" ({names}) SELECT {names} FROM MART."{table}"')
    execute(f"DELETE FROM META.MART_WATERMARKS WHERE MART_NAME LIKE '{_COPY}%'")
    execute(_NOTE_COPIES)
    execute("DELETE FROM META.PUBLISHED")
    execute("INSERT INTO META.PUBLISHED (NUMBER, TOKEN) VALUES (?, ?)", build.number, build.token)


def refuse_older(execute: Execute, token: int) -> None:
    """Raise Fenced when a build with a larger token has started."""
    newest = execute("SELECT MAX(TOKEN) FROM META.BUILDS")[0][0]
    if newest is not None and int(newest) > token:
        raise Fenced(f"a build with token {newest} has started; this one has {token} and was taken for dead")


def _shapes(execute: Execute, schema: str) -> dict[str, list[tuple[str, str]]]:
    shapes: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in execute(_TABLES, schema):
        shapes.setdefault(table, []).append((column, kind))
    return shapes


def _values(build: BuildRow) -> list[Any]:
    *values, _ = astuple(build)
    return [*values, json.dumps([asdict(node) for node in build.nodes])]


def _build(row: tuple[Any, ...]) -> BuildRow:
    values: list[Any] = [value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for value in row]
    return replace(BuildRow(*values), nodes=tuple(Node(**node) for node in json.loads(values[-1])))
