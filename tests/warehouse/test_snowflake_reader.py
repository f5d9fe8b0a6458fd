"""The guarantees of Snowflake's reader alone: when it retries, how many sessions it has, how often it queries."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from snowflake import connector
from snowflake.connector.connection import SnowflakeConnection
from snowflake.connector.cursor import SnowflakeCursor
from tests.contract.on_snowflake import open_warehouse
from tests.warehouse.conftest import T0
from tests.warehouse.publishing import MARTS, publish

from emulators import snowflake
from millrace.errors import ConfigError, Step, TransientError
from millrace.warehouse.reading import Snapshot
from millrace.warehouse.snowflake.reader import SnowflakeReader
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

BUILD = "SELECT MAX(build) AS build FROM PUBLISHED.velocity"


@pytest.fixture
def warehouse(snowflake_at: str, tmp_path: Path) -> Iterator[SnowflakeWarehouse]:
    with open_warehouse(snowflake_at, tmp_path / "lake", lambda: T0) as warehouse:
        publish(warehouse)
        yield warehouse


@pytest.fixture
def reader(warehouse: SnowflakeWarehouse) -> Iterator[SnowflakeReader]:
    reader = SnowflakeReader(warehouse._address)
    yield reader
    reader.close()


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the statements that are executed from now on."""
    said: list[str] = []
    execute = SnowflakeCursor.execute

    def noted(cursor: SnowflakeCursor, command: str, *arguments: object, **named: object) -> object:
        said.append(" ".join(command.split()))
        return execute(cursor, command, *arguments, **named)  # type: ignore[call-overload]

    monkeypatch.setattr(SnowflakeCursor, "execute", noted)
    return said


@dataclass(frozen=True, slots=True)
class Begun:
    """A session, and the statements that began it."""

    session: SnowflakeConnection
    said: dict[str, Any]


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Begun]:
    """Return the sessions that are begun from now on."""
    found: list[Begun] = []
    connect = connector.connect

    def noted(**said: Any) -> SnowflakeConnection:
        found.append(Begun(connect(**deepcopy(said)), said))
        return found[-1].session

    monkeypatch.setattr(connector, "connect", noted)
    return found


def build_seen(snapshot: Snapshot) -> int:
    return int(snapshot.query(BUILD)[0]["build"])


def test_work_that_met_a_publication_is_done_again_and_the_second_one_counts(
    warehouse: SnowflakeWarehouse, reader: SnowflakeReader
) -> None:
    tries: list[tuple[str, int, int]] = []

    def work(snapshot: Snapshot) -> tuple[str, int, int]:
        before = build_seen(snapshot)
        if not tries:
            publish(warehouse)
        tries.append((snapshot.version, before, build_seen(snapshot)))
        return tries[-1]

    assert reader.read(work) == ("2-1", 2, 2)
    assert tries[0] == ("1-1", 1, 2)  # its answer without the second check


def test_read_failing_during_publication_is_retried(warehouse: SnowflakeWarehouse, reader: SnowflakeReader) -> None:
    def work(snapshot: Snapshot) -> int:
        if snapshot.build.number == 1:
            publish(warehouse)
            raise LookupError("the two marts do not fit together")
        return build_seen(snapshot)

    assert reader.read(work) == 2


def test_publications_in_each_try_are_for_later(warehouse: SnowflakeWarehouse, reader: SnowflakeReader) -> None:
    tries = []

    def work(snapshot: Snapshot) -> None:
        publish(warehouse)
        tries.append(snapshot.build.number)

    with pytest.raises(TransientError, match="3 publications were committed while this was read"):
        reader.read(work)
    assert tries == [1, 2, 3]


def test_read_adds_one_query_and_version_is_cached_two_seconds(
    warehouse: SnowflakeWarehouse, statements: list[str]
) -> None:
    now = [0.0]
    reader = SnowflakeReader(warehouse._address, clock=lambda: now[0])
    reader.read(build_seen)
    statements.clear()
    reader.read(build_seen)
    assert statements == [BUILD, "SELECT NUMBER, TOKEN FROM META.PUBLISHED"]
    publish(warehouse)
    assert reader.version() == "1-1"
    now[0] = 2.1
    assert reader.version() == "2-1"
    reader.close()


