"""Steps about the marts: dbt builds, publications and the read API, each compared with DuckDB over the same objects."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
from tests.proofs.parity import asked, engines, running
from tests.proofs.parity.comparing import Difference, compare
from tests.proofs.parity.engines import Engine, Outcome
from tests.proofs.parity.extracted import END, extract_twice
from tests.verify_snowflake.checking import Unexpected, expect
from tests.verify_snowflake.place import Counted, Place

from millrace.api.routes import ROUTES
from millrace.lake import ObjectVersion
from millrace.tables import TABLES
from millrace.warehouse import Batch
from millrace.warehouse.duckdb.reader import DuckDBReader
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.warehouse.snowflake.reader import SnowflakeReader

_SEED = 1
_SHOWN = 5
_USAGE = TABLES["usage_events"]
_KINDS = "SELECT COUNT(*), SUM(CASE WHEN IS_TRANSIENT = 'YES' THEN 1 ELSE 0 END) FROM INFORMATION_SCHEMA.TABLES"


@dataclass(frozen=True)
class Pair:
    """Both engines with the same objects loaded; `warehouse` is that of Snowflake."""

    duckdb: Engine
    snowflake: Engine
    warehouse: Counted

    def differences(self, schema: str) -> list[str]:
        """Return the cells of the marts in a schema of Snowflake that differ from DuckDB's marts."""
        found: list[Difference] = []
        for mart, key in running.grains(self.duckdb.manifest).items():
            if mart.startswith("mart."):
                there = self.snowflake.rows(mart.replace("mart", schema, 1))
                found += compare(mart, key, self.duckdb.rows(mart), there).differences
        return [str(each) for each in found]

    def statements_of_dbt(self) -> int:
        """Return how many statements of dbt Snowflake has answered so far, by dbt's own log."""
        return (self.snowflake.target / "dbt.log").read_text().count("SQL status: ")


def build(place: Place) -> Iterator[str]:
    """Load a simulated source in two rounds, build it on both engines, and compare every cell."""
    warehouse = place.emptied()
    extracted = extract_twice(place.folder, place.developers, place.days, _SEED)
    one = place.closing.enter_context(engines.on_duckdb(place.folder))
    pair = Pair(one, engines._snowflake("Snowflake", warehouse, place.folder), warehouse)
    place.shared["pair"] = pair
    said: list[str] = []
    report = running.run(pair.duckdb, pair.snowflake, extracted, said.append)
    yield from said
    for name, outcomes in report.builds.items():
        _require_good(name, outcomes)
        yield f"{name}: {len(outcomes)} seeds, models and tests are good"
    if report.differences:
        raise Unexpected(f"{len(report.differences)} cells differ: {'; '.join(map(str, report.differences[:_SHOWN]))}")
    rows, cells = (sum(getattr(table, what) for table in report.tables) for what in ("rows", "cells"))
    yield f"{len(report.tables)} tables, {rows:,} rows, {cells:,} cells compared: 0 differences"
    ((longest,),) = warehouse.execute("SELECT MAX(ARRAY_SIZE(COMMIT_IDS)) FROM RAW.PULL_REQUESTS")
    lists = [row["commit_ids"] for row in one.rows("raw.pull_requests")]
    expect("array_size of the most commits of a pull request", longest, max(len(each or ()) for each in lists))
    yield f"array_size(commit_ids) of the pull request with the most commits: {longest}"


def again(place: Place) -> Iterator[str]:
    """Build once more with nothing new: watermarks and marts have to stay."""
    pair = cast(Pair, place.shared["pair"])
    before, counted, began = _watermarks(pair), pair.statements_of_dbt(), time.monotonic()
    _require_good("Snowflake", pair.snowflake.build("--exclude-resource-type", "unit_test"))
    seconds, statements = time.monotonic() - began, pair.statements_of_dbt() - counted
    place.shared.setdefault("figures", {})["a build with nothing new, in statements of dbt"] = str(statements)
    yield f"{statements} statements of dbt in {seconds:.1f} s"
    expect("the watermarks after a build with nothing new", _watermarks(pair), before)
    expect("cells that differ from DuckDB's", pair.differences("mart")[:_SHOWN], [])
    yield "watermarks and marts are as before"


