"""After any sequence of loads the warehouse equals `merging.Model`, with repeated, late or broken loads."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.proofs.stateful.effort import check
from tests.proofs.stateful.merging import TABLE, Model, Row, Version, listed, row_actions_of

from millrace.errors import BadObject
from millrace.lake import ObjectVersion
from millrace.warehouse import Batch, LedgerEntry, SmallObject, Warehouse
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

T0 = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOW = T0 + HOUR  # of a bundle: no stamp of INSTANTS is in the future, where it would lose
INSTANTS = st.sampled_from([T0, T0 + HOUR])
RUNS = st.sampled_from(["r1", "r2", None])
KEY = st.fixed_dictionaries(
    {"commitHash": st.sampled_from(["a", "b"]), "repoName": st.sampled_from(["r", None]), "userId": st.just("u")}
)
CONTENT = {
    "message": st.sampled_from(["x", "y"]),
    "createdAt": INSTANTS,
    "_extracted_at": INSTANTS,
    "_run_id": st.sampled_from(["r1", "r2"]),
}
REGISTERED = st.tuples(KEY, st.fixed_dictionaries({}, optional=CONTENT)).map(lambda parts: parts[0] | parts[1])
DRIFTED = st.tuples(REGISTERED, st.sampled_from([{}, {"starred": "s"}])).map(lambda parts: parts[0] | parts[1])
ECHO: Row = {"_run_id": "r3"}  # the same row again, by another run
ROWS = st.lists(DRIFTED, max_size=3)
OBJECTS = st.tuples(ROWS, st.integers(0, 1)).map(lambda parts: parts[0] + [row | ECHO for row in parts[0][: parts[1]]])
NAMELESS = st.sampled_from([{"commitHash": None, "userId": "u"}, {"commitHash": "a", "userId": None}])
SMALL_OBJECTS = st.lists(st.lists(REGISTERED, max_size=3), min_size=1, max_size=3)


class Interrupted(Exception):
    """The process dies within the transaction."""


@dataclass
class Opened:
    """A warehouse, and its contents for a test: every row of the raw table, with all columns."""

    warehouse: Warehouse
    rows: Callable[[], list[Row]]
    close: Callable[[], None]


Open = Callable[[Path, Callable[[], datetime]], Opened]  # the same folder again is the same warehouse


def open_duckdb(folder: Path, clock: Callable[[], datetime]) -> Opened:
    path = folder / "warehouse.duckdb"
    warehouse = DuckDBWarehouse(path, clock=clock)

    def rows() -> list[Row]:
        with duckdb.connect(path) as connection:
            result = connection.execute(f'SELECT * FROM raw."{TABLE.name}"')  # noqa: S608
            names = [column[0] for column in result.description or ()]
            return [{name: _aware(value) for name, value in zip(names, row, strict=True)} for row in result.fetchall()]

    return Opened(warehouse, rows, warehouse.close)


def _aware(value: object) -> object:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


class MergeMachine(RuleBasedStateMachine):
    """One table and its ledger."""

    def __init__(self, open_warehouse: Open) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="merge-"))
        self.is_interrupted = False
        self.open_warehouse = open_warehouse
        self.opened = open_warehouse(self.folder, self.clock)
        self.model = Model()
        self.numbers = count(1)

    def teardown(self) -> None:
        try:
            self.the_ledger_is_the_models_and_adds_up()
        finally:
            self.opened.close()
            shutil.rmtree(self.folder)

    def clock(self) -> datetime:
        if self.is_interrupted:
            raise Interrupted
        return T0

    @property
    def warehouse(self) -> Warehouse:
        return self.opened.warehouse

    def version(self) -> ObjectVersion:
        return ObjectVersion("lake", f"object-{next(self.numbers)}", 1)

    def batch(self, version: ObjectVersion, rows: Sequence[Row], run_id: str | None) -> Batch:
        path = self.folder / "object.parquet"
        columns = sorted({name for row in rows for name in row} | set(TABLE.key))
        types = {name: TABLE.schema.field(name).type if name in TABLE.schema.names else pa.string() for name in columns}
        pq.write_table(
            pa.table({name: pa.array([row.get(name) for row in rows], types[name]) for name in columns}), path
        )
        return Batch(version, TABLE, path, T0, run_id)

    def note(self, entry: LedgerEntry) -> None:
        assert all(entry.load_seq >= known.load_seq for known in self.model.ledger.values())
        assert entry.version not in self.model.ledger
        self.model.ledger[entry.version] = entry

    @rule(objects=st.lists(st.tuples(OBJECTS, RUNS), min_size=1, max_size=3))
    def load(self, objects: list[tuple[list[Row], str | None]]) -> None:
        for rows, run_id in objects:
            self.load_one(rows, run_id)

    def load_one(self, rows: list[Row], run_id: str | None) -> None:
        entry = self.warehouse.load(self.batch(self.version(), rows, run_id))
        versions = [Version.of(row, T0, run_id) for row in rows]
        assert row_actions_of(entry) == self.model.merge(versions, entry.load_seq)
        assert entry.rows_read == len(rows)
        assert entry.extracted_at == max((version.extracted_at for version in versions), default=T0)
        assert (entry.run_id, entry.quarantine_reason) == (run_id, None)
        self.note(entry)

    @precondition(lambda self: self.model.ledger)
    @rule(data=st.data(), rows=OBJECTS)
    def load_what_the_ledger_has(self, data: st.DataObject, rows: list[Row]) -> None:
        known = data.draw(st.sampled_from(list(self.model.ledger.values())))
        assert self.warehouse.load(self.batch(known.version, rows, "again")) == known

    @rule(objects=SMALL_OBJECTS, data=st.data())
    def load_a_bundle(self, objects: list[list[Row]], data: st.DataObject) -> None:
        new = [SmallObject(self.version(), self.small(rows)) for rows in objects]
        known = data.draw(st.sampled_from([None, *self.model.ledger.values()]))
        again = [SmallObject(known.version, self.small(objects[0]))] if known else []
        entries = {entry.version: entry for entry in self.warehouse.load_bundle(TABLE, [*again, *new], NOW)}
        assert [entries.pop(each.version) for each in again] == [self.model.ledger[each.version] for each in again]
        assert entries.keys() == {each.version for each in new}
        (load_seq,) = {entry.load_seq for entry in entries.values()}
        versions = [Version.of(row, NOW, None) for rows in objects for row in rows]
        assert row_actions_of(*entries.values()) == self.model.merge(versions, load_seq)
        assert [entries[each.version].rows_read for each in new] == [len(rows) for rows in objects]
        for each in new:
            self.note(entries[each.version])

    def small(self, rows: Sequence[Row]) -> pa.Table:
        columns = {field.name: pa.array([row.get(field.name) for row in rows], field.type) for field in TABLE.schema}
        return pa.table(columns, TABLE.schema)

    @rule(rows=OBJECTS, nameless=NAMELESS)
    def load_a_row_without_a_name(self, rows: list[Row], nameless: Row) -> None:
        with pytest.raises(BadObject):
            self.warehouse.load(self.batch(self.version(), [*rows, nameless], "r1"))

    @rule(objects=SMALL_OBJECTS, nameless=NAMELESS)
    def load_a_bundle_in_which_a_row_has_no_name(self, objects: list[list[Row]], nameless: Row) -> None:
        small = [SmallObject(self.version(), self.small(rows)) for rows in [*objects, [nameless]]]
        with pytest.raises(BadObject):
            self.warehouse.load_bundle(TABLE, small, NOW)

    @rule(rows=OBJECTS)
    def die_while_loading(self, rows: list[Row]) -> None:
        batch = self.batch(self.version(), rows, "r1")
        self.is_interrupted = True
        with pytest.raises(Interrupted):
            self.warehouse.load(batch)
        self.is_interrupted = False

    @rule(rows=st.sampled_from([None, 0, 3]), data=st.data())
    def quarantine(self, rows: int | None, data: st.DataObject) -> None:
        known = data.draw(st.sampled_from([None, *self.model.ledger.values()]))
        version = known.version if known else self.version()
        entry = self.warehouse.quarantine(version, TABLE.name, "r1", rows, "unreadable")
        if known:
            assert entry == known
        else:
            assert (entry.rows_read, entry.rows_quarantined, row_actions_of(entry).total()) == (rows, rows, 0)
            self.note(entry)

    @rule()
    def open_again(self) -> None:
        self.opened.close()
        self.opened = self.open_warehouse(self.folder, self.clock)

    @precondition(lambda self: self.model.rows)
    @invariant()
    def the_table_is_the_models(self) -> None:
        assert listed(self.opened.rows()) == self.model.table()
        assert sorted(self.warehouse.keys_of(TABLE), key=repr) == sorted(self.model.rows, key=repr)

    def the_ledger_is_the_models_and_adds_up(self) -> None:
        ledger = self.model.ledger
        strange = ObjectVersion("lake", "object-1", 2)
        assert self.warehouse.find_all([*ledger, strange]) == ledger
        assert self.warehouse.find(strange) is None
        assert self.warehouse.loads_of("r1") == [entry for entry in ledger.values() if entry.run_id == "r1"]
        assert all(
            e.rows_read == row_actions_of(e).total() + (e.rows_quarantined or 0) for e in ledger.values() if e.rows_read
        )
        assert row_actions_of(*ledger.values())["inserted"] == len(self.model.rows)


@pytest.mark.parametrize("open_warehouse", [pytest.param(open_duckdb, id="duckdb")])
def test_any_sequence_of_loads_leaves_the_greatest_version_of_each_key(open_warehouse: Open) -> None:
    check(partial(MergeMachine, open_warehouse), rounds=3, steps=20)
