"""Steps about values out of Parquet: lists, and instants in sessions of other time zones."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from tests.proofs.parity.extracted import END
from tests.verify_snowflake.checking import expect
from tests.verify_snowflake.place import Counted, Place

from millrace.lake import ObjectVersion
from millrace.tables import TABLES, TEXTS
from millrace.warehouse import Batch

LISTS: list[list[str | None] | None] = [None, [], [None], ["a"], ["a", "b", "c"]]
# Before and after midnight in UTC, and the two changes of the clock in Los Angeles in 2026.
INSTANTS = [
    datetime(2026, 10, 31, 23, 59, 59, 999999, UTC),
    datetime(2026, 11, 1, tzinfo=UTC),
    datetime(2026, 3, 8, 9, 59, 59, 999999, UTC),
    datetime(2026, 3, 8, 10, tzinfo=UTC),
    datetime(2026, 11, 1, 8, 30, tzinfo=UTC),
    datetime(2026, 11, 1, 9, 30, tzinfo=UTC),
]
ZONES = ("America/Los_Angeles", "Pacific/Auckland")


def lists(place: Place) -> Iterator[str]:
    """Load lists that are NULL, empty, of one NULL, of one and of several values, and compare size and content."""
    warehouse = place.emptied()
    numbers = range(len(LISTS))
    columns = {"id": list(numbers), "number": list(numbers), "repo_name": ["r"] * len(LISTS)}
    _load(warehouse, place, "pull_requests", pa.table({**columns, "commit_ids": pa.array(LISTS, TEXTS)}))
    query = "SELECT NUMBER, ARRAY_SIZE(COMMIT_IDS), TO_JSON(COMMIT_IDS) FROM RAW.PULL_REQUESTS ORDER BY NUMBER"
    rows = warehouse.execute(query)
    for number, size, text in rows:
        yield f"{json.dumps(LISTS[int(number)])} arrives as {text}, array_size {size}"
    expect("array_size", [size for _, size, _ in rows], [None if each is None else len(each) for each in LISTS])
    expect("the content", [text if text is None else json.loads(text) for *_, text in rows], LISTS)


def zones(place: Place) -> Iterator[str]:
    """Load and read instants in the adapter's session, which has to keep them, and in sessions of other zones."""
    own = place.emptied()
    _load_instants(own, place, "UTC")
    sent = own.sent
    _load_instants(own, place, "again")
    place.shared.setdefault("figures", {})["a load, in statements"] = str(own.sent - sent)
    expect("instants loaded in the adapter's session", _stored(own, "UTC"), _naive())
    yield f"{len(INSTANTS)} instants loaded in the adapter's session are exact"
    for zone in ZONES:
        other = place.open()
        other.execute(f"ALTER SESSION SET TIMEZONE = '{zone}'")
        expect(f"instants read in a session of {zone}", _stored(other, "UTC"), _naive())
        _load_instants(other, place, zone)
        pairs = zip(_stored(own, zone), _naive(), strict=True)
        hours = sorted({(stored - sent).total_seconds() / 3600 for stored, sent in pairs})
        how = "exact" if hours == [0.0] else f"off by {', '.join(f'{each:+.1f}' for each in hours)} hours"
        yield f"read in a session of {zone}: exact; loaded in one, without the adapter's UTC: {how}"


def _load_instants(warehouse: Counted, place: Place, zone: str) -> None:
    keys = {"commitHash": [f"c{number}" for number in range(len(INSTANTS))], "repoName": [zone] * len(INSTANTS)}
    stamps = pa.array(INSTANTS, pa.timestamp("us", tz="UTC"))
    _load(warehouse, place, "commits", pa.table({**keys, "userId": ["u"] * len(INSTANTS), "commitTs": stamps}))


def _stored(warehouse: Counted, zone: str) -> list[Any]:
    query = "SELECT COMMITTS FROM RAW.COMMITS WHERE REPONAME = ? ORDER BY COMMITHASH"
    return [instant for (instant,) in warehouse.execute(query, zone)]


def _naive() -> list[datetime]:
    return [instant.replace(tzinfo=None) for instant in INSTANTS]


def _load(warehouse: Counted, place: Place, table: str, rows: pa.Table) -> None:
    number = place.shared["files"] = place.shared.get("files", 0) + 1
    path = place.folder / f"{number}.parquet"
    pq.write_table(rows, path)
    version = ObjectVersion("verify", f"drop/{table}/{path.name}", number)
    warehouse.load(Batch(version, TABLES[table], path, END, None))
