"""The cases that only Snowflake has: stages, write lock, a session that ends, sign-in. Over the emulator."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from snowflake import connector
from snowflake.connector.cursor import SnowflakeCursor
from tests.contract import on_snowflake
from tests.contract.watching import PART, REPOS, RUN, T0, Watched, names, part

from emulators import snowflake
from millrace.errors import BadObject, ConfigError, TransientError
from millrace.lake import ObjectVersion
from millrace.lake.local import LocalLake
from millrace.warehouse import Batch
from millrace.warehouse.snowflake.session import Address
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

HOW = (
    "FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE USE_VECTORIZED_SCANNER = TRUE BINARY_AS_TEXT = FALSE) "
    "MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE ON_ERROR = ABORT_STATEMENT FORCE = TRUE"
)
PEM = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"


@pytest.fixture
def lake(tmp_path: Path) -> LocalLake:
    return LocalLake(tmp_path / "lake", "lake")


@pytest.fixture
def address(snowflake_at: str, lake: LocalLake, tmp_path: Path) -> Address:
    warehouse = on_snowflake.open_warehouse(snowflake_at, tmp_path / "lake", lambda: T0)
    warehouse.ensure_tables()
    warehouse.reset_watermarks()  # the first transaction inserts the row of META.TURN
    warehouse.close()
    return warehouse._address


@pytest.fixture
def warehouse(address: Address) -> Iterator[Watched]:
    with Watched(address, "lake", lambda: T0) as opened:
        yield opened


def test_a_part_is_copied_from_the_lake_by_its_name_alone(warehouse: Watched, lake: LocalLake, tmp_path: Path) -> None:
    batch = part(lake, tmp_path, "o/a", "o/b")
    assert warehouse.load(batch).rows_inserted == 2
    (copied,) = [statement for statement in warehouse.sent if statement.startswith("COPY")]
    assert f"FROM @META.LAKE FILES = ('{PART.removeprefix('raw/')}')" in copied
    assert copied.endswith(HOW)
    assert not [statement for statement in warehouse.sent if statement.startswith("PUT")]


@pytest.mark.parametrize(
    ("key", "run"),
    [
        pytest.param("drop/repos/a.parquet", None, id="a dropped file, whose name may be written again"),
        pytest.param("drop/repos/it's (1).parquet", None, id="a name of anybody"),
        pytest.param(PART, None, id="a part of no run"),
    ],
)
def test_replaceable_object_is_uploaded_as_checked(
    warehouse: Watched, lake: LocalLake, tmp_path: Path, key: str, run: str | None
) -> None:
    assert warehouse.load(part(lake, tmp_path, "o/a", key=key, run=run)).rows_inserted == 1
    _, copied = [statement for statement in warehouse.sent if "META.DROPS" in statement]
    assert copied.startswith("COPY INTO")
    assert copied.endswith(f"{HOW} PURGE = TRUE")
    assert key not in " ".join(warehouse.sent)
    assert warehouse.execute("LIST @META.DROPS") == []


def test_a_part_of_another_bucket_is_not_looked_for_in_the_lake(
    warehouse: Watched, lake: LocalLake, tmp_path: Path
) -> None:
    batch = part(lake, tmp_path, "o/a")
    kept = Batch(ObjectVersion("quarantine", PART, 1), REPOS, batch.path, T0, RUN)
    assert warehouse.load(kept).rows_inserted == 1
    assert not [statement for statement in warehouse.sent if "@META.LAKE" in statement]


def test_a_copy_of_fewer_rows_than_the_file_has_is_no_load(warehouse: Watched, lake: LocalLake, tmp_path: Path) -> None:
    batch = part(lake, tmp_path, "o/a", "o/b", "o/c")
    stored = tmp_path / "lake" / PART
    pq.write_table(pq.read_table(stored).slice(0, 1), stored)  # no identity of the pipeline may do this
    with pytest.raises(TransientError, match="copied 1 of 3 rows"):
        warehouse.load(batch)
    assert warehouse.find(batch.version) is None
    assert names(warehouse) == []


def test_stopped_at_any_statement_up_to_the_commit_nothing_has_happened(
    address: Address, lake: LocalLake, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = part(lake, tmp_path / "other", "o/z", key=PART.replace("00000", "00009"))
    batch = part(lake, tmp_path, "o/a", "o/b")
    with Watched(address, "lake", lambda: T0) as whole:
        whole.load(other)
        statements = whole.sent
    for stop in range(1, statements.index("COMMIT") + 2):
        with Watched(address, "lake", lambda: T0) as stopped:
            stopped.before = _stopping_at(stop)
            with pytest.raises(TransientError, match="gone"):
                stopped.load(batch)
        with Watched(address, "lake", lambda: T0) as looking:
            assert (looking.find(batch.version), names(looking)) == (None, ["o/z"])
    with Watched(address, "lake", lambda: T0) as again:
        assert again.load(batch).rows_inserted == 2
        assert names(again) == ["o/a", "o/b", "o/z"]


def _stopping_at(stop: int) -> Callable[[int, str], None]:
    def before(number: int, statement: str) -> None:
        if number >= stop:  # and the process stops here; the end of the connection rolls back
            raise TransientError("the process is gone")

    return before


def test_two_sessions_that_load_one_object_at_a_time_load_it_once(
    address: Address, lake: LocalLake, tmp_path: Path
) -> None:
    batch = part(lake, tmp_path, "o/a", "o/b")
    start = threading.Barrier(4)

    def load(_: int) -> int:
        with Watched(address, "lake", lambda: T0) as one:
            one.before = _together(start)
            return one.load(batch).load_seq

    with ThreadPoolExecutor(4) as threads:
        seen = list(threads.map(load, range(4)))
    with Watched(address, "lake", lambda: T0) as looking:
        assert len(set(seen)) == 1
        assert looking.execute("SELECT COUNT(*), SUM(ROWS_INSERTED) FROM META.LOADS") == [(1, 2)]
        assert names(looking) == ["o/a", "o/b"]


def _together(start: threading.Barrier) -> Callable[[int, str], None]:
    """Make a session's first transaction wait for those of the others."""
    begun: list[str] = []

    def before(number: int, statement: str) -> None:
        if statement == "BEGIN" and not begun:
            begun.append(statement)
            start.wait(300)

    return before


