# ruff: noqa: S608 - the names are this module's own
"""The builds in DuckDB: their log in `meta.builds`, and the copy of the file that readers see."""

import json
import os
from dataclasses import asdict, astuple, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from filelock import FileLock

from millrace.errors import ConfigError, Step, first_line
from millrace.lake import ObjectVersion
from millrace.prices import TYPED, write_typed
from millrace.warehouse import BuildRow, Fenced, Node, Poorer
from millrace.warehouse.duckdb.ledger import naive
from millrace.warehouse.reading import NothingYet

CREATE = """
    CREATE TABLE IF NOT EXISTS meta.builds (
        number BIGINT, token BIGINT, holder VARCHAR, requested_load_seq BIGINT, built_through BIGINT,
        as_of TIMESTAMP, started_at TIMESTAMP, finished_at TIMESTAMP, result VARCHAR, seconds DOUBLE, nodes VARCHAR
    );
    CREATE TABLE IF NOT EXISTS meta.mart_watermarks (
        mart_name VARCHAR, load_seq BIGINT, definition VARCHAR, refreshed_at TIMESTAMP
    );
    CREATE TABLE IF NOT EXISTS meta.usage_old_keys (
        day DATE, user_id VARCHAR, project VARCHAR, agent VARCHAR, provider VARCHAR, model VARCHAR, speed VARCHAR,
        session_id VARCHAR, load_seq BIGINT
    );
    ALTER TABLE meta.builds ADD COLUMN IF NOT EXISTS project_hash VARCHAR;
    ALTER TABLE meta.mart_watermarks ADD COLUMN IF NOT EXISTS mart_keys VARCHAR;
    ALTER TABLE meta.usage_old_keys ADD COLUMN IF NOT EXISTS event_id VARCHAR;
    ALTER TABLE meta.usage_old_keys ADD COLUMN IF NOT EXISTS repository VARCHAR;
"""
_TESTED = "tested."  # and a mart's name: the row says up to where the last good build tested the mart
_NOTE_TESTED = f"""
    INSERT INTO meta.mart_watermarks (mart_name, load_seq, definition, refreshed_at)
    SELECT '{_TESTED}' || mart_name, least(load_seq, ?), definition, refreshed_at FROM meta.mart_watermarks
    WHERE mart_name NOT LIKE '%.%'"""
_COLUMNS = ", ".join(field.name for field in fields(BuildRow))
# The tools of a company have DuckDB 1.x. Without it, a copy has the newest format of the DuckDB that writes it.
_READERS_FROM = "v1.2.0"
# The newest of what int_as_of_determined has for each source and account.
_AS_OF = """
    SELECT max(extracted_at) FROM meta.loads
    WHERE table_name IN ('pull_requests', 'github_pull_requests', 'source_windows') AND quarantine_reason IS NULL"""


def newest_load_seq(connection: duckdb.DuckDBPyConnection) -> int:
    """Return the largest load sequence of the ledger; 0 when it is empty."""
    return int(connection.execute("SELECT coalesce(max(load_seq), 0) FROM meta.loads").fetchall()[0][0])


def start(
    connection: duckdb.DuckDBPyConnection,
    token: int,
    holder: str,
    requested_load_seq: int | None,
    now: datetime,
    project_hash: str | None = None,
) -> BuildRow:
    """Note that a build starts; running builds with an older token become abandoned."""
    _refuse_older(connection, token)
    connection.execute("UPDATE meta.builds SET result = 'abandoned' WHERE result = 'running'")
    number = int(connection.execute("SELECT coalesce(max(number), 0) + 1 FROM meta.builds").fetchall()[0][0])
    as_of = connection.execute(_AS_OF).fetchall()[0][0]
    build = BuildRow(
        number=number,
        token=token,
        holder=holder,
        requested_load_seq=requested_load_seq,
        built_through=newest_load_seq(connection),
        as_of=as_of and min(as_of.replace(tzinfo=UTC), now),
        started_at=now,
        project_hash=project_hash,
    )
    values = _values(build)
    connection.execute(f"INSERT INTO meta.builds ({_COLUMNS}) VALUES ({', '.join('?' * len(values))})", values)
    return build


def end(connection: duckdb.DuckDBPyConnection, build: BuildRow) -> None:
    """Note how a build ended, and of a good one that each mart is tested through what was loaded when it started."""
    _refuse_older(connection, build.token)
    values = [*_values(build)[-4:], build.number]
    connection.execute(
        "UPDATE meta.builds SET finished_at = ?, result = ?, seconds = ?, nodes = ? WHERE number = ?", values
    )
    if build.result == "good":
        reset_tested(connection)
        connection.execute(_NOTE_TESTED, [build.built_through])


