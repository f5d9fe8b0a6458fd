# ruff: noqa: S608 - the names are those of the marts
"""Generated reports of usage events, their expected marts, and the contents of the marts."""

import random
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from tests.dbt.conftest import USAGE_MARTS
from tests.dbt.raw_tables import raw_schema

from millrace.collect.parsers.event import NO_COST, NO_TOKENS, Tokens, UsageEvent, merge_all
from millrace.tables import LOAD_SEQ, TABLES
from simulator.truth.prices import Prices
from simulator.truth.usage import OwnedEvent, marts

Telling = dict[str, Any]
Key = tuple[Any, ...]
Marts = dict[str, list[tuple[Any, ...]]]

TABLE = TABLES["usage_events"]
KINDS = (
    *("input_tokens", "output_tokens", "cache_read_tokens"),
    *("cache_write_5m_tokens", "cache_write_1h_tokens", "reasoning_tokens"),
)
_FEW = (None, 0, 7, 1000, 300_000)

# The values of each column in a report of few events: so few that changes meet.
POOLS: dict[str, list[Any]] = {
    "collector_id": ["c1", "c2", "c3"],
    "agent": ["claude", "cursor"],
    "message_id": ["m1", "m2", "p1"],
    "user_id": [None, "ann@example.com", "bob@example.com"],
    "session_id": ["s1", "s2"],
    "project": [None, "work-web", "work-lib"],
    "repository": [None, "acme/web", "Acme/web"],
    "provider": [None, "anthropic"],
    "model": [None, "claude-opus-4-5", "us.anthropic.claude-opus-4-6-v1:0", "kimi-k3", "nobody-knows"],
    "speed": [None, "standard", "fast"],
    "region": [None, "global", "us"],
    "web_searches": [None, 0, 3],
    "is_lower_bound": [None, False, True],
    "is_estimated": [None, False, True],
    "reported_cost_usd": [None, None, None, None, "0", "0.25", "0.000000000001"],
    "occurred_at": [
        None,  # not usable
        datetime.fromisoformat("2026-03-08 23:30:00"),  # in Berlin a day of the next week
        datetime.fromisoformat("2026-03-09 09:00:00"),
        datetime.fromisoformat("2026-06-30 22:15:00"),
    ],
    **{kind: [*_FEW, -1 if kind == "output_tokens" else 12] for kind in KINDS},  # below zero: not usable
}


def telling(drawn: Telling) -> Telling:
    """Return the raw row of drawn values: a prompt, whose id begins with p, has no tokens and no model."""
    is_prompt = drawn["message_id"].startswith("p")
    role = {"role": "user" if is_prompt else "assistant", "request_id": "r1" if drawn["message_id"] == "m1" else None}
    nothing = dict.fromkeys(KINDS, 0) | dict.fromkeys(("provider", "model", "speed", "region", "web_searches"))
    nothing |= {"is_estimated": False, "is_lower_bound": False}
    return drawn | role | (nothing | {"reported_cost_usd": "0"} if is_prompt else {})


def many_tellings(dice: random.Random, count: int) -> list[Telling]:
    """Return `count` reports of about half as many events, over two months."""
    drawn = [{name: dice.choice(values) for name, values in POOLS.items()} for _ in range(count)]
    for number, row in enumerate(drawn):
        row["message_id"] = f"{dice.choice('mmmp')}{dice.randrange(count // 6)}"
        row["session_id"] = f"s{dice.randrange(count // 20)}"
        row["project"] = dice.choice([None, f"work-{dice.randrange(40)}"])
        if number % 50:
            row["occurred_at"] = datetime.fromisoformat("2026-03-01 00:00:00") + timedelta(
                minutes=dice.randrange(60 * 24 * 60)
            )
    return [telling(row) for row in drawn]


