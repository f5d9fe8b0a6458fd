"""The comparison of a run with the source, which the simulator serves."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from terraform.checks.comparing import compare

import simulator
from millrace.extract.auth import Basic
from millrace.extract.http_client import SourceClient
from millrace.extract.sources.cursor_sim.listing import Listing
from millrace.runs import TaskRecord
from millrace.tables import TABLES

KEY = "key-of-the-source"
END = datetime(2026, 10, 20, tzinfo=UTC)


@pytest.fixture(scope="module")
def source() -> Iterator[SourceClient]:
    with simulator.serve(simulator.generate(developers=3, days=20, seed=11, end=END), key=KEY) as running:
        yield SourceClient(running.url, Basic(KEY))


def record(table: str, client: SourceClient) -> TaskRecord:
    """Return the record of a table that was read from the source as it is now."""
    listing = Listing(client.for_task(), TABLES[table], None, None, lambda columns: ())
    rows = sum(len(batch) for batch in listing.rows())
    return TaskRecord(
        run_id="20261020T000000Z",
        task_id=table,
        table=table,
        plan="bulk",
        extracted_at="2026-10-19T00:00:00+00:00",
        finished_at="2026-10-20T00:00:00+00:00",
        since=None,
        window_start=None,
        source_total=listing.source_total,
        known=0,
        repeated=listing.repeated,
        rows=rows,
        parts=(),
        children=(),
        requests=1,
        retries=0,
        rate_limited=0,
        waited_s=0.0,
        counts=dict(listing.counts),
    )


def fewer(held: TaskRecord, day: str, number: int) -> TaskRecord:
    """Return the record as of a source that had `number` rows less, dated `day` or later."""
    key = next(key for key in sorted(held.counts) if key[:10] >= day and held.counts[key] >= number)
    counts = dict(held.counts) | {key: held.counts[key] - number}
    return replace(held, source_total=held.source_total - number, rows=held.rows - number, counts=counts)


@pytest.mark.parametrize("table", ["repos", "commits", "pull_requests", "reviews"])
def test_an_unchanged_source_is_equal(table: str, source: SourceClient) -> None:
    found = compare(record(table, source), source)
    assert (found.is_equal, found.text.endswith(": equal")) == (True, True)


def test_rows_that_arrived_meanwhile_explain_a_difference(source: SourceClient) -> None:
    found = compare(fewer(record("commits", source), "2026-10-19", 1), source)
    assert found.is_equal is True
    assert "(+1): changed meanwhile, equal before 2026-10-19" in found.text


def test_rows_of_earlier_days_are_a_difference(source: SourceClient) -> None:
    found = compare(fewer(record("commits", source), "2026-10-05", 1), source)
    assert found.is_equal is False
    assert "before 2026-10-19" in found.text


def test_rows_that_the_run_lacks_are_a_difference(source: SourceClient) -> None:
    held = record("repos", source)
    found = compare(replace(held, rows=held.rows - 1), source)
    assert (found.is_equal, found.text.endswith("1 are missing")) == (False, True)


def test_an_undated_table_that_shrank_is_a_difference(source: SourceClient) -> None:
    held = record("reviews", source)
    found = compare(replace(held, source_total=held.source_total + 2, rows=held.rows + 2), source)
    assert (found.is_equal, found.text.endswith("rows that the run read are gone")) == (False, True)


def test_a_source_that_is_down_could_not_be_compared(source: SourceClient) -> None:
    down = SourceClient("http://127.0.0.1:9", Basic(KEY), sleep=lambda seconds: None)
    found = compare(record("repos", source), down)
    assert (found.is_equal, "could not compare" in found.text) == (None, True)
