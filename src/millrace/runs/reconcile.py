"""Reconciliation: every source row is in the warehouse, in quarantine, or reported as missing; and sums of usage."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Self

from millrace import runs
from millrace.lake import Lake, ObjectMissing
from millrace.lake.documents import Damaged
from millrace.runs import Part, TaskRecord
from millrace.tables import ENDPOINTS, TABLES, Table
from millrace.warehouse import Ledger, LedgerEntry, retries


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """One raw table of one run, in rows.

    The source has `source_total` rows; `known` of them were not read, because its counts show no change since the last
    run. The others were `written` to the lake, a few of them twice when a list moved while it was read. The load
    `inserted` or `updated` written rows, or found them `unchanged` or `superseded`. Rows in parts that it could not
    load are `quarantined`, rows in parts without a ledger entry are `missing`. With `is_overtaken`, what was read
    later was loaded earlier and superseded rows.
    """

    table: str
    source_total: int
    known: int
    written: int
    inserted: int
    updated: int
    unchanged: int
    superseded: int
    quarantined: int
    missing: int
    requests: int
    plan: str
    is_overtaken: bool = False

    @property
    def extracted(self) -> int:
        """Return the number of source rows that this run read."""
        return self.source_total - self.known

    @property
    def older(self) -> int:
        """Return the number of just-read rows superseded by stored ones; rows that were read twice do not count."""
        return 0 if self.is_overtaken else max(0, self.superseded - max(0, self.written - self.extracted))

    @property
    def is_balanced(self) -> bool:
        """Return whether every row is accounted for, none is in quarantine, and none is older than its stored row."""
        loaded = self.inserted + self.updated + self.unchanged + self.superseded
        is_whole = self.written >= self.extracted and loaded == self.written
        return is_whole and not (self.quarantined or self.missing or self.older)

    def to_json(self) -> dict[str, Any]:
        """Return the line as fields of a JSON object."""
        return asdict(self) | {"older": self.older, "balanced": self.is_balanced}


def reconcile(
    lake: Lake, ledger: Ledger, run_id: str, count: Callable[[Table], int] | None = None
) -> list[Reconciliation]:
    """Return a line for each raw table that recorded tasks write, summed over these, in the order of the run.

    With `count`, which returns the number of rows of a raw table, known rows that the warehouse cannot have count as
    missing. A part that was loaded by a retry from quarantine counts as loaded.
    """
    entries = ledger.loads_of(run_id)
    if any(entry.quarantine_reason is not None for entry in entries):
        entries = retries.settled(entries, ledger.entries(is_quarantined=True))
    loads = {entry.version: entry for entry in entries}
    written: dict[str, list[_Written]] = {}
    for _, record in runs.read_tree(lake, run_id):
        if record is None:
            continue
        for table in _tables_of(record):
            parts = record.parts_of(table)
            each = _Written(record, parts, [loads.get(part.version(lake.bucket)) for part in parts])
            written.setdefault(table, []).append(each)
    lines = []
    later = _Later(lake)
    for table, tasks in written.items():
        line = _line(table, tasks, count)
        older = [each.record for each in tasks if any(entry and entry.rows_superseded for entry in each.entries)]
        keeps_newest = table in TABLES and TABLES[table].keeps_newest  # a stored row may be newer than one just read
        is_overtaken = line.older > 0 and (keeps_newest or any(later.has_read(table, each, entries) for each in older))
        lines.append(replace(line, is_overtaken=True) if is_overtaken else line)
    return lines


@dataclass(frozen=True, slots=True)
class _Written:
    """What one task wrote to one raw table: the parts, and the ledger's entry of each or None."""

    record: TaskRecord
    parts: list[Part]
    entries: list[LedgerEntry | None]


def _tables_of(record: TaskRecord) -> list[str]:
    """Return the raw tables of a task: that of its own numbers first, then those with a total or a part."""
    return list(dict.fromkeys([_main_table(record), *record.totals, *(part.table for part in record.parts)]))


def _main_table(record: TaskRecord) -> str:
    return ENDPOINTS[record.table].feeds[0] if record.table in ENDPOINTS else record.table