def test_an_answer_is_the_newest_although_the_version_may_be_older(
    warehouse: SnowflakeWarehouse, reader: SnowflakeReader
) -> None:
    assert (reader.read(build_seen), reader.version()) == (1, "1-1")
    publish(warehouse)
    assert reader.read(build_seen) == 2
    assert reader.version() == "2-1"


def test_session_ended_by_server_is_reopened(reader: SnowflakeReader) -> None:
    assert reader.read(build_seen) == 1
    snowflake.end_sessions()
    assert reader.read(build_seen) == 1


def test_session_ended_within_read_is_reopened(reader: SnowflakeReader) -> None:
    def work(snapshot: Snapshot) -> list[int]:
        first = build_seen(snapshot)
        snowflake.end_sessions()
        return [first, build_seen(snapshot)]

    assert reader.read(work) == [1, 1]


def test_a_statement_is_tried_again_once(reader: SnowflakeReader, monkeypatch: pytest.MonkeyPatch) -> None:
    reader.read(build_seen)
    said: list[str] = []

    def refused(_: SnowflakeCursor, command: str, *__: object, **___: object) -> None:
        said.append(command)
        raise connector.errors.OperationalError("nobody answers")

    monkeypatch.setattr(SnowflakeCursor, "execute", refused)
    with pytest.raises(TransientError, match=r"Snowflake: .*nobody answers"):
        reader.read(build_seen)
    assert said == [BUILD, BUILD]


def test_fifty_threads_share_the_sessions_and_the_question_what_is_published(
    warehouse: SnowflakeWarehouse, begun: list[Begun], statements: list[str]
) -> None:
    reader = SnowflakeReader(warehouse._address, sessions=3)
    together = threading.Barrier(50)

    def version(_: int) -> str:
        together.wait()
        return reader.version()

    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(version, range(50))) == {"1-1"}
        assert statements == ["SELECT NUMBER, TOKEN FROM META.PUBLISHED"]
        assert set(pool.map(lambda _: reader.read(build_seen), range(50))) == {1}
    assert 1 <= len(begun) <= 3
    reader.close()
    assert all(each.session.is_closed() for each in begun)


def test_a_session_in_use_ends_with_its_read_when_the_reader_was_closed(
    reader: SnowflakeReader, begun: list[Begun]
) -> None:
    def work(snapshot: Snapshot) -> int:
        reader.close()
        return build_seen(snapshot)

    assert reader.read(work) == 1
    assert [each.session.is_closed() for each in begun] == [True]


def test_readers_sign_in_by_their_role_to_what_is_published(warehouse: SnowflakeWarehouse, begun: list[Begun]) -> None:
    address = replace(warehouse._address, user="MILLRACE_API", role="MILLRACE_READER")
    reader = SnowflakeReader(address, tag="millrace api")
    reader.version()
    reader.close()
    said, session = begun[0].said, begun[0].said["session_parameters"]
    assert (said["user"], said["role"], said["schema"]) == ("MILLRACE_API", "MILLRACE_READER", "PUBLISHED")
    assert (session["USE_CACHED_RESULT"], session["QUERY_TAG"]) == (True, "millrace api")
    assert (session["STATEMENT_TIMEOUT_IN_SECONDS"], said["network_timeout"]) == (30, 60)


def test_a_publication_whose_build_is_not_in_the_log_is_named(
    warehouse: SnowflakeWarehouse, reader: SnowflakeReader
) -> None:
    warehouse.execute("DELETE FROM META.BUILDS")
    with pytest.raises(ConfigError, match="names a build that META") as raised:
        reader.read(build_seen)
    assert raised.value.step is Step.BUILD


def test_other_tables_of_meta_are_no_marts(reader: SnowflakeReader) -> None:
    assert reader.read(lambda it: it.tables) == frozenset(MARTS)
