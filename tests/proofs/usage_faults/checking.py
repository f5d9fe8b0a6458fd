"""The rules: at every check the marts equal the loads up to their watermark, and in the end the logs."""

import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
from tests.dbt.conftest import USAGE_MARTS
from tests.dbt.usage_tellings import Marts, Raw, marts_of
from tests.proofs.usage_faults.memory import Row
from tests.proofs.usage_faults.template import SEEDS

from millrace.lake import ObjectVersion
from millrace.tables import EXTRACTED_AT, TABLES

TABLE = TABLES["usage_events"]
COLUMNS = tuple(name for name in TABLE.schema.names if not name.startswith("_"))
Key = tuple[Any, ...]
RowChunk = dict[Key, Row]

_LOADS = """select bucket, name, generation, load_seq, rows_inserted + rows_updated, quarantine_reason
    from meta.loads order by load_seq"""
_WATERMARKS = "select mart_name, load_seq from meta.mart_watermarks order by all"
_SUMS = """select sum(total_tokens), sum(cost_usd), sum(assistant_message_count + user_message_count)
    from mart.{0}"""
_OF_EVENTS = "select sum(total_tokens), sum(cost_usd), count(*) from mart.usage_events {0}"


class Violation(AssertionError):
    """A rule is broken; `rule` names it."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(f"{rule}: {message}")
        self.rule = rule


def key_of(row: Row) -> Key:
    return tuple(row[name] for name in TABLE.key)


def read_rows(content: bytes) -> list[Row]:
    """Return the rows of a file, with instants as the warehouse stores them."""
    rows: list[Row] = pq.read_table(io.BytesIO(content)).to_pylist()
    for row in rows:
        row |= {name: value.replace(tzinfo=None) for name, value in row.items() if isinstance(value, datetime)}
    return rows


def expected_marts(rows: RowChunk) -> Marts:
    """Return the expected marts of raw rows: the truth in plain Python."""
    raw = Raw()
    raw.rows = rows
    return raw.marts(SEEDS)


@dataclass
class Loaded:
    """The expected rows of the warehouse, by its ledger: the row with the latest stamp of each key, after each load."""

    contents: dict[ObjectVersion, bytes]
    rows: RowChunk = field(default_factory=dict)
    after: list[tuple[int, RowChunk]] = field(default_factory=lambda: [(-1, {})])
    seen: set[ObjectVersion] = field(default_factory=set)
    expected: dict[int, Marts] = field(default_factory=dict)
    changed: int = -1

    def follow(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Take in the loads that the ledger has recorded since."""
        loads = connection.execute(_LOADS).fetchall()
        twice = [version for version, n in Counter(tuple(load[:3]) for load in loads).items() if n > 1]
        if twice:
            raise Violation("an object is loaded once", f"{twice[0]} has several rows in the ledger")
        for *version, load_seq, n_changed, reason in loads:
            if reason is not None:
                raise Violation("nothing is set aside", f"{version} is in quarantine: {reason}")
            if (known := ObjectVersion(*version)) not in self.seen:
                self.seen.add(known)
                self._take(read_rows(self.contents[known]), load_seq)
                self.changed = max(self.changed, load_seq) if n_changed else self.changed

    def at(self, watermark: int) -> tuple[int, Marts]:
        """Return the last load up to a watermark, and the expected marts after it."""
        load_seq, rows = max((one for one in self.after if one[0] <= watermark), key=lambda one: one[0])
        if load_seq not in self.expected:
            self.expected[load_seq] = expected_marts(rows)
        return load_seq, self.expected[load_seq]

    def _take(self, rows: Iterable[Row], load_seq: int) -> None:
        for row in rows:
            held = self.rows.get(key_of(row))
            if held is None or held[EXTRACTED_AT] < row[EXTRACTED_AT]:
                self.rows = self.rows | {key_of(row): row}
        self.after.append((load_seq, self.rows))