@dataclass(slots=True)
class _Later:
    """Finds later readings of a task in all runs; the names are listed once."""

    lake: Lake
    _names: list[str] | None = None

    def has_read(self, table: str, record: TaskRecord, loads: Sequence[LedgerEntry]) -> bool:
        """Return whether a table was read later than the record says, at a time that is not in the future.

        Another run may have read it, or a second attempt at the task, whose parts no record names.
        """
        now, read_at = datetime.now(UTC), datetime.fromisoformat(record.extracted_at)
        times = [load.extracted_at for load in loads if load.table_name == table and load.extracted_at]
        if any(read_at < time <= now for time in times):
            return True
        if self._names is None:
            self._names = sorted((stored.version.name for stored in self.lake.list("runs/")), reverse=True)
        for name in self._names:
            if name.endswith(f"/tasks/{record.task_id}.json"):
                with contextlib.suppress(ObjectMissing, Damaged):
                    other = TaskRecord.parse(self.lake.read(name)[0], name)
                    if read_at < datetime.fromisoformat(other.extracted_at) <= now:
                        return True
        return False


def unfinished(lake: Lake, run_id: str) -> list[str]:
    """Return the tasks of a run that have no record."""
    return runs.tasks_of(lake, runs.read_plan(lake, run_id)).waiting


def _line(table: str, tasks: Sequence[_Written], count: Callable[[Table], int] | None) -> Reconciliation:
    """Return the line of a table. Where the source gives no total, it has what was written."""
    own = [each.record for each in tasks if _main_table(each.record) == table]
    pairs = [pair for each in tasks for pair in zip(each.parts, each.entries, strict=True)]
    loaded = [entry for _, entry in pairs if entry is not None and entry.quarantine_reason is None]
    source_total = sum(_total(table, each) for each in tasks)
    known = sum(record.known for record in own)
    missing = sum(part.rows for part, entry in pairs if entry is None)
    quarantined = sum(part.rows for part, entry in pairs if entry is not None and entry.quarantine_reason)
    if count is not None and known:
        # Rows of other endpoints in this table may be the same ones, so only those of its own are counted.
        own_total = sum(record.source_total for record in own)
        missing += max(0, own_total - missing - quarantined - count(TABLES[table]))
    return Reconciliation(
        table=table,
        source_total=source_total,
        known=known,
        written=sum(part.rows for part, _ in pairs),
        inserted=sum(entry.rows_inserted for entry in loaded),
        updated=sum(entry.rows_updated for entry in loaded),
        unchanged=sum(entry.rows_unchanged for entry in loaded),
        superseded=sum(entry.rows_superseded for entry in loaded),
        quarantined=quarantined,
        missing=missing,
        requests=sum(record.requests for record in own),
        plan=", ".join(sorted({each.record.plan for each in tasks})),
    )


def _total(table: str, task: _Written) -> int:
    if _main_table(task.record) == table:
        return task.record.source_total
    return task.record.totals.get(table, sum(part.rows for part in task.parts))


@dataclass(frozen=True, slots=True)
class UsageLine:
    """The totals of all usage in one relation; the marts must agree with the events, and the events with the load.

    `events` is the number of different events; for the marts, the number of responses and prompts.
    """

    name: str
    events: int
    tokens: int
    cost_usd: Decimal

    def agrees_with(self, other: Self) -> bool:
        """Return whether both have the same totals."""
        return (self.events, self.tokens, self.cost_usd) == (other.events, other.tokens, other.cost_usd)


USAGE_MARTS = ("usage_daily", "usage_session", "usage_project", "usage_provider_day")
"""The marts of all events, prompts too. usage_model_day holds responses only: see the test usage_marts_add_up."""
_FACT = """
    SELECT 'usage_events', count(*), coalesce(sum(total_tokens), 0), coalesce(sum(cost_usd), 0)
    FROM mart.usage_events"""
_MART = """
    SELECT '{0}', coalesce(sum(assistant_message_count + user_message_count), 0), coalesce(sum(total_tokens), 0),
        coalesce(sum(cost_usd), 0) FROM mart.{0}"""
_LOADED = """
    SELECT count(*) FROM (
        SELECT DISTINCT agent, message_id, request_id FROM staging.stg_usage_events WHERE is_usable
    )"""


def reconcile_usage(query: Callable[[str], list[tuple[Any, ...]]]) -> tuple[int, list[UsageLine]]:
    """Return the number of loaded events, then the totals of the fact and of each mart, the fact first."""
    lines = [UsageLine(*query(sql)[0]) for sql in (_FACT, *(_MART.format(mart) for mart in USAGE_MARTS))]
    return int(query(_LOADED)[0][0]), lines
