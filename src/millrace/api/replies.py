"""Replies: JSON or CSV bodies with their headers, problems, and a cache of replies."""

import csv
import hashlib
import io
import re
import threading
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter

from cachetools import LRUCache
from fastapi import Request, Response
from pydantic import BaseModel

from millrace.api.answers import Problem
from millrace.terminal import printable, printable_json

# A spreadsheet runs a cell that begins with one of these signs, in either width, also after blanks. If it uses another
# separator than the comma, a cell begins after each of those, even within quotes.
_FORMULA = re.compile(r"^(?=[\t\r\n])|(^|[;\t\r\n])(?= *[=+\-@＝＋－＠﹦﹢﹣﹫])")  # noqa: RUF001 the other width
_WITHIN_LINES = re.compile(r"[^\t\r\n]+")
_OVERHEAD = 2_000  # bytes for the headers and the objects of a reply


@dataclass(frozen=True, slots=True)
class Reply:
    """A body with its headers; the entity tag is that of the body."""

    body: bytes
    headers: dict[str, str]

    @classmethod
    def of(cls, body: bytes, kind: str, source: str, as_of: datetime | None, built_through: int | None) -> "Reply":
        """Return a reply whose headers contain `source`, `as_of` and `built_through`."""
        headers = {
            "Cache-Control": "private, no-cache",
            "Content-Type": kind,
            "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
            "Millrace-As-Of": as_of.isoformat().replace("+00:00", "Z") if as_of else "",
            "Millrace-Built-Through": "" if built_through is None else str(built_through),
            "Millrace-Source": source,
            "Vary": "Accept-Encoding",
        }
        return cls(body, headers)

    def to(self, request: Request) -> Response:
        """Return the response to a request; 304 when the client has the body already."""
        asked = ",".join(request.headers.getlist("If-None-Match"))
        known = [tag.strip().removeprefix("W/") for tag in asked.split(",")]
        if self.headers["ETag"] in known or "*" in known:
            return Response(status_code=304, headers=self.headers)
        return Response(self.body, headers=self.headers)


def as_csv(rows: list[BaseModel], columns: list[str]) -> bytes:
    """Return rows as CSV (RFC 4180), without formulas and terminal control characters; unknown is empty."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        values = row.model_dump(mode="json")
        writer.writerow(_harmless(values[name]) for name in columns)
    return text.getvalue().encode()


def _harmless(value: object) -> object:
    if not isinstance(value, str):
        return value
    return _FORMULA.sub(r"\1'", _WITHIN_LINES.sub(lambda part: printable(part[0]), value))


def problem(status: int, title: str, detail: str, next_step: str, others: Mapping[str, str] | None = None) -> Response:
    """Return a problem as the response; `others` are additional headers."""
    content = Problem(title=title, status=status, detail=detail, next_step=next_step)
    headers = {"Cache-Control": "no-store", **({"Retry-After": "5"} if status == 503 else {}), **(others or {})}
    return Response(printable_json(content.model_dump_json()), status, headers, "application/problem+json")


@dataclass
class ResponseCache:
    """The replies that were used last, up to `max_bytes`. Equal requests that arrive together are answered once."""

    max_bytes: int = 64 << 20
    _replies: LRUCache[Hashable, tuple[Reply, int]] = field(init=False)
    _waiting: dict[Hashable, Future[Reply]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._replies = LRUCache(self.max_bytes, getsizeof=itemgetter(1))

    def get(self, key: Hashable, make: Callable[[], tuple[Hashable, Reply]]) -> Reply:
        """Return the reply of a key, from the cache or from `make`, which returns the key to cache it under as well."""
        with self._lock:
            if key in self._replies:
                return self._replies[key][0]
            waiting = self._waiting.get(key)
            mine = self._waiting.setdefault(key, Future()) if waiting is None else None
        if mine is None:
            assert waiting is not None  # noqa: S101 one of the two is set
            return waiting.result()
        try:
            answers, reply = make()
        except BaseException as error:
            self._forget(key)
            mine.set_exception(error)
            raise
        with self._lock:
            self._keep(answers, reply)
        self._forget(key)
        mine.set_result(reply)
        return reply

    def _forget(self, key: Hashable) -> None:
        with self._lock:
            self._waiting.pop(key, None)

    def _keep(self, key: Hashable, reply: Reply) -> None:
        size = _size(key, reply)
        if size <= self.max_bytes // 8:
            self._replies.setdefault(key, (reply, size))


def _size(key: Hashable, reply: Reply) -> int:
    """Return the bytes that a cached reply takes; its key may be longer than its body."""
    return _OVERHEAD + len(repr(key)) + len(reply.body)
