"""Replies: JSON or CSV bodies with their headers, problems, and a cache of replies."""

import csv
import gzip
import hashlib
import io
import tempfile
import threading
import zlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

from cachetools import LRUCache
from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from millrace.api.answers import MONEY_AS_TEXT, Problem
from millrace.terminal import harmless_cell, printable_json

IN_MEMORY_BYTES = 1 << 20  # of CSV; what is longer is written to a file, and not cached
_OVERHEAD = 2_000  # bytes for the headers and the objects of a reply
_WORTH_PACKING = 1_000  # bytes: a shorter body fits into one packet as it is
_PART_BYTES = 1 << 16
_GZIP = 16 + zlib.MAX_WBITS
VARY = "Accept, Accept-Encoding"


@dataclass(frozen=True, slots=True)
class Reply:
    """A body, in memory or in a file, with its headers; the entity tag is that of the body.

    `packed` is the body compressed, where that is shorter. `next_offset` is that of the next page; None: there is none.
    """

    body: bytes
    headers: dict[str, str]
    packed: bytes | None = None
    next_offset: int | None = None
    file: Any = None

    @classmethod
    def of(
        cls,
        body: bytes,
        kind: str,
        source: str,
        as_of: datetime | None,
        built_through: int | None,
        total_count: int | None = None,
    ) -> "Reply":
        """Return a reply whose headers contain `source`, `as_of`, `built_through` and the count of all rows."""
        headers = _headers(kind, hashlib.sha256(body).hexdigest(), source, as_of, built_through, total_count)
        packed = gzip.compress(body, 6, mtime=0) if len(body) >= _WORTH_PACKING else None
        return cls(body, headers, packed if packed and len(packed) < len(body) else None)

    def with_next(self, offset: int | None) -> "Reply":
        """Return the reply of a page that another one follows."""
        return replace(self, next_offset=offset)

    @property
    def size_bytes(self) -> int:
        """The memory that the reply takes; one in a file is not cached."""
        return len(self.body) + len(self.packed or b"")

    def to(self, request: Request) -> Response:
        """Return the response to a request; 304 when the client has the body already."""
        headers = dict(self.headers)
        if self.next_offset is not None:
            headers["Link"] = f'<{_at_offset(request, self.next_offset)}>; rel="next"'
        is_packed = (self.packed is not None or self.file is not None) and _takes_gzip(request)
        if is_packed:  # the same content in another form: a weak tag, which names both
            headers |= {"Content-Encoding": "gzip", "ETag": f"W/{self.headers['ETag']}"}
        asked = ",".join(request.headers.getlist("If-None-Match"))
        known = [tag.strip().removeprefix("W/") for tag in asked.split(",")]
        if self.headers["ETag"] in known or "*" in known:
            headers.pop("Content-Encoding", None)
            return Response(status_code=304, headers=headers)
        if self.file is not None:
            return StreamingResponse(_read(self.file.name, is_packed), headers=headers)
        return Response(self.packed if is_packed else self.body, headers=headers)


def _headers(
    kind: str,
    digest: str,
    source: str,
    as_of: datetime | None,
    built_through: int | None,
    total_count: int | None,
) -> dict[str, str]:
    headers = {
        "Cache-Control": "private, no-cache",
        "Content-Type": kind,
        "ETag": f'"{digest[:32]}"',
        "Millrace-As-Of": as_of.isoformat().replace("+00:00", "Z") if as_of else "",
        "Millrace-Built-Through": "" if built_through is None else str(built_through),
        "Millrace-Source": source,
        "Vary": VARY,
    }
    return headers if total_count is None else {**headers, "Millrace-Total-Count": str(total_count)}


def _at_offset(request: Request, offset: int) -> str:
    """Return the path and query of a request with another offset; never the host that the caller named."""
    query = [(name, value) for name, value in parse_qsl(request.url.query) if name != "offset"]
    return f"{request.url.path}?{urlencode([*query, ('offset', offset)])}"


def _takes_gzip(request: Request) -> bool:
    return _quality(request.headers.get("Accept-Encoding", ""), "gzip", "x-gzip") > 0


def wants_csv(request: Request) -> bool:
    """Return whether the header Accept prefers CSV to JSON."""
    accepted = request.headers.get("Accept", "")
    return _quality(accepted, "text/csv") > _quality(accepted, "application/json", "application/*", "*/*")


def _quality(header: str, *names: str) -> float:
    """Return the highest quality that a header such as Accept assigns to one of the names; 0: none."""
    found = [0.0]
    for part in header.lower().split(","):
        name, *options = (text.strip() for text in part.split(";"))
        if name in names:
            said = next((text[2:] for text in options if text.startswith("q=")), "1")
            found.append(float(said) if said.replace(".", "", 1).isdecimal() else 0.0)
    return max(found)


def _read(path: str, is_packed: bool) -> Iterator[bytes]:
    """Yield the parts of a file, compressed on the way if requested."""
    packer = zlib.compressobj(6, zlib.DEFLATED, _GZIP) if is_packed else None
    with Path(path).open("rb") as content:
        while part := content.read(_PART_BYTES):
            if packer is None:
                yield part
            elif packed := packer.compress(part):
                yield packed
    if packer is not None:
        yield packer.flush()


def of_csv(
    rows: Iterable[BaseModel],
    columns: list[str],
    kind: str,
    source: str,
    as_of: datetime | None,
    built_through: int | None,
    total_count: int,
) -> Reply:
    """Return rows as a reply of CSV; while they are read, no more of them than a few is in memory."""
    # The file lives as long as the reply, which each response that reads it holds.
    file = tempfile.NamedTemporaryFile("w+b", suffix=".csv")  # noqa: SIM115
    digest, length = hashlib.sha256(), 0
    for line in as_csv(rows, columns):
        digest.update(line)
        length += file.write(line)
    file.flush()
    if length > IN_MEMORY_BYTES:
        headers = _headers(kind, digest.hexdigest(), source, as_of, built_through, total_count)
        return Reply(b"", headers, file=file)
    file.seek(0)
    with file:
        return Reply.of(file.read(), kind, source, as_of, built_through, total_count)


def as_csv(rows: Iterable[BaseModel], columns: list[str]) -> Iterator[bytes]:
    """Yield rows as CSV (RFC 4180), without formulas and terminal control characters; unknown is empty."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        values = row.model_dump(mode="json", context=MONEY_AS_TEXT)
        cells = (values[name] for name in columns)
        writer.writerow(harmless_cell(each) if isinstance(each, str) else each for each in cells)
        yield text.getvalue().encode()
        text.seek(0)
        text.truncate()
    yield text.getvalue().encode()


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
        if reply.file is None and size <= self.max_bytes // 8:
            self._replies.setdefault(key, (reply, size))


def _size(key: Hashable, reply: Reply) -> int:
    """Return the bytes that a cached reply takes; its key may be longer than its body."""
    return _OVERHEAD + len(repr(key)) + reply.size_bytes
