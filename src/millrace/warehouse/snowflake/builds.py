# ruff: noqa: S608 - the names are this module's own
"""The log of the builds on Snowflake, in META.BUILDS. Every write holds the write lock and checks the token first."""

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
_STATE = """
    SELECT
        (SELECT COALESCE(MAX(NUMBER), 0) + 1 FROM META.BUILDS),
        (SELECT COALESCE(MAX(LOAD_SEQ), 0) FROM META.LOADS),
        (
            SELECT MAX(EXTRACTED_AT) FROM META.LOADS
            WHERE
                TABLE_NAME IN ('pull_requests', 'github_pull_requests', 'source_windows')
                AND QUARANTINE_REASON IS NULL
        )"""
# Columns of the last releases: `terraform apply` adds them to an account of an older one.
_ADDED = """
    SELECT W.MART_KEYS, K.EVENT_ID, B.PROJECT_HASH
    FROM META.MART_WATERMARKS AS W, META.USAGE_OLD_KEYS AS K, META.BUILDS AS B LIMIT 0"""


def require_columns(execute: Execute) -> None:
    """Raise ConfigError for a META that `terraform apply` of this version has not changed yet."""
    execute(_ADDED)


def start(
    execute: Execute,
    token: int,
    holder: str,
    requested_load_seq: int | None,
    now: datetime,
    project_hash: str | None = None,
) -> BuildRow:
    """Note that a build starts; running builds with an older token become abandoned."""
    refuse_older(execute, token)
    execute("UPDATE META.BUILDS SET RESULT = 'abandoned' WHERE RESULT = 'running'")
    ((number, built_through, as_of),) = execute(_STATE)
    build = BuildRow(
        number=int(number),
        token=token,
        holder=holder,
        requested_load_seq=requested_load_seq,
        built_through=int(built_through),
        as_of=as_of and min(as_of.replace(tzinfo=UTC), now),
        started_at=now,
        project_hash=project_hash,
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


def refuse_older(execute: Execute, token: int) -> None:
    """Raise Fenced when a build with a larger token has started."""
    newest = execute("SELECT MAX(TOKEN) FROM META.BUILDS")[0][0]
    if newest is not None and int(newest) > token:
        raise Fenced(f"a build with token {newest} has started; this one has {token} and was taken for dead")


def _values(build: BuildRow) -> list[Any]:
    *values, _ = astuple(build)
    return [*values, json.dumps([asdict(node) for node in build.nodes])]


def _build(row: tuple[Any, ...]) -> BuildRow:
    values: list[Any] = [value.replace(tzinfo=UTC) if isinstance(value, datetime) else value for value in row]
    return replace(BuildRow(*values), nodes=tuple(Node(**node) for node in json.loads(values[-1])))