def reset_tested(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the next build test everything."""
    connection.execute(f"DELETE FROM meta.mart_watermarks WHERE mart_name LIKE '{_TESTED}%'")


def last(connection: duckdb.DuckDBPyConnection, limit: int) -> list[BuildRow]:
    """Return the last builds, the newest first; a published file of an earlier release lacks columns."""
    found = connection.execute("SELECT * FROM meta.builds ORDER BY number DESC LIMIT ?", [limit])
    names = [column[0] for column in found.description or ()]
    return [_build(dict(zip(names, row, strict=True))) for row in found.fetchall()]


def published(path: Path) -> BuildRow | None:
    """Return the build whose marts a published file holds; None when the file is missing or unreadable."""
    if not path.exists():
        return None
    try:
        with duckdb.connect(path, read_only=True) as connection:
            return next(iter(last(connection, 1)), None)
    except duckdb.Error:
        return None


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query over a published file; ConfigError when it is missing or cannot answer."""
    if not path.exists():
        raise NothingYet(f"{path} is not there yet: nothing was built", step=Step.BEGIN)
    try:
        with duckdb.connect(path, read_only=True) as connection:
            return connection.execute(sql).fetchall()
    except duckdb.Error as error:
        raise ConfigError(f"{path} cannot answer: {first_line(error)}", step=Step.REBUILD) from error


def publish(connection: duckdb.DuckDBPyConnection, build: BuildRow, path: Path) -> None:
    """Copy the whole warehouse to `path` with one rename: readers have the old file or the new one.

    Raises Poorer when the old file has objects that this warehouse lacks.

    The token is checked immediately before the rename, and no build can start between the two. Starting one writes
    into the warehouse, and while this process has that file open, DuckDB's lock keeps every other process out. The
    lock file beside the copy separates two connections of one process: the second publishes after the first's rename,
    and the older build finds the larger token by then. A rename that was overtaken all the same (the lock file removed
    by hand) is found by the next build job, which compares the published build with the log.
    """
    aside, prices = path.with_name(f"{path.name}.aside"), prices_of(path)
    with FileLock(path.with_name(f"{path.name}.lock"), mode=0o600):
        for leftover in (aside, aside.with_name(f"{aside.name}.wal")):
            leftover.unlink(missing_ok=True)
        _refuse_poorer(connection, path)
        _copy(connection, aside)
        _sync(aside)
        prices_aside = prices.with_name(f"{prices.name}.aside")
        write_typed(_typed_prices(connection), prices_aside)
        _sync(prices_aside)
        _refuse_older(connection, build.token)
        os.replace(prices_aside, prices)
        os.replace(aside, path)
        _sync(path.parent)


def prices_of(path: Path) -> Path:
    """Return the file beside a published copy with its typed prices, for what reads them without DuckDB."""
    return path.with_name(f"{path.name}.prices.csv")


def _typed_prices(connection: duckdb.DuckDBPyConnection) -> list[tuple[Any, ...]]:
    is_staged = connection.execute(
        "SELECT 1 FROM information_schema.tables WHERE table_catalog = current_database() "
        "AND table_schema = 'staging' AND table_name = 'stg_usage_prices'"
    ).fetchall()
    return connection.execute(TYPED).fetchall() if is_staged else []


def _copy(connection: duckdb.DuckDBPyConnection, to: Path) -> None:
    name = connection.execute("SELECT current_database()").fetchall()[0][0]
    connection.execute(f"ATTACH '{_escaped(to)}' AS published_aside (STORAGE_VERSION '{_READERS_FROM}')")
    try:
        connection.execute(f'COPY FROM DATABASE "{name.replace(chr(34), chr(34) * 2)}" TO published_aside').fetchall()
    finally:
        connection.execute("DETACH published_aside")


def _refuse_older(connection: duckdb.DuckDBPyConnection, token: int) -> None:
    """Raise Fenced when a build with a larger token has started."""
    newest = connection.execute("SELECT max(token) FROM meta.builds").fetchall()[0][0]
    if newest is not None and newest > token:
        raise Fenced(f"a build with token {newest} has started; this one has {token} and was taken for dead")


def _refuse_poorer(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Raise Poorer when the published copy has objects that this warehouse lacks."""
    lacking = objects_beyond(connection, path)
    if lacking:
        what = f"{path} has {len(lacking):,} objects that this warehouse lacks, {lacking[0].name!a} first"
        raise Poorer(f"{what}: it was not replaced", step=Step.RESTORE)


def objects_beyond(connection: duckdb.DuckDBPyConnection, path: Path) -> list[ObjectVersion]:
    """Return the objects that the ledger of another file has and this one lacks; none when it is unreadable."""
    if not path.exists():
        return []
    query = (
        "SELECT bucket, name, generation FROM readers.meta.loads AS theirs WHERE NOT EXISTS (FROM meta.loads AS ours "
        "WHERE ours.name = theirs.name AND (ours.generation = theirs.generation{or_same})) ORDER BY name"
    )
    try:
        connection.execute(f"ATTACH '{_escaped(path)}' AS readers (READ_ONLY)")
    except duckdb.Error:
        return []
    try:
        columns = connection.execute("DESCRIBE readers.meta.loads").fetchall()
        has_checksum = any(name == "crc32c" for name, *_ in columns)
        or_same = " OR ours.crc32c = theirs.crc32c" if has_checksum else ""
        return [ObjectVersion(*row) for row in connection.execute(query.format(or_same=or_same)).fetchall()]
    except duckdb.Error:
        return []
    finally:
        connection.execute("DETACH readers")


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _values(build: BuildRow) -> list[Any]:
    *values, _ = astuple(build)
    instants = [naive(value) if isinstance(value, datetime) else value for value in values]
    return [*instants, json.dumps([asdict(node) for node in build.nodes])]


def _build(row: dict[str, Any]) -> BuildRow:
    values: dict[str, Any] = {field.name: row.get(field.name) for field in fields(BuildRow)}
    for name, value in values.items():
        if isinstance(value, datetime):
            values[name] = value.replace(tzinfo=UTC)
    values["nodes"] = tuple(Node(**node) for node in json.loads(values["nodes"]))
    return BuildRow(**values)
