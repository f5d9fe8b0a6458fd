# ruff: noqa: S608 - the names are this module's own
"""The guarantees of every reader: all answers of a read are from one publication, and it is the newest."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from tests.warehouse.conftest import ReadableWarehouse
from tests.warehouse.publishing import MARTS, ROWS, publish

from millrace.errors import ConfigError
from millrace.warehouse.reading import Snapshot

READERS = 50
PUBLICATIONS = 4


def numbers(snapshot: Snapshot) -> set[int]:
    """Return the builds whose rows are seen: more than one if the snapshot mixes publications."""
    found = {snapshot.build.number}
    for mart in MARTS:
        rows = snapshot.query(f"SELECT build, COUNT(*) AS n FROM {snapshot.schema}.{mart} GROUP BY build")
        assert [row["n"] for row in rows] == [ROWS]
        found |= {int(row["build"]) for row in rows}
    return found


def test_reading_before_first_publication_is_refused(place: ReadableWarehouse) -> None:
    with pytest.raises(ConfigError, match=r"nothing (was|is) (built|published)"):
        place.reader.version()
    with pytest.raises(ConfigError, match=r"nothing (was|is) (built|published)"):
        place.reader.read(numbers)


def test_a_snapshot_is_the_build_that_was_published(place: ReadableWarehouse) -> None:
    build = publish(place.warehouse)
    found = place.reader.read(lambda it: (it.build, set(it.tables), it.version))
    assert found == (build, {"quality", "velocity"}, place.reader.version())


def test_the_next_publication_has_another_version_and_is_seen(place: ReadableWarehouse) -> None:
    publish(place.warehouse)
    assert place.reader.read(numbers) == {1}
    before = place.reader.read(lambda it: it.version)
    publish(place.warehouse)
    after = place.reader.read(lambda it: (it.version, numbers(it)))
    assert after[0] != before
    assert after[1] == {2}


def test_a_publication_within_a_read_mixes_nothing(place: ReadableWarehouse) -> None:
    publish(place.warehouse)
    meanwhile = iter([lambda: publish(place.warehouse)])

    def work(snapshot: Snapshot) -> set[int]:
        first = snapshot.query(f"SELECT MAX(build) AS build FROM {snapshot.schema}.velocity")
        next(meanwhile, lambda: None)()
        return numbers(snapshot) | {int(row["build"]) for row in first}

    assert len(place.reader.read(work)) == 1
    assert place.reader.read(numbers) == {2}


def test_values_are_bound(place: ReadableWarehouse) -> None:
    publish(place.warehouse)
    nasty = 'it\'s "?" -- ; :1 %s'
    rows = place.reader.read(lambda it: it.query("SELECT ? AS Said, ? AS more, '?' AS kept", [nasty, 7]))
    assert [(row["said"], int(row["more"]), row["kept"]) for row in rows] == [(nasty, 7, "?")]


def test_names_are_small_instants_aware_and_money_exact(place: ReadableWarehouse) -> None:
    publish(place.warehouse)
    rows = place.reader.read(
        lambda it: it.query(f"SELECT began_at, cost_usd, NULL AS unknown FROM {it.schema}.velocity LIMIT 1")
    )
    assert rows == [
        {"began_at": datetime(2026, 11, 20, 12, 0, 0, 5, tzinfo=UTC), "cost_usd": Decimal("1.5"), "unknown": None}
    ]


def test_a_mart_that_is_not_there_is_no_matter_of_trying_again(place: ReadableWarehouse) -> None:
    publish(place.warehouse)
    with pytest.raises(ConfigError, match=r"(?i)nothing_of_the_kind"):
        place.reader.read(lambda it: it.query(f"SELECT * FROM {it.schema}.nothing_of_the_kind"))


def test_error_in_work_is_raised_and_next_read_succeeds(place: ReadableWarehouse) -> None:
    publish(place.warehouse)

    def work(snapshot: Snapshot) -> None:
        raise LookupError(snapshot.engine)

    with pytest.raises(LookupError):
        place.reader.read(work)
    assert place.reader.read(numbers) == {1}


def test_a_closed_reader_opens_again(place: ReadableWarehouse) -> None:
    publish(place.warehouse)
    place.reader.read(numbers)
    place.reader.close()
    place.reader.close()
    assert place.reader.read(numbers) == {1}


@pytest.mark.parametrize("place", ["duckdb", pytest.param("snowflake", marks=pytest.mark.proof)], indirect=True)
def test_fifty_readers_see_whole_publications_while_one_follows_another(place: ReadableWarehouse) -> None:
    publish(place.warehouse)
    is_over = threading.Event()
    seen: set[int] = set()

    def read_on() -> list[set[int]]:
        found = []
        while not is_over.is_set():
            found.append(place.reader.read(numbers))
            seen.update(found[-1])
        return [*found, place.reader.read(numbers)]

    with ThreadPoolExecutor(READERS) as pool:
        reading = [pool.submit(read_on) for _ in range(READERS)]
        try:
            last = [_publish_once_seen(place, seen) for _ in range(PUBLICATIONS)][-1]
        finally:
            is_over.set()
        found = [future.result() for future in reading]
    assert {len(numbers) for each in found for numbers in each} == {1}
    assert [each[-1] for each in found] == [{last}] * READERS
    assert all(each == sorted(each, key=min) for each in found)


def _publish_once_seen(place: ReadableWarehouse, seen: set[int]) -> int:
    """Publish, and wait until a reader has seen it."""
    number = publish(place.warehouse).number
    deadline = time.monotonic() + 600
    while number not in seen:
        assert time.monotonic() < deadline, f"nobody saw {number}"
        time.sleep(0.001)
    return number