def test_load_sequences_are_committed_in_their_order(address: Address, lake: LocalLake, tmp_path: Path) -> None:
    def load(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        key = PART.replace("00000", f"{number:05}")
        with Watched(address, "lake", lambda: datetime.now(UTC)) as one:
            one.load(part(lake, folder, f"o/{number}", key=key))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(load, range(8)))
    with Watched(address) as looking:
        rows = looking.execute("SELECT LOAD_SEQ FROM META.LOADS ORDER BY LOADED_AT")
        assert [int(seq) for (seq,) in rows] == sorted(int(seq) for (seq,) in rows)
        assert len(set(rows)) == 8


def test_missing_database_objects_are_reported_with_next_step(snowflake_at: str) -> None:
    empty = SnowflakeWarehouse(on_snowflake.address_of(snowflake_at, "EMPTY"))
    with empty, pytest.raises(ConfigError, match=r"terraform apply .* see docs/snowflake\.md"):
        empty.find(ObjectVersion("lake", "x", 1))


def test_idle_session_is_replaced(address: Address) -> None:
    passed_s = [0.0]
    with Watched(address, "lake", lambda: T0, monotonic=lambda: passed_s[0]) as warehouse:
        warehouse.newest_load_seq()
        first = warehouse._connection
        warehouse.newest_load_seq()
        assert warehouse._connection is first
        passed_s[0] += 241
        assert warehouse.newest_load_seq() == 0
        assert warehouse._connection is not first


def test_a_session_is_not_changed_for_another_in_the_middle_of_a_load(
    address: Address, lake: LocalLake, tmp_path: Path
) -> None:
    passed_s, sessions = [0.0], []

    def later(number: int, statement: str) -> None:
        passed_s[0] += 241  # each statement takes longer than a session may be idle
        sessions.append(opened._connection)

    with Watched(address, "lake", lambda: T0, monotonic=lambda: passed_s[0]) as opened:
        opened.before = later
        entry = opened.load(part(lake, tmp_path, "o/a"))
        assert len(sessions) > 10
        assert all(session is sessions[0] for session in sessions)
        assert (names(opened), opened.find(entry.version)) == (["o/a"], entry)


@pytest.mark.parametrize("begun", ["BEGIN", "COPY", "MERGE", "COMMIT"])
def test_session_lost_during_load_leaves_no_rows_and_retry_loads(
    warehouse: Watched, lake: LocalLake, tmp_path: Path, begun: str
) -> None:
    batch = part(lake, tmp_path, "o/a")

    def end(number: int, statement: str) -> None:
        if statement.split()[0] == begun:
            warehouse.before = lambda number, statement: None
            warehouse.close()

    warehouse.before = end
    with pytest.raises(TransientError, match="the session ended"):
        warehouse.load(batch)
    assert (names(warehouse), warehouse.find(batch.version)) == ([], None)
    assert warehouse.load(batch).rows_inserted == 1


