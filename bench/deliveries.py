"""The extraction of large companies in deliveries of a minute, on a simulated clock: requests, deliveries, rows.

The floor is a reading without limit, deadline or pause. `200 x 90` reads the simulator. `2,000 x 365` reads a source
that is a list of counts: so many rows of each person, made when they are requested.
"""

import json
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
from tests.extract.answering import Answers, Said, answers_of
from tests.extract.delivering import Deliveries, Limited, SimulatedClock, keys_of, limits_of, one_thread_each, rows_of

import simulator
from bench.measuring import Figure
from millrace.runs import TaskRecord

_END = datetime(2026, 11, 20, tzinfo=UTC)
_DELIVERY_S = 60.0
_AIM = 1.03


def deliveries() -> Iterator[Figure]:
    """Yield a figure for each table: the requests that it took, read alone and all together."""
    world = simulator.generate(developers=200, days=90, seed=7, end=_END)
    yield from _company("200 x 90", answers_of(world), ("repos", "commits", "pull_requests", "reviews"))
    yield from _company("2,000 x 365", Counts(2_000, 365).answer, ("pull_requests", "reviews"))


def _company(name: str, answers: Answers, tables: tuple[str, ...]) -> Iterator[Figure]:
    with one_thread_each(), tempfile.TemporaryDirectory() as folder:
        floor = Deliveries(Path(folder, "floor"), *_source(answers, False), limits_of(SimulatedClock(), None), None)
        floor.start()
        requests_at_once = {table: floor.complete(table).requests for table in tables}
        for together in [*([table] for table in tables), list(tables)]:
            made = Deliveries(Path(folder, "-".join(together)), *(source := _source(answers, True)), _limits(source[1]))
            made.start()
            records: dict[str, TaskRecord] = {}
            source[1].run(*(partial(_complete, made, table, records) for table in together))
            for table, record in records.items():
                distinct = len(keys_of(rows_of(made.lake, record, Path(folder)), table))
                yield Figure(
                    f"{name}, {table}, {len(together)} task{'s' * (len(together) > 1)}",
                    record.requests,
                    "requests",
                    requests_at_once[table],
                    "those of one reading",
                    _AIM,
                    {
                        "deliveries": str(made.deliveries[table]),
                        "rows": f"{distinct:,} of {record.source_total:,}",
                        "parts": str(len(record.parts)),
                        "refused": str(source[0].refused),
                        "minutes": f"{source[1].now_s / 60:.1f}",
                    },
                )


def _source(answers: Answers, is_limited: bool) -> tuple[Limited, SimulatedClock]:
    clock = SimulatedClock()
    return Limited(answers, clock, is_limited=is_limited), clock


def _limits(clock: SimulatedClock) -> Any:
    return limits_of(clock, _DELIVERY_S)


def _complete(made: Deliveries, table: str, records: dict[str, TaskRecord]) -> None:
    records[table] = made.complete(table, most=5000)


class Counts:
    """A source that knows only how many pull requests each author has, and how many reviews each reviewer."""

    def __init__(self, people: int, days: int) -> None:
        dice = Random(1)
        self._days = days
        self._emails = [f"dev{n:04}@example.com" for n in range(people)]
        self._counts = {
            "/analytics/github/prs": [round(days * 0.6 * 5 / 7 * dice.uniform(0.3, 1.7)) for _ in self._emails],
            "/analytics/github/reviews": [round(days * 1.2 * 5 / 7 * dice.uniform(0.3, 1.7)) for _ in self._emails],
        }

    def answer(self, request: requests.PreparedRequest) -> Said:
        """Answer one request."""
        parts = urlsplit(str(request.url))
        asked = dict(parse_qsl(parts.query))
        if parts.path == "/teams/members":
            return Said(body=json.dumps({"teamMembers": [{"email": email} for email in self._emails]}).encode())
        counts = self._counts[parts.path]
        number, size = int(asked.get("page", 1)), int(asked["page_size"])
        who = asked.get("author") or asked.get("reviewer")
        numbers = [self._emails.index(who)] if who else range(3)
        total = counts[numbers[0]] if who else sum(counts)
        rows = [self._row(parts.path, person, n) for person in numbers for n in range(counts[person])]
        page = rows[(number - 1) * size : number * size]
        return Said(body=json.dumps({"data": page, "pagination": {"total": total}}).encode())

    def _row(self, path: str, person: int, number: int) -> dict[str, Any]:
        at = (_END - timedelta(days=number % self._days, minutes=person)).isoformat().replace("+00:00", "Z")
        if path.endswith("prs"):
            email = self._emails[person]
            return {"repo_name": f"acme/{person}", "number": number, "author_email": email, "created_at": at,
                    "state": "merged", "updated_at": at}  # fmt: skip
        return {"pr_id": person * 100_000 + number, "id": number, "reviewer": self._emails[person], "submitted_at": at}
