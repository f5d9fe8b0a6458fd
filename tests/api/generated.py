"""Calls that schemathesis generates from the OpenAPI document, and what it finds wrong with the replies.

It tries the limits of every parameter, the methods and every omission, then generated values, valid and invalid, from
one seed. It runs all of its checks on each reply: status, media type, headers and schema are those of the document;
a forbidden request is refused and an allowed one is answered.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import schemathesis
from fastapi import FastAPI
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from millrace.api.filters import MAX_DAYS

SEED = 20261127
AnyCase = schemathesis.Case[Any]


@dataclass
class Calls:
    """How often each route was called, with which statuses, which checks ran, and the failures: one text each."""

    of_routes: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    checks: set[str] = field(default_factory=set)
    failures: dict[tuple[str, str, str], str] = field(default_factory=dict)

    def __str__(self) -> str:
        by_status = ", ".join(f"{n:,} x {status}" for status, n in sorted(self.statuses.items()))
        routes = "".join(f"\n  {n:>7,} {route}" for route, n in sorted(self.of_routes.items()))
        failures = "".join(f"\n\n{text}" for text in self.failures.values())
        return f"{self.of_routes.total():,} calls: {by_status}{routes}\n{len(self.failures)} failures{failures}"


def call_all(app: FastAPI, max_examples: int, seed: int = SEED, zones: Sequence[str] = ()) -> Calls:
    """Call every route; `max_examples` is the number of generated calls of each, besides those of the limits.

    Every value of an enumeration is tried; `zones` replace all 600 time zones.
    """
    if zones:
        app.openapi()["components"]["schemas"]["TimeZone"]["enum"] = list(zones)
    settings = {
        "seed": seed,
        "generation": {"max-examples": max_examples, "deterministic": True, "database": "none"},
        "phases": {"stateful": {"enabled": False}},
    }
    config = SchemathesisConfig.from_dict(settings)
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, config=config)
    schema.hook("map_case")(_with_one_range)
    calls = Calls()
    for event in from_schema(schema).execute():
        _note(event, calls)
    return calls


def _with_one_range(_: schemathesis.HookContext, case: AnyCase) -> AnyCase:
    """Correct what a document cannot forbid: `to` before `from` or long after it, or both a period and days."""
    query = dict(case.query or {})
    first, last = (_day(query.get(name)) for name in ("from", "to"))
    if (first or last) and "period" in query:
        del query["period"]
    if first and last and not timedelta(0) <= last - first <= timedelta(days=MAX_DAYS):
        query["from"] = (last - timedelta(days=abs((last - first).days) % MAX_DAYS)).isoformat()
    if first and not last and "to" not in query and first < datetime.now(UTC).date() - timedelta(days=MAX_DAYS - 2):
        query["to"] = first.isoformat()
    if query != (case.query or {}):
        case.query = query
    return case


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _note(event: events.EngineEvent, calls: Calls) -> None:
    if isinstance(event, events.FatalError):
        raise event.exception
    if isinstance(event, events.NonFatalError):
        calls.failures[str(event.label), "", repr(event.value)] = f"{event.label}: {event.value!r}"
    if not isinstance(event, events.ScenarioFinished):
        return
    route = str(event.label)
    for interaction in event.recorder.interactions.values():
        calls.of_routes[route] += 1
        calls.statuses[interaction.response.status_code if interaction.response else 0] += 1
    for check in (check for checks in event.recorder.checks.values() for check in checks):
        calls.checks.add(check.name)
        if check.failure_info:
            failure = check.failure_info.failure
            text = f"{route}: {check.name}: {failure.title}: {failure.message}\n{check.failure_info.code_sample}"
            calls.failures[route, check.name, failure.title] = text
