"""The rules that must hold after every schedule, whatever faults it had."""

import io
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq
from tests.proofs.faults.dbt_sim import Marts
from tests.proofs.faults.nature import Violation
from tests.proofs.faults.world import BUCKET, World

from millrace import runs
from millrace.lake import ObjectMissing, ObjectVersion, names as keys
from millrace.lake.names import CursorKey, DroppedFile, FinalKey, PlanKey, RawPart, TaskKey
from millrace.runs import reconcile
from millrace.tables import CURSOR_SIM

Tables = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Expected:
    """The result of one clean run; with marts only if the schedule uses the real dbt."""

    tables: Tables
    marts: Marts | None


def check(world: World, expected: Expected | None) -> None:
    """Raise Violation for the first broken rule."""
    check_write_once(world)
    check_runs(world)
    check_ledger(world)
    check_inserted(world)
    check_reconciliation(world)
    check_cursors(world)
    if expected is not None:
        check_rows(world, expected.tables)
    check_left_overs(world)
    world.builds.check(expected.marts if expected else None)


def check_after_disturbance(world: World, expected: Tables) -> None:
    """Check that everything the machine lost is there again, by whatever way."""
    check_rows(world, expected)
    known = {name for (name,) in world.engine.query("SELECT name FROM meta.loads")}
    held = [stored.version.name for prefix in ("raw/", "drop/") for stored in world.raw_lake.list(prefix)]
    if unknown := [name for name in held if name not in known]:
        raise Violation("the ledger knows the lake", f"{unknown} are in no ledger")
    blamed = world.engine.query(
        "SELECT name FROM meta.loads WHERE name LIKE 'raw/%' AND quarantine_reason = 'unreadable'"
    )
    if blamed:
        raise Violation("good parts are not set aside", f"{blamed} are in quarantine")


def tables_of(world: World) -> Tables:
    """Return the rows of the raw tables, without the columns that depend on how a row arrived."""
    return {name: world.engine.rows(name) for name in CURSOR_SIM}


def check_rows(world: World, expected: Tables) -> None:
    """Check that the raw tables equal those of one clean run over the same source."""
    found = tables_of(world)
    for name, rows in expected.items():
        if found[name] != rows:
            missing = [row for row in rows if row not in found[name]]
            surplus = [row for row in found[name] if row not in rows]
            raise Violation(
                "rows",
                f"raw.{name} has {len(found[name])} rows, a clean run gives {len(rows)}; "
                f"{len(missing)} are missing: {missing[:2]}, {len(surplus)} are surplus: {surplus[:2]}",
            )


def check_write_once(world: World) -> None:
    """Check that plans, records, parts and final objects were created once."""
    written = Counter(stored.version.name for stored in world.history.writes)
    for name, times in written.items():
        if times > 1 and isinstance(keys.parse(name), PlanKey | TaskKey | RawPart | FinalKey):
            rule = "final once" if isinstance(keys.parse(name), FinalKey) else "write once"
            raise Violation(rule, f"{name} was written {times} times")


def run_ids(world: World) -> list[str]:
    """Return every run that was started."""
    found = (keys.parse(stored.version.name) for stored in world.raw_lake.list("runs/"))
    return [key.run_id for key in found if isinstance(key, PlanKey)]


def check_runs(world: World) -> None:
    """Check that every run is final, and that none was final before all of it was there."""
    for run_id in run_ids(world):
        final = runs.read_final(world.raw_lake, run_id)
        if final is None:
            raise Violation("runs end", f"run {run_id} has no final object")
        if final.status != "complete":
            raise Violation("runs end", f"run {run_id} failed: {final.reason}")
        loads = {entry.version: entry for entry in world.warehouse.loads_of(run_id)}
        records = dict(runs.read_tree(world.raw_lake, run_id))
        if None in records.values():
            raise Violation("final is complete", f"run {run_id} is final without {records}")
        written = {stored.version.name: at for at, stored in enumerate(world.history.writes)}
        late = [name for name in records if written[str(TaskKey(run_id, name))] > written[str(FinalKey(run_id))]]
        if late or set(final.tasks) != set(records):
            raise Violation("final is complete", f"run {run_id} was final before {late or set(records)}")
        for part in (part for record in records.values() if record for part in record.parts):
            entry = loads.get(part.version(BUCKET))
            if entry is None:
                raise Violation("parts are loaded", f"{part.name} of a final run is not in the ledger")
            if entry.load_seq > final.load_seq:
                raise Violation("final is complete", f"{part.name} was loaded after its run was final")


