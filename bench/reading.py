# ruff: noqa: S608 - the names are our own
"""The read API over marts of 100,000 and of 10,000,000 rows: the time of a first request, and of a repeated one."""

import http.client
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import duckdb
import uvicorn

from bench.measuring import Figure, stopwatch
from millrace import wiring
from millrace.api import definitions
from millrace.api.app import Api
from millrace.api.definitions import Column
from millrace.api.routes import ROUTES, Route
from millrace.laptop.data_dir import DataDir
from millrace.laptop.server import listening
from millrace.status import remedies, report
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.warehouse.reading import Answer, Reader, Snapshot

_DAYS, _WEEKS = 1000, 1000
_FIRST, _AGAIN = 40, 200
_EVENTS_OF_STATUS = 200_000


def routes() -> list[Figure]:
    """Measure every route over both sizes, and the status over 200,000 events."""
    figures = []
    for rows in (100_000, 10_000_000):
        with tempfile.TemporaryDirectory() as folder:
            place = DataDir(Path(folder))
            fill(place, daily=rows, weekly=rows // 4, events=rows)
            figures += [_route(place, route, rows) for route in ROUTES]
    with tempfile.TemporaryDirectory() as folder:
        place = DataDir(Path(folder))
        fill(place, daily=_EVENTS_OF_STATUS // 5, weekly=25_000, events=_EVENTS_OF_STATUS)
        figures.append(_status(place))
    return figures


def _route(place: DataDir, route: Route, rows: int) -> Figure:
    """Send different requests, then one of them repeatedly; the floor is the SQL of the former alone."""
    today = datetime.now(UTC).date()
    last = [today - timedelta(days=shift) for shift in range(_FIRST)]
    length = timedelta(days=route.filters.DEFAULT_DAYS - 1)
    questions = [{"from": str(day - length), "to": str(day)} for day in last]
    paths = [f"/api/{route.path}?{urlencode(question)}" for question in questions]
    with _served(place) as where:
        first = [asked_ms(where, path) for path in paths]
        again = [asked_ms(where, paths[-1]) for _ in range(_AGAIN)]
    bare = _bare(place, [_asked(place, route, question) for question in questions])
    notes = {
        "p95": f"{percentile(first, 95):.1f} ms",
        "again p50, p95": f"{percentile(again, 50):.2f}, {percentile(again, 95):.2f} ms",
    }
    what = f"/api/{route.path}, {rows:,} mart rows"
    return Figure(what, percentile(first, 50), "ms", percentile(bare, 50), "its SQL on an open connection", notes=notes)


def _status(place: DataDir) -> Figure:
    took = []
    with _served(place) as where:
        for _ in range(_FIRST):
            took.append(asked_ms(where, "/api/etl/status"))
            time.sleep(1.05)  # the API caches it for a second
        again = [asked_ms(where, "/api/etl/status") for _ in range(_AGAIN)]
    notes = {
        "p95": f"{percentile(took, 95):.1f} ms",
        "again p50, p95": f"{percentile(again, 50):.2f}, {percentile(again, 95):.2f} ms",
    }
    recording = _Recording(wiring.reader_of(place.api_config()))
    now = datetime.now(UTC)
    report.assemble(wiring.lake_at(place.lake.as_uri()), report.of_reader(recording), now=now)
    bare = _bare(place, [recording.asked] * _FIRST)
    what = f"/api/etl/status, {_EVENTS_OF_STATUS:,} events"
    return Figure(what, percentile(took, 50), "ms", percentile(bare, 50), "its SQL on an open connection", notes=notes)


@dataclass
class _Recording:
    """A reader that records the queries of another reader's snapshots."""

    reader: Reader
    asked: list[tuple[str, list[object]]] = field(default_factory=list)

    def version(self) -> str:
        return self.reader.version()

    def read(self, work: Callable[[Snapshot], Answer]) -> Answer:
        return self.reader.read(lambda snapshot: work(_Noted(snapshot, self.asked)))

    def close(self) -> None:
        self.reader.close()


class _Noted:
    """A snapshot that records its queries."""

    def __init__(self, snapshot: Snapshot, asked: list[tuple[str, list[object]]]) -> None:
        self._snapshot, self._asked = snapshot, asked

    def __getattr__(self, name: str) -> Any:
        return getattr(self._snapshot, name)

    def query(self, sql: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        self._asked.append((sql, list(values)))
        return self._snapshot.query(sql, values)


def _asked(place: DataDir, route: Route, question: dict[str, str]) -> list[tuple[str, list[object]]]:
    """Return the SQL of a request."""
    recording = _Recording(wiring.reader_of(place.api_config()))
    Api(recording, _no_status).answer(route, route.filters.model_validate(question))
    return recording.asked


def _no_status() -> report.Status:
    raise AssertionError("nobody asks for the status here")


def _bare(place: DataDir, questions: list[list[tuple[str, list[object]]]]) -> list[float]:
    """Run the SQL of each request on an open connection; return the milliseconds of each."""
    took = []
    with duckdb.connect(":memory:", config={"threads": "2"}) as connection:
        connection.execute(f"ATTACH '{place.published}' AS published (READ_ONLY)")
        connection.execute("USE published")
        for asked in questions:
            with stopwatch() as watch:
                for sql, values in asked:
                    connection.execute(sql, values).fetchall()
            took.append(1000 * watch.s)
    return took


def asked_ms(where: http.client.HTTPConnection, path: str) -> float:
    """Send a request over an open connection; return the milliseconds until the whole answer is there."""
    with stopwatch() as watch:
        where.request("GET", path)
        answer = where.getresponse()
        answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status}")
    return 1000 * watch.s


def percentile(took: list[float], percent: int) -> float:
    """Return the value below which that percentage of the values is."""
    return sorted(took)[min(len(took) - 1, len(took) * percent // 100)]


@contextmanager
def _served(place: DataDir) -> Iterator[http.client.HTTPConnection]:
    """Serve the API as `millrace serve` does, and connect to it."""
    app = wiring.api_of(place.api_config(), remedies.LAPTOP)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))
    with listening(0) as door:
        thread = threading.Thread(target=server.run, args=([door],), daemon=True)
        thread.start()
        connection = http.client.HTTPConnection(*door.getsockname())
        connection.request("GET", "/api/velocity")
        connection.getresponse().read()  # it opens the file, which is open for all but the first request
        yield connection
        connection.close()
        server.should_exit = True
        thread.join(30)


def fill(place: DataDir, daily: int, weekly: int, events: int) -> None:
    """Write a published file with `daily` rows in usage_daily, and `weekly` in each mart by week and repository."""
    with DuckDBWarehouse(place.published, memory_limit="4GB") as warehouse:
        warehouse.ensure_tables()
        build = warehouse.start_build(1, "bench", None)
        warehouse.end_build(build, is_good=True, seconds=1.0, nodes=())
    place.lake.mkdir(parents=True)
    place.quarantine.mkdir()
    with duckdb.connect(place.published, config={"memory_limit": "4GB"}) as connection:
        connection.execute("SET enable_progress_bar = false; CREATE SCHEMA mart")
        for mart, rows in _rows_of(daily, weekly, events).items():
            columns = definitions.load().models[mart].columns.values()
            named = ", ".join(f"{_value(each, rows)} AS {each.name}" for each in columns)
            connection.execute(f"CREATE TABLE mart.{mart} AS SELECT {named} FROM range({rows}) AS rows(i)")
        connection.execute("CHECKPOINT")


def _rows_of(daily: int, weekly: int, events: int) -> dict[str, int]:
    by_week = dict.fromkeys(("velocity", "review_costs", "quality", "ai_impact", "merged_pull_requests"), weekly)
    spend = {"ai_spend_by_repo_week": weekly, "project_repositories": 500, "user_developers": 500}
    return (
        {"usage_daily": daily, "usage_events": events, "usage_session": events // 10, "usage_project": 500}
        | by_week
        | spend
    )


def _value(column: Column, rows: int) -> str:
    """Return the expression of a column: `i` counts the rows, in the order of time; ten events are a session."""
    today = datetime.now(UTC).date()
    day = f"(DATE '{today}' - CAST({_DAYS - 1} - i * {_DAYS} // {rows} AS INTEGER))"
    monday = today - timedelta(days=today.weekday())
    week = f"(DATE '{monday}' - CAST(7 * ({_WEEKS - 1} - i * {_WEEKS} // {rows}) AS INTEGER))"
    named = {
        "day": day,
        "week": week,
        "merged_at": f"CAST({week} AS TIMESTAMP) + to_hours(i % 168)",
        "repo_name": f"'acme/repo-' || (i % {max(rows // _WEEKS, 1)})",
        "project": "'project-' || (i // 10 % 500)",
        "user_id": "'user-' || (i // 10 % 300)",
        "developer": "'developer-' || (i // 10 % 300)",
        "agent": "['claude', 'codex'][1 + i // 10 % 2]",
        "provider": "['anthropic', 'openai'][1 + i // 10 % 2]",
        "model": "'model-' || (i // 10 % 8)",
        "role": "CASE WHEN i % 5 = 0 THEN 'user' ELSE 'assistant' END",
        "session_id": "'session-' || (i // 10)",
        "ai_band": "['low', 'medium', 'high', 'unknown'][1 + i % 4]",
        "cost_source": "'rate_card'",
        "assistant_message_count": "CAST(1 AS BIGINT)",
        "n_cost": "CAST(1 AS BIGINT)",
        "_load_seq": "CAST(1 AS BIGINT)",
    }
    typed = {
        "timestamp": f"CAST({day} AS TIMESTAMP) + to_seconds(i % 86400)",
        "varchar": "CAST(i AS VARCHAR)",
        "bigint": "CAST(i * 7 % 1000 AS BIGINT)",
        "double": "i % 997 / 10.0",
        "boolean": "i % 3 = 0",
        "date": day,
        "decimal(38, 12)": "CAST(i % 1000 AS DECIMAL(38, 12)) / 1000",
    }
    return f"CAST({named.get(column.name, typed[column.type])} AS {column.type})"
