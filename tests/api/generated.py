"""Calls that schemathesis generates from the OpenAPI document, and what it finds wrong with the replies.

It tries the limits of every parameter, the methods and every omission, then generated values, valid and invalid, from
one seed. It runs all of its checks on each reply: status, media type, headers and schema are those of the document;
a forbidden request is refused and an allowed one is answered.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import schemathesis
from fastapi import FastAPI
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema

from millrace.api.periods import MAX_DAYS

SEED = 20261127
AnyCase = schemathesis.Case[Any]
Known = Mapping[str, Sequence[str]]
_SOME = "SELECT DISTINCT {column} FROM mart.{mart} WHERE {column} IS NOT NULL ORDER BY 1 LIMIT 3"
_NAME = re.compile(r"[^\x00-\x1f\x7f]{0,200}")


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


def call_all(app: FastAPI, max_examples: int, known: Known, seed: int = SEED) -> Calls:
    """Call every route; `max_examples` is the number of generated calls of each, besides those of the limits.

    Every value of an enumeration is tried. `known` has names that the data has, by their filter, and time zones.
    """
    settings = {
        "seed": seed,
        "generation": {"max-examples": max_examples, "deterministic": True, "database": "none"},
        "phases": {"stateful": {"enabled": False}},
    }
    config = SchemathesisConfig.from_dict(settings)
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, config=config)
    schema.hook("filter_case")(_says_all(known))
    schema.hook("map_case")(_with_one_range)
    schema.hook("map_case")(_with_names(known))
    calls = Calls()
    for event in from_schema(schema).execute():
        _note(event, calls)
    return calls


def known_names(published: Path) -> Known:
    """Return some names of a published file by their filter, and time zones."""
    columns = {
        "repo": ("repo_name", "merged_pull_requests"),
        "developer": ("developer", "user_developers"),
        "person": ("developer", "user_developers"),
        "opened_by_agent": ("agent", "agent_pull_requests"),
        **{name: (name, "usage_events") for name in ("project", "agent", "provider", "model")},
    }
    with duckdb.connect(published, read_only=True) as connection:
        found = {
            name: [str(value) for (value,) in connection.execute(_SOME.format(column=column, mart=mart)).fetchall()]
            for name, (column, mart) in columns.items()
        }
    return found | {"tz": ["UTC", "Europe/Berlin", "Asia/Kathmandu", "Pacific/Apia"]}


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


def _says_all(known: Known) -> Callable[[schemathesis.HookContext, AnyCase], bool]:
    """Return the hook that leaves out what the API reads otherwise than the document: what is empty, or upper case.

    Money as text is left out as well: the document has it as a number, which a program reads. Empty names stay: calls
    at the limits of other parameters have them, and `_with_names` replaces them.
    """

    def keep(_: schemathesis.HookContext, case: AnyCase) -> bool:
        query = case.query or {}
        others = [value for name, value in query.items() if name not in known]
        values = [each for value in others for each in (value if isinstance(value, list) else [value])]
        is_text = str(query.get("money", "")).strip().lower() == "text"
        words = [str(query.get(name, "")) for name in ("period", "order", "format", "money", "sort", "band")]
        has_other_case = any(word != word.lower() or word.startswith("-") for word in words)
        return not is_text and not has_other_case and not any(value in ("", None) for value in values)

    return keep


def _with_names(known: Known) -> Callable[[schemathesis.HookContext, AnyCase], AnyCase]:
    """Return the hook that replaces possible names, which a document cannot list, by names that the data has."""

    def replace(_: schemathesis.HookContext, case: AnyCase) -> AnyCase:
        query = dict(case.query or {})
        for name, names in known.items():
            if name not in query:
                continue
            value = query[name]
            values = value if isinstance(value, list) else [value]
            if all(isinstance(each, str) and _NAME.fullmatch(each) for each in values):
                named = [names[len(each) % len(names)] for each in values]
                query[name] = named if isinstance(value, list) else named[0]
        if query != (case.query or {}):
            case.query = query
        return case

    return replace


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