def test_statements_are_tagged_with_their_run(warehouse: Watched, lake: LocalLake, tmp_path: Path) -> None:
    tags = []
    warehouse.before = lambda number, statement: tags.append(warehouse._tag)
    warehouse.load(part(lake, tmp_path, "o/a"))
    warehouse.newest_load_seq()
    assert set(tags[:-1]) == {f"millrace {RUN}"}
    assert tags[-1] == "millrace"


def test_nested_values_of_any_shape_share_a_column_and_lose_nothing(warehouse: Watched, tmp_path: Path) -> None:
    for number, owner in enumerate([{"a": 1}, {"a": 1, "b": ["x"]}]):
        path = tmp_path / f"{number}.parquet"
        pq.write_table(pa.table({"full_name": [f"o/{number}"], "owner": [owner]}), path)
        warehouse.load(Batch(ObjectVersion("drops", path.name, 1), REPOS, path, T0, None))
    assert [row["owner"] for row in on_snowflake.rows_of(warehouse, "repos")] == [{"a": 1}, {"a": 1, "b": ["x"]}]


def test_text_over_snowflake_limit_is_refused_as_too_large(warehouse: Watched, tmp_path: Path) -> None:
    path = tmp_path / "long.parquet"
    pq.write_table(pa.table({"full_name": ["o/a", "o/b"], "default_branch": ["x" * 16_777_217, "main"]}), path)
    with pytest.raises(BadObject, match="1 of 2 rows have a default_branch of more than 16,777,216 bytes") as refused:
        warehouse.load(Batch(ObjectVersion("drops", "long", 1), REPOS, path, T0, None))
    assert refused.value.reason == "too_large"


def test_binary_column_of_a_dropped_file_keeps_its_bytes(warehouse: Watched, tmp_path: Path) -> None:
    path, content = tmp_path / "binary.parquet", [b"\xff\x00caf\xc3\xa9", b"plain", None]
    pq.write_table(pa.table({"full_name": ["o/a", "o/b", "o/c"], "digest": content}), path)
    warehouse.load(Batch(ObjectVersion("drops", path.name, 1), REPOS, path, T0, None))
    assert warehouse.execute("SELECT DIGEST FROM RAW.REPOS ORDER BY FULL_NAME") == [(each,) for each in content]
    kind = "SELECT DATA_TYPE FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'REPOS' AND COLUMN_NAME = 'DIGEST'"
    assert warehouse.execute(kind) == [("BINARY",)]


def test_keys_are_read_a_few_thousand_at_a_time(
    warehouse: Watched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, fetched = tmp_path / "many.parquet", []
    pq.write_table(pa.table({"full_name": [f"o/{number}" for number in range(25_000)]}), path)
    warehouse.load(Batch(ObjectVersion("drops", path.name, 1), REPOS, path, T0, None))
    fetch = SnowflakeCursor.fetchmany

    def noted(cursor: SnowflakeCursor, size: int) -> object:
        fetched.append(size)
        return fetch(cursor, size)

    monkeypatch.setattr(SnowflakeCursor, "fetchmany", noted)
    monkeypatch.setattr(SnowflakeCursor, "fetchall", lambda cursor: pytest.fail("all keys at once"))
    warehouse.execute = lambda statement, *values: []  # type: ignore[method-assign]  # only the query of the keys
    keys = warehouse.keys_of(REPOS)
    assert str(next(keys)[0]).startswith("o/")
    assert len(fetched) == 1
    assert len(list(keys)) == 24_999
    assert max(fetched) <= 10_000


def test_unsigned_decimal_and_date_keep_their_kinds(warehouse: Watched, tmp_path: Path) -> None:
    path = tmp_path / "kinds.parquet"
    columns = {
        "full_name": ["o/a"],
        "big": pa.array([2**63], pa.uint64()),
        "price": pa.array(["1.25"]).cast(pa.decimal128(10, 2)),
        "day": pa.array([20_000], pa.int32()).cast(pa.date32()),
    }
    pq.write_table(pa.table(columns), path)
    for generation in (1, 2):
        warehouse.load(Batch(ObjectVersion("drops", "kinds", generation), REPOS, path, T0, None))
    pq.write_table(pa.table(columns | {"price": [1.25]}), path)
    with pytest.raises(BadObject, match=r"price: expected DECIMAL\(10,2\), got DOUBLE"):
        warehouse.load(Batch(ObjectVersion("drops", "kinds", 3), REPOS, path, T0, None))


URL = "snowflake://org-account/MILLRACE?user=U&role=R&warehouse=W"


def test_address_parses_account_database_user_role_and_warehouse() -> None:
    address = Address.parse(URL)
    assert (address.account, address.database, address.user, address.role, address.warehouse) == (
        "org-account", "MILLRACE", "U", "R", "W",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("url", "message"),
    [
        pytest.param("duckdb:///x", "snowflake://ACCOUNT/DATABASE", id="another warehouse"),
        pytest.param(URL.replace("://", "://U:secret@"), "without credentials", id="credentials"),
        pytest.param(f"{URL}&password=secret", "says password", id="a password"),
        pytest.param(URL.replace("&role=R", ""), "'' for its role", id="no role"),
        pytest.param(URL.replace("/MILLRACE", ""), "'' for its database", id="no database"),
        pytest.param(URL.replace("=W", "=W;drop"), "for its warehouse", id="an injection"),
        pytest.param(f"{URL}&staging=snowpipe", "staging was removed", id="a setting that was removed"),
        pytest.param(f"{URL}&host=h&port=x", "port is a number", id="a port that is none"),
        pytest.param(URL.replace("org-account", ""), "for its account", id="no account"),
    ],
)
def test_an_address_that_cannot_be_is_refused_without_its_secret(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)) as refused:
        Address.parse(url)
    assert "secret" not in str(refused.value).replace("says password", "")