def check_ledger(world: World) -> None:
    """Check that each version is in the ledger at most once, with counts that add up to its rows."""
    columns = "name, generation, rows_read, rows_inserted, rows_updated, rows_unchanged, rows_superseded"
    entries = world.engine.query(f"SELECT {columns}, rows_quarantined, quarantine_reason FROM meta.loads")  # noqa: S608
    versions = Counter((name, generation) for name, generation, *_ in entries)
    for (name, generation), times in versions.items():
        if times > 1:
            raise Violation("ledger", f"{name} at {generation} is in the ledger {times} times")
    for name, generation, read, *row_actions, quarantined, reason in entries:
        if reason is not None:
            version = ObjectVersion(BUCKET, name, generation)
            said = world.quarantine.read(f"{keys.quarantine_name(version)}.json")[0].decode()
            raise Violation("quarantine", f"{name} was quarantined without cause: {said}")
        if read != sum(row_actions) + quarantined:
            raise Violation("ledger", f"{name}: {read} rows were read, their row actions are {row_actions}")
        held = _rows_in(name, world.history.contents[ObjectVersion(BUCKET, name, generation)])
        if read != held:
            raise Violation("ledger", f"{name} at {generation} holds {held} rows, the ledger says {read}")
    for stored in world.raw_lake.list("drop/"):
        if (stored.version.name, stored.version.generation) not in versions:
            raise Violation("drops are loaded", f"{stored.version.name} is not in the ledger")


def _rows_in(name: str, content: bytes) -> int:
    if isinstance(keys.parse(name), DroppedFile):
        return content.count(b"\n")
    return int(pq.read_metadata(io.BytesIO(content)).num_rows)


def check_inserted(world: World) -> None:
    """Check the inserted rows of the ledger against the tables, and each row's change sequence against the ledger."""
    for name in CURSOR_SIM:
        ((held, noted),) = world.engine.query(
            f"SELECT (SELECT count(*) FROM raw.{name}), "  # noqa: S608
            f"(SELECT coalesce(sum(rows_inserted), 0) FROM meta.loads WHERE table_name = '{name}')",
        )
        if held != noted:
            raise Violation("inserted", f"raw.{name} holds {held} rows, the ledger says {noted} were inserted")
        strangers = world.engine.query(
            f"SELECT r._load_seq, count(*) FROM raw.{name} AS r "  # noqa: S608
            f"LEFT JOIN meta.loads AS l ON l.load_seq = r._load_seq AND l.table_name = '{name}' "
            "GROUP BY ALL HAVING count(*) > coalesce(any_value(l.rows_inserted + l.rows_updated), 0)",
        )
        if strangers:
            raise Violation("inserted", f"raw.{name} has changes that the ledger does not know: {strangers}")


def check_reconciliation(world: World) -> None:
    """Check that every run adds up: the source's rows are in the warehouse, and none is quarantined."""
    for run_id in run_ids(world):
        for line in reconcile.reconcile(world.raw_lake, world.warehouse, run_id):
            if not line.is_balanced:
                raise Violation("reconciliation", f"run {run_id}: {line}")


def check_cursors(world: World) -> None:
    """Check that a cursor moves only to the end of a final run, never back, and ends at the newest."""
    held: dict[str, str] = {}
    final: set[str] = set()
    for stored in world.history.writes:
        key = keys.parse(stored.version.name)
        if isinstance(key, FinalKey):
            final |= {record.extracted_at for _, record in runs.read_tree(world.raw_lake, key.run_id) if record}
        if isinstance(key, CursorKey):
            moment = json.loads(world.history.contents[stored.version])["extracted_at"]
            if moment < held.get(stored.version.name, ""):
                raise Violation("cursors", f"{stored.version.name} went back to {moment}")
            if moment not in final:
                raise Violation("cursors", f"{stored.version.name} moved to {moment}, which no final run has read")
            held[stored.version.name] = moment
    newest: dict[str, str] = {}
    for run_id in run_ids(world):
        for task_id, record in runs.read_tree(world.raw_lake, run_id):
            assert record is not None
            newest[task_id] = max(newest.get(task_id, ""), record.extracted_at)
    for task_id, moment in newest.items():
        try:
            found = json.loads(world.raw_lake.read(str(CursorKey(task_id)))[0])["extracted_at"]
        except ObjectMissing:
            found = None
        if found != moment:
            raise Violation("cursors", f"{task_id} is at {found}, finished runs have read until {moment}")


def check_left_overs(world: World) -> None:
    """Check that no handler left a temporary file."""
    left = [*(world.folder / "tmp").iterdir(), *(world.folder / BUCKET / ".lake").iterdir()]
    if names := [path.name for path in left if path.name != "lock"]:
        raise Violation("left-overs", f"temporary files stayed: {names}")
