"""Load, build, publication and read with nothing but the rights that Terraform grants to the three roles."""

import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.contract import on_snowflake
from tests.proofs.parity.engines import Engine

from emulators import snowflake
from millrace.arrow import to_batch
from millrace.errors import MillraceError
from millrace.lake.local import LocalLake
from millrace.status import report
from millrace.tables import TABLES
from millrace.warehouse import Batch
from millrace.warehouse.snowflake.reader import SnowflakeReader
from millrace.warehouse.snowflake.session import Address
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

T0 = datetime(2026, 11, 20, 12, tzinfo=UTC)
RUN = "20261120T120000Z"
PART = f"raw/{{}}/dt=2026-11-20/run={RUN}/repos-00000.parquet"
REPO = {"full_name": "o/a"}
WINDOW = {"source": "github", "account": "acme", "object": "commits", "window": "1", "state": "known"}


@dataclass
class Account:
    """An account with the roles of Terraform, and a warehouse of each that writes."""

    address: Address
    lake: LocalLake
    folder: Path
    stack: ExitStack

    def of(self, who: str, role: str | None = None) -> Address:
        return replace(self.address, user=f"MILLRACE_{who}", role=f"MILLRACE_{role or who}")

    def warehouse(self, who: str, role: str | None = None) -> SnowflakeWarehouse:
        return self.stack.enter_context(SnowflakeWarehouse(self.of(who, role), "lake", lambda: T0))

    def batch(self, table: str = "repos", row: Mapping[str, object] = REPO) -> Batch:
        path = self.folder / "part.parquet"
        pq.write_table(pa.Table.from_batches([to_batch([dict(row)], TABLES[table], T0, RUN)]), path)
        return Batch(self.lake.write(PART.format(table), path, 0).version, TABLES[table], path, T0, RUN)


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with snowflake.serving() as where, ExitStack() as stack:
        # The emulator keeps databases, but an account that is served again has none of their grants.
        address = on_snowflake.address_of(where, f"RIGHTS_{secrets.token_hex(4).upper()}")
        snowflake.provision(address, f"file://{tmp_path}/lake/raw/", with_roles=True)
        yield Account(address, LocalLake(tmp_path / "lake", "lake"), tmp_path, stack)


def test_each_role_has_the_rights_for_its_part(account: Account) -> None:
    loader, builder = account.warehouse("LOADER"), account.warehouse("BUILDER")
    loader.ensure_tables()
    assert loader.load(account.batch()).rows_inserted == 1
    loader.load(account.batch("source_windows", WINDOW))
    build = builder.start_build(1, "a holder", None)
    dbt = Engine("the emulator", builder, account.folder / "dbt", lambda _: [])
    outcomes = dbt.build("--exclude-resource-type", "unit_test")
    assert [each for each in outcomes if not each.is_good and each.status != "no-op"] == []  # exposures do nothing
    builder.publish(builder.end_build(build, True, 1.0, ()))
    reader = SnowflakeReader(account.of("API", "READER"))
    account.stack.callback(reader.close)
    assert reader.version() == "1-1"
    read = report.assemble(account.lake, report.of_reader(reader), now=T0).completeness
    assert [str(each) for each in read] == ["1 of 1 repositories complete"]


@pytest.mark.parametrize(
    ("who", "statement"),
    [
        pytest.param("LOADER", "SELECT NUMBER FROM META.PUBLISHED", id="the loader and what is published"),
        pytest.param("LOADER", "DELETE FROM META.LOADS", id="the loader and lines of the ledger"),
        pytest.param("BUILDER", "DELETE FROM RAW.REPOS", id="the builder and raw rows"),
        pytest.param("BUILDER", "UPDATE META.LOADS SET RUN_ID = 'x'", id="the builder and the ledger"),
        pytest.param("BUILDER", "CREATE TABLE RAW.MINE (I NUMBER)", id="the builder and a raw table"),
        pytest.param("BUILDER", "CREATE VIEW META.MINE AS SELECT 1 AS I", id="the builder and a view of META"),
        pytest.param("READER", "SELECT WINDOW FROM RAW.SOURCE_WINDOWS", id="a reader and what its view reads"),
        pytest.param("READER", "DROP VIEW META.SOURCE_WINDOWS", id="a reader and its view"),
    ],
)
def test_role_may_not_do_the_part_of_another(account: Account, who: str, statement: str) -> None:
    account.warehouse("LOADER").ensure_tables()
    with pytest.raises(MillraceError) as refused:
        account.warehouse("API" if who == "READER" else who, who).execute(statement)
    assert getattr(refused.value.__cause__, "errno", None) in (2003, 3001)