def publication(place: Place) -> Iterator[str]:
    """Publish the marts, then change one event, build and publish again; compare what readers see each time."""
    pair = cast(Pair, place.shared["pair"])
    yield f"the first publication: {_published(pair)}"
    ((tables, transient),) = pair.warehouse.execute(f"{_KINDS} WHERE TABLE_SCHEMA = 'PUBLISHED'")
    expect("transient tables in PUBLISHED", int(transient), int(tables))
    yield f"PUBLISHED has {tables} tables, all transient"
    _change_an_event(place, pair)
    for engine in (pair.duckdb, pair.snowflake):
        _require_good(engine.name, engine.build(*running.FOLLOWING))
    said = _published(pair)
    place.shared.setdefault("figures", {})["a publication of one changed event"] = said
    yield f"after one changed event: {said}"


def _published(pair: Pair) -> str:
    """Publish on both engines and compare; say how many statements it took on Snowflake."""
    sent, began = pair.warehouse.sent, time.monotonic()
    for engine in (pair.snowflake, pair.duckdb):
        build = engine.warehouse.start_build(1, "verify", None)
        engine.warehouse.publish(engine.warehouse.end_build(build, is_good=True, seconds=1.0, nodes=()))
        if engine is pair.snowflake:
            said = f"{pair.warehouse.sent - sent} statements in {time.monotonic() - began:.1f} s"
    expect("cells of PUBLISHED that differ from DuckDB's marts", pair.differences("published")[:_SHOWN], [])
    return said


def _change_an_event(place: Place, pair: Pair) -> None:
    """Load one event once more, with more tokens and a newer time, into both engines."""
    rows = [row for row in pair.duckdb.rows("raw.usage_events") if row["role"] == "assistant"]
    row: dict[str, Any] = dict(max(rows, key=repr))
    at = END + timedelta(hours=1)
    row |= {"output_tokens": (row["output_tokens"] or 0) + 1, "_extracted_at": at.replace(tzinfo=None)}
    known = [field for field in _USAGE.schema if field.name in row]
    path = place.folder / "changed.parquet"
    pq.write_table(pa.Table.from_pylist([{f.name: row[f.name] for f in known}], pa.schema(known)), path)
    for engine in (pair.duckdb, pair.snowflake):
        version = ObjectVersion("verify", "drop/usage_events/changed.parquet", 1)
        entry = engine.warehouse.load(Batch(version, _USAGE, path, at, None))
        expect(f"rows that one changed event updates on {engine.name}", entry.rows_updated, 1)


def api(place: Place) -> Iterator[str]:
    """Ask every route on both engines, from the marts and from the events."""
    pair = cast(Pair, place.shared["pair"])
    assert isinstance(pair.duckdb.warehouse, DuckDBWarehouse)
    here, there = DuckDBReader(pair.duckdb.warehouse.published_path), SnowflakeReader(place.address)
    try:
        for route in ROUTES:
            began, count = time.monotonic(), 0
            for question in asked.QUESTIONS:
                for without in (frozenset[str](), asked.MADE):
                    one, other = (asked.answer(reader, route, question, without) for reader in (here, there))
                    expect(f"/api/{route.path}, {question}", other, one)
                    count += 1
            yield f"/api/{route.path}: {count} answers equal DuckDB's, {time.monotonic() - began:.1f} s"
    finally:
        here.close()
        there.close()


def _watermarks(pair: Pair) -> list[tuple[Any, ...]]:
    query = "SELECT MART_NAME, LOAD_SEQ, DEFINITION FROM META.MART_WATERMARKS ORDER BY MART_NAME"
    return pair.warehouse.execute(query)


def _require_good(engine: str, outcomes: list[Outcome]) -> None:
    bad = [f"{each.node}: {each.status} {each.message}" for each in outcomes if not each.is_good]
    if bad:
        raise Unexpected(f"{len(bad)} nodes of dbt are not good on {engine}: {'; '.join(bad[:_SHOWN])}")
