# ruff: noqa: S608 - the names are this project's own
"""The status of a store: loads, builds, marts, events. The SQL is the same on DuckDB and on Snowflake.

Only META and the marts are read, so that a reader of PUBLISHED suffices. Waiting events are therefore counted from the
ledger, not from the raw rows. A missing table counts as empty.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from millrace.errors import says_damage
from millrace.lake import ObjectVersion
from millrace.status import completeness, unpriced
from millrace.status.completeness import AccountState
from millrace.tables import MOST_AHEAD
from millrace.warehouse import QUARANTINED, LedgerEntry, source_windows

Row = dict[str, Any]
StoreKind = Literal["warehouse", "published"]

USAGE_MARTS = ("usage_events", "usage_daily", "usage_session", "usage_project", "usage_provider_day", "usage_model_day")
"""The incremental marts, which are refreshed as events arrive, each with a watermark."""
_OF_USAGE_TOO = (
    *("usage_coverage", "ai_spend_by_repo_week", "cost_per_merged_pr", "project_repositories"),
    "user_developers",
)
_OF_DELIVERY = (
    *("velocity", "developer_velocity", "review_costs", "quality", "ai_impact", "merged_pull_requests"),
    *("agent_pull_requests", "implausible_values"),
)
MARTS = (*_OF_DELIVERY, *USAGE_MARTS, *_OF_USAGE_TOO, completeness.MART)
_USAGE = "usage_events"
_REPOSITORIES = ("repos", "github_repos")
_MOST_UNPRICED = 20
_FIGURES = {
    "projects": ("count(DISTINCT project)", "usage_events", "1 = 1"),
    "projects_with_mart": ("count(DISTINCT project)", "usage_project", "1 = 1"),
    "projects_with_repository": ("count(DISTINCT project)", "project_repositories", "repo_name IS NOT NULL"),
    "repositories_with_pull_requests": ("count(DISTINCT repo_name)", "velocity", "1 = 1"),
    "values_made_unknown": ("sum(value_count)", "implausible_values", "1 = 1"),
}
_NEWEST = {
    "newest_event": ("max(_load_seq)", "usage_events", "1 = 1")
}  # not in the GROUP BY: it takes a twentieth of the time

_TABLES = """
    SELECT lower(table_schema) AS place, lower(table_name) AS name FROM information_schema.tables
    WHERE table_catalog = current_database() AND lower(table_schema) IN ('meta', '{marts}')"""
_BUILDS = """
    SELECT number, result, built_through, as_of, started_at, finished_at, seconds, nodes FROM meta.builds
    WHERE {which} ORDER BY number DESC LIMIT 3"""
_GOOD = "number = (SELECT max(number) FROM meta.builds WHERE result = 'good')"
_WATERMARKS = "SELECT mart_name, load_seq, refreshed_at FROM meta.mart_watermarks"
# For each table: what was loaded, and how much of it is after the load sequence that the marts have.
_LOADS = """
    SELECT table_name, max(load_seq) AS newest, sum(rows_inserted) AS row_count, max(extracted_at) AS extracted_at,
        max(CASE WHEN run_id IS NULL THEN 0 ELSE 1 END) AS is_extracted,
        max(CASE WHEN changed > 0 THEN load_seq END) AS changed_seq,
        sum(CASE WHEN load_seq > through THEN changed ELSE 0 END) AS waiting,
        min(CASE WHEN load_seq > through AND changed > 0 THEN loaded_at END) AS waiting_since,
        max(CASE WHEN load_seq > through AND changed > 0 THEN loaded_at END) AS waiting_until
    FROM (
        SELECT table_name, load_seq, rows_inserted, extracted_at, run_id, loaded_at,
            rows_inserted + rows_updated AS changed,
            CASE WHEN table_name = 'usage_events' THEN {usage_through} ELSE {built_through} END AS through
        FROM meta.loads
    ) AS each_load
    GROUP BY table_name"""
_LEDGER = "SELECT * FROM meta.loads"
_EVENTS = """
    SELECT provider, cost_source, count(*) AS event_count FROM {marts}.usage_events
    GROUP BY provider, cost_source"""


class Store(Protocol):
    """The store that the status reads: the working warehouse, or its published marts."""

    @property
    def kind(self) -> StoreKind:
        """Which of the two it is; only the working warehouse has the newest load."""

    @property
    def marts(self) -> str:
        """The schema of the marts: a name to put before the dot."""

    def query(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        """Return the rows of a query as dicts, with names in lower case; MillraceError when it fails."""


@dataclass(frozen=True, slots=True)
class BuildState:
    """One build, and how it ended."""

    number: int
    result: str
    built_through: int
    started_at: datetime
    finished_at: datetime | None
    seconds: float | None
    met_damage: bool


@dataclass(frozen=True, slots=True)
class MartState:
    """One mart: the load sequence through which it has all changes, and whether it is up to date; None is unknown."""

    name: str
    watermark: int | None
    is_current: bool
    rows: int | None
    last_refresh_at: datetime | None


@dataclass(frozen=True, slots=True)
class Loaded:
    """The loads of one table, and how many of its rows wait for the marts, since when and until when."""

    row_count: int = 0
    newest: int = 0
    changed_seq: int = 0
    is_extracted: bool = False  # by a run; else only dropped
    extracted_at: datetime | None = None
    waiting: int = 0
    waiting_since: datetime | None = None
    waiting_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Events:
    """The number of usage events in the marts. A blank provider is `unknown`; prompts have the cost source `prompt`."""

    total: int
    newest_load_seq: int
    by_provider: dict[str, int]
    by_cost_source: dict[str, int]


@dataclass(frozen=True, slots=True)
class UnpricedKey:
    """A key without a price. `context` is its `context_over_tokens`, `gap` what is missing; None where unknown."""

    agent: str
    provider: str | None
    model: str | None
    responses: int
    tokens: int
    speed: str
    region: str | None
    context: int | None
    gap: str | None


@dataclass(frozen=True, slots=True)
class Coverage:
    """Counts of projects, repositories and implausible values; repositories with pull requests have a merged one."""

    projects: int
    projects_with_mart: int
    projects_with_repository: int
    repositories: int
    repositories_with_pull_requests: int
    values_made_unknown: int
    unpriced: tuple[UnpricedKey, ...]


@dataclass(frozen=True, slots=True)
class WarehouseStatus:
    """The status of a store. `good` is the last good build, `builds` are the last ones, newest first."""

    kind: StoreKind
    builds: tuple[BuildState, ...]
    good: BuildState | None
    as_of: datetime | None
    loads: dict[str, Loaded]
    marts: tuple[MartState, ...]
    events: Events
    coverage: Coverage
    completeness: tuple[AccountState, ...] = ()

    @property
    def newest_load_seq(self) -> int:
        """The newest load of any table, including loads that ended in quarantine."""
        return max((loaded.newest for loaded in self.loads.values()), default=0)

    def ahead(self, now: datetime) -> tuple[tuple[str, float], ...]:
        """Return the tables with rows that were extracted after `now`, and how many seconds after it."""
        stamps = [(table, loaded.extracted_at) for table, loaded in self.loads.items()]
        return tuple((table, (at - now).total_seconds()) for table, at in stamps if at and at > now + MOST_AHEAD)

    @property
    def usage(self) -> Loaded:
        """The loads of usage events."""
        return self.loads.get(_USAGE, Loaded())

    @property
    def others(self) -> list[Loaded]:
        """The loads of all other tables."""
        return [loaded for table, loaded in self.loads.items() if table != _USAGE]


def read_status(store: Store) -> WarehouseStatus:
    """Return the status of a store; MillraceError when it cannot be read."""
    marts = store.marts.lower()
    there = {(row["place"], row["name"]) for row in store.query(_TABLES.format(marts=marts))}
    has = {name for place, name in there if place == marts}
    builds, good, as_of = _builds(store) if ("meta", "builds") in there else ((), None, None)
    noted = store.query(_WATERMARKS) if ("meta", "mart_watermarks") in there else []
    prefix = "published." if marts == "published" else ""  # Snowflake's prefix for the marts that it copied
    watermarks = {row["mart_name"].removeprefix(prefix): row for row in noted if row["mart_name"].startswith(prefix)}
    through = min(watermarks[mart]["load_seq"] if mart in watermarks else -1 for mart in USAGE_MARTS)
    built_through = good.built_through if good else 0
    asked = _LOADS.format(usage_through=int(through), built_through=int(built_through))
    found = store.query(asked) if ("meta", "loads") in there else []
    loads = {str(row["table_name"]): _loaded(row) for row in found}
    counts = _counts(store, has)
    grouped = store.query(_EVENTS.format(marts=store.marts)) if _USAGE in has else []
    events = _events(grouped, counts.get("newest_event", 0))
    return WarehouseStatus(
        kind=store.kind,
        builds=builds,
        good=good,
        as_of=as_of,
        loads=loads,
        marts=tuple(_mart(name, watermarks.get(name), good, loads, counts.get(name)) for name in MARTS),
        events=events,
        coverage=_coverage(store, counts, events, loads),
        completeness=_completeness(store, ("meta", source_windows.NAME) in there, loads, counts),
    )


class StoreLedger:
    """The ledger of a read-only store; without a store it is empty."""

    def __init__(self, store: Store | None) -> None:
        self._store = store

    def find(self, version: ObjectVersion) -> LedgerEntry | None:
        """Return the ledger entry of one object; None while it has none."""
        asked = f"{_LEDGER} WHERE bucket = ? AND name = ? AND generation = ?"
        values = (version.bucket, version.name, version.generation)
        found = self._store.query(asked, values) if self._store else []
        return _entry(found[0]) if found else None

    def loads_of(self, run_id: str) -> list[LedgerEntry]:
        """Return the entries of one run, in the order of `load_seq`."""
        asked = f"{_LEDGER} WHERE run_id = ? ORDER BY load_seq"
        return [_entry(row) for row in self._store.query(asked, (run_id,))] if self._store else []

    def entries(self, is_quarantined: bool = False) -> list[LedgerEntry]:
        """Return all entries, or only quarantined objects and their retries, in the order of `load_seq`."""
        asked = f"{_LEDGER} WHERE {QUARANTINED if is_quarantined else True} ORDER BY load_seq"
        return [_entry(row) for row in self._store.query(asked)] if self._store else []


def _entry(row: Row) -> LedgerEntry:
    version = ObjectVersion(row["bucket"], row["name"], row["generation"])
    others = {name: value for name, value in row.items() if name not in ("bucket", "name", "generation")}
    instants = {name: _utc(value) for name, value in others.items() if isinstance(value, datetime)}
    return LedgerEntry(version, **others | instants)


def _builds(store: Store) -> tuple[tuple[BuildState, ...], BuildState | None, datetime | None]:
    last = store.query(_BUILDS.format(which="1 = 1"))
    good = [row for row in last if row["result"] == "good"][:1] or store.query(_BUILDS.format(which=_GOOD))
    return (
        tuple(map(_build, last)),
        _build(good[0]) if good else None,
        _utc(good[0]["as_of"]) if good else None,
    )


def _build(row: Row) -> BuildState:
    return BuildState(
        number=int(row["number"]),
        result=row["result"],
        built_through=int(row["built_through"]),
        started_at=_zoned(row["started_at"]),
        finished_at=_utc(row["finished_at"]),
        seconds=None if row["seconds"] is None else float(row["seconds"]),
        met_damage=says_damage(row["nodes"] or ""),
    )


def _loaded(row: Row) -> Loaded:
    return Loaded(
        row_count=int(row["row_count"] or 0),
        newest=int(row["newest"] or 0),
        changed_seq=int(row["changed_seq"] or 0),
        is_extracted=bool(row["is_extracted"]),
        extracted_at=_utc(row["extracted_at"]),
        waiting=int(row["waiting"] or 0),
        waiting_since=_utc(row["waiting_since"]),
        waiting_until=_utc(row["waiting_until"]),
    )


def _counts(store: Store, has: set[str]) -> dict[str, int]:
    """Return the row count of each existing mart and the figures of `_FIGURES` and `_NEWEST`, in one statement."""
    counts = {mart: ("count(*)", mart, "1 = 1") for mart in MARTS if mart in has}
    counts |= {name: figure for name, figure in (_FIGURES | _NEWEST).items() if figure[1] in has}
    each = [
        f"SELECT '{name}' AS name, {what} AS n FROM {store.marts}.{mart} WHERE {which}"
        for name, (what, mart, which) in counts.items()
    ]
    found = store.query(" UNION ALL ".join(each)) if each else []
    return {row["name"]: int(row["n"] or 0) for row in found}


def _mart(
    name: str, watermark: Row | None, good: BuildState | None, loads: dict[str, Loaded], rows: int | None
) -> MartState:
    """Return the state of a mart: of a usage mart by its watermark, of any other by the last good build."""
    if name in USAGE_MARTS:
        through = None if watermark is None else int(watermark["load_seq"])
        refreshed_at = None if watermark is None else _utc(watermark["refreshed_at"])
        newest = loads.get(_USAGE, Loaded()).changed_seq
    else:
        through, refreshed_at = (good.built_through, good.finished_at) if good else (None, None)
        reads = [load for table, load in loads.items() if table != _USAGE or name in _OF_USAGE_TOO]
        newest = max((load.changed_seq for load in reads), default=0)
    is_current = rows is not None and through is not None and through >= newest
    return MartState(name, through, is_current, rows, refreshed_at)


def _events(rows: list[Row], newest: int) -> Events:
    by_provider: dict[str, int] = {}
    by_source: dict[str, int] = {}
    for row in rows:
        provider, source = row["provider"] or "unknown", row["cost_source"] or "prompt"
        by_provider[provider] = by_provider.get(provider, 0) + int(row["event_count"])
        by_source[source] = by_source.get(source, 0) + int(row["event_count"])
    most_first = [dict(sorted(by.items(), key=lambda item: (-item[1], item[0]))) for by in (by_provider, by_source)]
    return Events(sum(by_source.values()), newest, *most_first)


def _coverage(store: Store, counts: dict[str, int], events: Events, loads: dict[str, Loaded]) -> Coverage:
    return Coverage(
        **{name: counts.get(name, 0) for name in _FIGURES},
        repositories=sum(loads.get(table, Loaded()).row_count for table in _REPOSITORIES),
        unpriced=_unpriced(store) if "unknown" in events.by_cost_source else (),
    )


def _completeness(
    store: Store, has_view: bool, loads: dict[str, Loaded], counts: dict[str, int]
) -> tuple[AccountState, ...]:
    """Return what the view of META has; until the first load of this version makes it, what was built of it."""
    if has_view:
        return completeness.read(store.query, completeness.VIEW) if source_windows.NAME in loads else ()
    is_built = counts.get(completeness.MART, 0) > 0
    return completeness.read(store.query, f"{store.marts}.{completeness.MART}") if is_built else ()


def _unpriced(store: Store) -> tuple[UnpricedKey, ...]:
    columns = {row["name"] for row in store.query(unpriced.columns_of(store.marts))}
    return tuple(
        UnpricedKey(
            agent=row["agent"],
            provider=row["provider"],
            model=row["model"],
            responses=int(row["responses"]),
            tokens=int(row["total_tokens"] or 0),
            speed=row["speed"],
            region=row["region"],
            context=None if row["context"] is None else int(row["context"]),
            gap=row["gap"],
        )
        for row in store.query(unpriced.query(f"{store.marts}.usage_events", columns, _MOST_UNPRICED))
    )


def _utc(value: datetime | None) -> datetime | None:
    """Return an instant with its zone: the warehouses store UTC without a zone."""
    return None if value is None else _zoned(value)


def _zoned(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
