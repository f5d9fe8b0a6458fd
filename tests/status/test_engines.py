"""The status of the published data for the read API: the same on both engines, and no other store is opened."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.contract.on_snowflake import open_warehouse
from tests.status.conftest import Row, event

from millrace.arrow import to_batch
from millrace.errors import ConfigError
from millrace.lake import ObjectVersion
from millrace.lake.local import LocalLake
from millrace.runs import build_requests
from millrace.status import report
from millrace.status.report import StoreReport
from millrace.status.rules import Code
from millrace.status.state import Status
from millrace.status.store import USAGE_MARTS, Store
from millrace.tables import TABLES
from millrace.warehouse import Batch
from millrace.warehouse.duckdb.reader import DuckDBReader
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.warehouse.reading import Reader
from millrace.warehouse.snowflake.reader import SnowflakeReader
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

T0 = datetime(2026, 11, 20, 12, tzinfo=UTC)
EVENT = """
    CREATE OR REPLACE TABLE mart.usage_events AS SELECT agent, provider, model, project, speed, _load_seq,
        CAST(input_tokens AS BIGINT) AS total_tokens, CAST(occurred_at AS DATE) AS day,
        CASE WHEN message_id = 'm2' THEN CAST(200000 AS BIGINT) END AS context_over_tokens,
        CASE WHEN role = 'assistant' THEN 'unknown' END AS cost_source
    FROM raw.usage_events"""
PROJECTS = """
    CREATE OR REPLACE TABLE mart.project_repositories AS
    SELECT DISTINCT project, CASE WHEN project = 'shop' THEN 'acme/shop' END AS repo_name FROM raw.usage_events"""


@dataclass(slots=True)
class Publishing:
    """A warehouse that publishes, a reader of its published data, and a lake."""

    folder: Path
    warehouse: DuckDBWarehouse | SnowflakeWarehouse
    reader: Reader
    files: int = 0
    mart: str = EVENT

    @property
    def lake(self) -> LocalLake:
        return LocalLake(self.folder / "lake", "lake")

    def load(
        self,
        table: str,
        *rows: Row,
        run_id: str | None = None,
        at: datetime = T0,
        latest: datetime | None = None,
    ) -> None:
        self.files += 1
        path = self.folder / f"{self.files}.parquet"
        pq.write_table(pa.Table.from_batches([to_batch(list(rows), TABLES[table], at, run_id)]), path)
        batch = Batch(ObjectVersion("b", path.name, 1), TABLES[table], path, T0, run_id, latest)
        build_requests.request(self.lake, self.warehouse.load(batch).load_seq, run_id)

    def publish(self) -> None:
        last = self.warehouse.last_builds(1)
        build = self.warehouse.start_build(last[0].token + 1 if last else 1, "somebody", None)
        self.run("CREATE SCHEMA IF NOT EXISTS mart", self.mart, PROJECTS, "DELETE FROM meta.mart_watermarks")
        for mart in USAGE_MARTS:
            newest = "(SELECT max(_load_seq) FROM raw.usage_events)"
            self.run(
                "INSERT INTO meta.mart_watermarks (mart_name, load_seq, definition, refreshed_at)"
                f" SELECT '{mart}', {newest}, 'd', CAST('2026-11-20 12:00:00' AS TIMESTAMP)"
            )
        self.warehouse.publish(self.warehouse.end_build(build, True, 1.0, ()))

    def forget(self, mart: str) -> None:
        """Drop a published mart on Snowflake, whose emulator cannot replace a clone."""
        if isinstance(self.warehouse, SnowflakeWarehouse):
            self.warehouse.execute(f"DROP TABLE PUBLISHED.{mart}")

    def run(self, *statements: str) -> None:
        if isinstance(self.warehouse, DuckDBWarehouse):
            self.warehouse.run_scripts(statements)
        else:
            for statement in statements:
                self.warehouse.execute(statement)

    def look(self, later_s: float = 0) -> Status:
        return report.assemble(self.lake, report.of_reader(self.reader), now=T0 + timedelta(seconds=later_s))


@pytest.fixture(params=["duckdb", "snowflake"])
def published(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Publishing]:
    """A warehouse with published data."""
    made: Publishing
    if request.param == "duckdb":
        duckdb = DuckDBWarehouse(tmp_path / "w.duckdb", clock=lambda: T0)
        made = Publishing(tmp_path, duckdb, DuckDBReader(duckdb.published_path))
    else:
        snowflake = open_warehouse(request.getfixturevalue("snowflake_at"), tmp_path / "lake", lambda: T0)
        made = Publishing(tmp_path, snowflake, SnowflakeReader(snowflake._address))
    made.warehouse.ensure_tables()
    prompt = {"role": "user", "provider": None, "project": "tool", "input_tokens": None, "output_tokens": None}
    fast = event(2, provider="anthropic", speed="fast")
    made.load("usage_events", event(1), fast, event(3, **prompt))
    made.load("commits", {"commitHash": "c", "repoName": "acme/shop", "userId": "u"}, run_id="r1")
    made.publish()
    yield made
    made.reader.close()
    made.warehouse.close()


def test_published_build_is_described(published: Publishing) -> None:
    now = published.look()
    assert (now.health, now.reasons, now.store, now.store_error) == ("live", (), "published", None)
    assert (now.built_through, now.newest_load_seq, now.lag_events, now.lag_rows) == (2, 2, 0, 0)
    assert now.events.by_provider == {"anthropic": 1, "claude": 1, "unknown": 1}
    assert now.events.by_cost_source == {"unknown": 2, "prompt": 1}
    assert (now.coverage.projects, now.coverage.projects_with_repository) == (2, 1)
    assert (now.watcher.running, now.watcher.last_refresh_at) == ("unknown", T0)
    (events,) = (mart for mart in now.marts if mart.name == "usage_events")
    assert (events.watermark, events.rows, events.is_current, events.last_refresh_at) == (1, 3, True, T0)
    assert next(mart for mart in now.marts if mart.name == "velocity").rows is None
    assert now.builds[0].started_at == T0
    assert [(source.table, source.rows) for source in now.sources if source.rows] == [
        ("commits", 1),
        ("usage_events", 3),
    ]


def test_completeness_of_an_account_is_that_of_its_worst_objects(published: Publishing) -> None:
    """Snowflake's readers have it as soon as it is loaded, those of a DuckDB copy with the next one."""
    of_shop = {"source": "github", "account": "acme", "window": "1", "name": "acme/shop", "row_count": 4}
    published.load(
        "source_windows",
        of_shop | {"object": "commits", "state": "known", "source_total": 4},
        of_shop | {"object": "pull_requests", "state": "unknown", "source_total": 6, "reason": "run again"},
        of_shop | {"object": "commits", "window": "2", "name": "acme/web", "state": "known_empty"},
    )
    if isinstance(published.warehouse, DuckDBWarehouse):
        assert published.look().completeness == ()  # its readers have a copy
        published.publish()
        published.reader.close()
    now = published.look()
    (acme,) = now.completeness
    assert str(acme) == "1 of 2 repositories complete, 1 unknown"
    assert list(map(str, acme.incomplete)) == [
        "acme/shop (pull requests): unknown; 4 of 6 rows are here; run again",
    ]
    assert (now.health, [check.code for check in now.checks][:1]) == ("stale", ["source_incomplete"])