class Raw:
    """The loaded reports, the last of each event and collector, with the load that changed it."""

    def __init__(self) -> None:
        self.rows: dict[Key, Telling] = {}
        self.load_seq = 0

    def load(self, tellings: Iterable[Telling]) -> None:
        self.load_seq += 1
        for row in tellings:
            self.rows[tuple(row[column] for column in TABLE.key)] = row | {LOAD_SEQ: self.load_seq}

    def put(self, connection: duckdb.DuckDBPyConnection) -> None:
        given = pa.Table.from_pylist(list(self.rows.values()), raw_schema(TABLE))  # noqa: F841 - in the query
        connection.execute("delete from raw.usage_events; insert into raw.usage_events by name select * from given")

    def marts(self, seeds: Path, zone: str = "UTC") -> Marts:
        """Return the expected rows of the marts."""
        tellings = defaultdict(list)
        for row in filter(_is_usable, self.rows.values()):
            tellings[_event(row).key].append(row)
        first = {key: min(rows, key=_age) for key, rows in tellings.items()}
        merged = merge_all(_event(row) for rows in tellings.values() for row in rows)
        owned = [OwnedEvent(event, first[key]["user_id"]) for key, event in merged.items()]
        made = marts(owned, Prices.read(seeds), zone)
        return {mart: _in_order(tuple(row[name] for name in _COLUMNS[mart]) for row in made[mart]) for mart in made}


_MEASURES = (
    *("assistant_message_count", "user_message_count", *KINDS),
    *("total_tokens", "lower_bound_count", "cost_usd", "n_cost", "reported_cost_usd"),
)
_COLUMNS = {
    "usage_events": (
        *("event_id", "agent", "session_id", "message_id", "request_id", "role", "occurred_at", "day", "user_id"),
        *(
            "project",
            "repository",
            "provider",
            "model",
            "speed",
            "region",
            *KINDS,
            "total_tokens",
            "web_searches",
            "is_estimated",
        ),
        *("is_lower_bound", "cost_usd", "cost_source", "reported_cost_usd", "price_model", "context_over_tokens"),
        "price_gap",
    ),
    "usage_daily": (
        *("day", "user_id", "project", "repository", "agent", "provider", "model", "speed", "message_count"),
        *("session_count", *_MEASURES),
    ),
    "usage_session": (
        *(
            "agent",
            "session_id",
            "user_id",
            "project",
            "repository",
            "provider",
            "primary_model",
            "first_at",
            "last_at",
        ),
        *("is_one_shot", *_MEASURES),
    ),
    "usage_project": ("project", "first_at", "last_at", "session_count", "user_count", "agent_count", *_MEASURES),
    "usage_provider_day": ("day", "agent", "provider", "session_count", "project_count", *_MEASURES),
    "usage_model_day": ("day", "provider", "model", "speed", "session_count", *_MEASURES),
}


def marts_of(connection: duckdb.DuckDBPyConnection) -> Marts:
    """Return the rows of the marts, without the bookkeeping columns."""
    tables = {mart: f"mart.{mart}" for mart in USAGE_MARTS}
    tables["usage_events"] = f"(select * exclude ({LOAD_SEQ}) from mart.usage_events)"
    return {mart: _in_order(connection.execute(f"from {table}").fetchall()) for mart, table in tables.items()}


def _in_order(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=lambda row: [(value is not None, str(value)) for value in row[:8]])


def _is_usable(row: Telling) -> bool:
    return row["occurred_at"] is not None and all((row[kind] or 0) >= 0 for kind in KINDS)


def _age(row: Telling) -> tuple[Any, ...]:
    place = row["project"] or "", row["repository"] is None, row["repository"] or ""
    return row["occurred_at"], row["session_id"], *place, row["collector_id"]


def _event(row: Telling) -> UsageEvent:
    is_prompt = row["role"] == "user"
    reported = row["reported_cost_usd"]
    return UsageEvent(
        **{name: row[name] for name in ("agent", "session_id", "message_id", "request_id", "role", "project")},
        **{name: row[name] for name in ("repository", "provider", "model", "speed", "region", "web_searches")},
        occurred_at=row["occurred_at"].replace(tzinfo=UTC),
        tokens=NO_TOKENS if is_prompt else Tokens(**{kind: row[kind] for kind in KINDS}),
        is_estimated=bool(row["is_estimated"]),
        is_lower_bound=bool(row["is_lower_bound"]),
        cost_usd=NO_COST if is_prompt else reported and Decimal(reported),
    )