def test_key_is_not_in_address_text_and_dbt_gets_secret_variable() -> None:
    address = Address.parse(URL, PEM)
    assert "c2VjcmV0" not in f"{address} {address!r}"
    told = address.for_dbt()
    assert [name for name, value in told.items() if "c2VjcmV0" in value] == ["DBT_ENV_SECRET_MILLRACE_SNOWFLAKE_KEY"]
    assert told["MILLRACE_SNOWFLAKE_AUTHENTICATOR"] == "snowflake_jwt"
    assert Address.parse(URL).for_dbt()["MILLRACE_SNOWFLAKE_AUTHENTICATOR"] == "workload_identity"


@pytest.mark.parametrize("pem", ["secret", "-----BEGIN PRIVATE KEY-----\n!secret!\n-----END PRIVATE KEY-----"])
def test_invalid_key_is_refused_without_being_shown(snowflake_at: str, pem: str) -> None:
    address = Address.parse(f"{URL}&{snowflake_at}", pem)
    with (
        pytest.raises(ConfigError, match="MILLRACE_SNOWFLAKE_KEY") as refused,
        SnowflakeWarehouse(address) as warehouse,
    ):
        warehouse.newest_load_seq()
    assert "secret" not in str(refused.value)


def test_unreachable_host_raises_transient_error(free_port: int) -> None:
    url = f"{URL}&host=127.0.0.1&port={free_port}&protocol=http"
    warehouse = SnowflakeWarehouse(Address.parse(url, snowflake.private_key()))
    with warehouse, pytest.raises(TransientError, match="org-account as U"):
        warehouse.newest_load_seq()


@pytest.fixture
def free_port(monkeypatch: pytest.MonkeyPatch) -> int:
    """A port without a listener, and short timeouts."""
    real = connector.connect
    hasty = lambda **told: real(**told | {"login_timeout": 1, "network_timeout": 1})  # noqa: E731
    monkeypatch.setattr(connector, "connect", hasty)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        pytest.param(None, {"authenticator": "WORKLOAD_IDENTITY", "workload_identity_provider": "GCP"}, id="by itself"),
        pytest.param(PEM, {"authenticator": "SNOWFLAKE_JWT", "private_key": b"secret"}, id="by a key pair"),
    ],
)
def test_it_signs_in_without_a_password_and_with_every_limit(
    monkeypatch: pytest.MonkeyPatch, key: str | None, expected: dict[str, object]
) -> None:
    told: dict[str, Any] = {}

    def refuse(**given: Any) -> None:
        told.update(given)
        raise connector.errors.DatabaseError("no such user")

    monkeypatch.setattr(connector, "connect", refuse)
    with pytest.raises(ConfigError, match=r"as U: .*may it use R\? docs/snowflake.md"):
        SnowflakeWarehouse(Address.parse(URL, key)).newest_load_seq()
    assert expected.items() <= told.items()
    assert not {"password", "token", "host"} & told.keys()
    session = told["session_parameters"]
    assert (session["TIMEZONE"], session["WEEK_START"], session["ABORT_DETACHED_QUERY"]) == ("UTC", 1, True)
    assert session["TIMESTAMP_TYPE_MAPPING"] == "TIMESTAMP_NTZ"
    assert 0 < session["LOCK_TIMEOUT"] < session["STATEMENT_TIMEOUT_IN_SECONDS"] < 540