def look(database: Path, loaded: Loaded, is_current: bool = False) -> Marts:
    """Check the committed marts. `is_current`: a refresh has just ended, so no loaded row may be missing."""
    with duckdb.connect(str(database)) as connection:
        loaded.follow(connection)
        raw = _raw_rows(connection)
        _same("what is loaded stays, and nothing else is", raw, _told(loaded.rows.values()))
        watermarks: dict[str, int] = dict(connection.execute(_WATERMARKS).fetchall())
        if set(watermarks) != set(USAGE_MARTS) or len(set(watermarks.values())) != 1:
            raise Violation("the marts tell of the same events", f"their watermarks are {watermarks}")
        watermark = watermarks["usage_events"]
        if is_current and watermark != loaded.changed:
            message = f"the watermark is {watermark}, the last load that changed something is {loaded.changed}"
            raise Violation("a refresh takes in all that is loaded", message)
        _look_at_sums(connection)
        marts = marts_of(connection)
    load_seq, expected = loaded.at(watermark)
    compare(f"the marts are what was loaded up to {load_seq}", marts, expected)
    return marts


def compare(rule: str, marts: Marts, expected: Marts) -> None:
    """Compare marts cell by cell."""
    for mart in USAGE_MARTS:
        _same_rows(f"{rule} ({mart})", marts[mart], expected[mart])


def compare_rows(rule: str, database: Path, expected: Sequence[Row]) -> None:
    """Compare the raw rows of some collectors with the expected ones."""
    collectors = {row["collector_id"] for row in expected}
    raw = {key: row for key, row in raw_rows(database).items() if key[-1] in collectors}
    _same(rule, raw, _told(expected))


def raw_rows(database: Path) -> RowChunk:
    """Return the raw rows by their keys."""
    with duckdb.connect(str(database)) as connection:
        return _raw_rows(connection)


def _told(rows: Iterable[Row]) -> RowChunk:
    return {key_of(row): {name: row[name] for name in COLUMNS} for row in rows}


def _raw_rows(connection: duckdb.DuckDBPyConnection) -> RowChunk:
    found = connection.execute(f"select {', '.join(COLUMNS)} from raw.usage_events").fetchall()  # noqa: S608
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in found]
    by_key = {key_of(row): row for row in rows}
    if len(by_key) != len(rows):
        raise Violation("a key is one raw row", f"{len(rows)} rows have {len(by_key)} keys")
    return by_key


def _look_at_sums(connection: duckdb.DuckDBPyConnection) -> None:
    for mart in USAGE_MARTS:
        if mart == "usage_events":
            continue
        only = "where role = 'assistant'" if mart == "usage_model_day" else ""  # it holds the responses
        events = _sums(connection, _OF_EVENTS.format(only))
        sums = _sums(connection, _SUMS.format(mart))
        if sums != events:
            raise Violation("a mart adds up to its events", f"{mart} has {sums}, the events {events}")


def _sums(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, Decimal, int]:
    tokens, cost, messages = connection.execute(sql).fetchall()[0]
    return int(tokens or 0), cost or Decimal(0), int(messages or 0)


def _same(rule: str, found: RowChunk, expected: RowChunk) -> None:
    if found == expected:
        return
    for key in sorted(found.keys() | expected.keys(), key=str):
        one, other = found.get(key), expected.get(key)
        if one is None or other is None:
            raise Violation(rule, f"{key} is {'missing' if one is None else 'too much'}: {one or other}")
        if one != other:
            cells = {name: (one[name], other[name]) for name in one if one[name] != other[name]}
            raise Violation(rule, f"{key} has, and should have: {cells}")


def _same_rows(rule: str, found: list[tuple[Any, ...]], expected: list[tuple[Any, ...]]) -> None:
    if found == expected:
        return
    too_much, missing = [row for row in found if row not in expected], [row for row in expected if row not in found]
    counts = f"{len(found)} rows, {len(expected)} expected"
    raise Violation(rule, f"{counts}\n    too much: {too_much[:2]}\n    missing:  {missing[:2]}")
