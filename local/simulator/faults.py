"""Faults that the simulator can inject; the seed alone decides which request is hit."""

import json
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode

from simulator import gojson
from simulator.answers import SimulatedResponse, error

HTML = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>\n"
_SIZES = {"pageSize", "page_size", "per_page"}
_TOTALS = {"totalCount", "total", "total_pull_requests_count"}


@dataclass(frozen=True, slots=True)
class InjectedFaults:
    """The faults to inject. Rates are shares of requests in 0..1; a repeated request throws the dice again."""

    error_rate: float = 0.0
    too_many_rate: float = 0.0
    truncated_rate: float = 0.0
    half_json_rate: float = 0.0
    html_rate: float = 0.0
    latency_s: float = 0.0
    extra_field: str | None = None  # every row gets this field
    retyped_field: str | None = None  # this field becomes a text (a text becomes an object)
    wrapped: bool = False  # a raw array is sent as {"data": [...]}
    appearing: int = 0  # the newest rows of each table appear one by one, one per request
    plain_only: bool = False  # /analytics/github/* does not exist
    ignores_page: bool = False  # every page of a list is its first one
    stale_page: int = 0  # a cache in front answers this page with the one before; 0: none
    most_rows: int = 0  # a page has at most so many rows, whatever size is asked for; 0: as the source
    most_total: int = 0  # no total is larger; 0: totals are true
    null_lists: bool = False  # a list without rows is null, as Go writes a nil slice
    endless_links: bool = False  # each raw array links to a next page that no page linked to before
    seed: int = 0


NO_FAULTS = InjectedFaults()


class FaultInjector:
    """Throws the dice for each request: seed, target and the number of its requests decide which one is hit."""

    def __init__(self, faults: InjectedFaults, sleep: Callable[[float], None] = time.sleep) -> None:
        self.faults = faults
        self._sleep = sleep
        self._asked: Counter[str] = Counter()
        self._links = 0
        self._lock = threading.Lock()

    def paged(self, query: str) -> str:
        """Return the query that the source sees: of another page, or of fewer rows, than was asked for."""
        faults = self.faults
        if not (faults.ignores_page or faults.stale_page or faults.most_rows):
            return query
        values = dict(parse_qsl(query, keep_blank_values=True))
        if "page" in values and faults.ignores_page:
            values["page"] = "1"
        elif values.get("page") == str(faults.stale_page):
            values["page"] = str(faults.stale_page - 1)
        for name in _SIZES.intersection(values) if faults.most_rows else ():
            values[name] = str(min(int(values[name]), faults.most_rows))
        return urlencode(values)

    def before(self, target: str) -> SimulatedResponse | None:
        """Return an answer instead of the route's, or None."""
        faults = self.faults
        if faults.latency_s:
            self._sleep(faults.latency_s)
        with self._lock:
            self._asked[target] += 1
        if self._hits("error", target, faults.error_rate):
            return error(500, "internal server error")
        if self._hits("too many", target, faults.too_many_rate):
            return replace(error(429, "Rate limit exceeded"), headers={"Retry-After": "1"})
        if self._hits("html", target, faults.html_rate):
            return SimulatedResponse(200, HTML, "text/html; charset=utf-8")
        return None

    def after(self, target: str, answer: SimulatedResponse) -> SimulatedResponse:
        """Return the route's answer, with its rows or its text spoiled."""
        faults = self.faults
        if answer.status != 200 or answer.content_type != "application/json":
            return answer
        if faults.extra_field or faults.retyped_field or faults.wrapped:
            answer = replace(answer, body=self._drifted(answer.body))
        if faults.most_total or faults.null_lists:
            answer = replace(answer, body=self._miscounted(answer.body))
        if faults.endless_links and answer.body.startswith(b"["):
            path, sign = target.partition("&after=")[0], "&" if "?" in target else "?"
            with self._lock:
                self._links += 1
            answer = replace(answer, headers={"Link": f'<{path}{sign}after={self._links}>; rel="next"'})
        if self._hits("half", target, faults.half_json_rate):
            answer = replace(answer, body=answer.body[: len(answer.body) // 2])
        return answer

    def truncates(self, target: str) -> bool:
        """Return whether the connection breaks in the middle of the body."""
        return self._hits("truncated", target, self.faults.truncated_rate)

    def _hits(self, kind: str, target: str, rate: float) -> bool:
        if not rate:
            return False
        dice = zlib.crc32(f"{self.faults.seed}/{kind}/{self._asked[target]}/{target}".encode())
        return dice / 2**32 < rate

    def _drifted(self, body: bytes) -> bytes:
        value = json.loads(body)
        for row in _rows_in(value):
            if self.faults.extra_field:
                row[self.faults.extra_field] = {"is_new": True}
            if (name := self.faults.retyped_field) and name in row:
                row[name] = {"value": row[name]} if isinstance(row[name], str) else str(row[name])
        if self.faults.wrapped and isinstance(value, list):
            value = {"data": value}
        return gojson.body(value)

    def _miscounted(self, body: bytes) -> bytes:
        value = json.loads(body)
        for counts in _counts_in(value) if self.faults.most_total else ():
            for name in _TOTALS.intersection(counts):
                counts[name] = min(counts[name], self.faults.most_total)
        if self.faults.null_lists:
            value = {k: None if v == [] else v for k, v in value.items()} if isinstance(value, dict) else value or None
        return gojson.body(value)


def _counts_in(value: object) -> list[dict[str, int]]:
    """Return the objects that may have a total: an envelope and its paging, repositories."""
    objects = value if isinstance(value, list) else [value, value.get("pagination")] if isinstance(value, dict) else []
    return [each for each in objects if isinstance(each, dict)]


def _rows_in(value: object) -> list[dict[str, object]]:
    if isinstance(value, dict):
        value = value.get("items", value.get("data", [value] if "full_name" in value or "number" in value else []))
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