def test_a_response_without_a_price_is_named_by_the_whole_key(published: Publishing) -> None:
    named = [(each.provider, each.speed, each.context, each.tokens) for each in published.look().coverage.unpriced]
    assert named == [("anthropic", "fast", 200_000, 100), ("claude", "standard", 0, 100)]
    check = published.look().check(Code.NO_PRICE)
    assert check is not None
    assert check.text == "2 responses have no price"


def test_marts_of_an_earlier_version_are_read_and_their_context_is_unknown(published: Publishing) -> None:
    published.mart = EVENT.replace("context_over_tokens", "another_column")
    published.forget("usage_events")
    published.publish()
    named = [(each.speed, each.context) for each in published.look().coverage.unpriced]
    assert named == [("fast", None), ("standard", None)]


def test_silent_table_is_reported(published: Publishing) -> None:
    (check,) = published.look(37 * 3600).checks[:1]
    assert (check.code, check.text) == ("table_silent", "nothing was extracted of commits for 37 h")
    assert check.remedy == "type: gcloud scheduler jobs run start-run --location=REGION"


def test_loads_since_publication_count_as_lag(published: Publishing) -> None:
    """Snowflake's ledger of loads counts them; a DuckDB copy shows only that more was requested."""
    published.load("usage_events", event(4), event(1, output_tokens=11))
    published.load("commits", {"commitHash": "d", "repoName": "acme/shop", "userId": "u"})
    now = published.look(5)
    lag = (now.lag_events, now.lag_rows, now.lag_seconds)
    is_copy = isinstance(published.warehouse, DuckDBWarehouse)
    assert (now.health, lag) == ("syncing", (None, None, None) if is_copy else (2, 1, 5.0))
    published.publish()
    if is_copy:
        published.reader.close()
    assert (published.look().lag_events, published.look().newest_load_seq) == (0, 4)


def test_before_the_first_build_nothing_is_published(tmp_path: Path) -> None:
    reader = DuckDBReader(tmp_path / "published.duckdb")
    now = report.assemble(LocalLake(tmp_path / "lake", "lake"), report.of_reader(reader), now=T0)
    assert (now.health, now.store, now.store_error) == ("empty", None, None)
    assert (now.checks[0].code, "nothing was built" in now.checks[0].text) == ("nothing_yet", True)


def test_a_reader_that_is_not_let_in_is_an_error_and_not_empty(tmp_path: Path) -> None:
    def refuse(work: Callable[[Store], StoreReport]) -> StoreReport:
        raise ConfigError("250001: the user does not know the role")

    now = report.assemble(LocalLake(tmp_path / "lake", "lake"), refuse, now=T0)
    assert (now.health, now.checks[0].code) == ("error", "store_unreadable")


def test_broken_published_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "published.duckdb").write_bytes(b"no database " * 4096)
    reader = DuckDBReader(tmp_path / "published.duckdb")
    now = report.assemble(LocalLake(tmp_path / "lake", "lake"), report.of_reader(reader), now=T0)
    assert (now.health, now.store) == ("error", None)
    assert "published.duckdb cannot be read" in (now.store_error or "")


@pytest.mark.parametrize("ahead", [timedelta(hours=1), pytest.param(timedelta(days=4000), marks=pytest.mark.proof)])
def test_future_stamped_rows_are_an_error_until_replaced(published: Publishing, ahead: timedelta) -> None:
    published.load("repos", {"full_name": "o/a", "default_branch": "FROZEN"}, at=T0 + ahead)
    published.publish()
    now = published.look(0)
    assert (now.health, now.checks[0].code) == ("error", "stamped_ahead")
    assert 'see "A time that has not come" in docs/operations.md' in now.checks[0].remedy
    published.load("repos", {"full_name": "o/a", "default_branch": "main"}, latest=T0 + timedelta(minutes=15))
    published.publish()
    published.reader.close()
    assert published.look(0).check(Code.STAMPED_AHEAD) is None
