"""Rows of Cursor's database as the lines that its parser reads, from the row where the last reading ended.

Cursor's table replaces a row of the same key, and the new row gets a larger number than all others. So new and changed
rows have a larger number than the last row read. Numbers restart in a new or a compacted database: then the largest
one is smaller, or the last row read is a different one, and everything is read again.

A bubble and its conversation say only together what was used. So each reading that has a row of a conversation yields
a line of the conversation as well, with a summary of all its bubbles: the result is the same in whatever parts the rows
are read. Both are found by their keys, for which Cursor's table has an index.
"""

import hashlib
import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SECONDS_TO_WAIT = 1.0
_PATIENCE_S = 60.0
_STEPS = 10_000  # instructions of SQLite's virtual machine, some milliseconds
_TABLE = """select 1 from sqlite_schema where name = :table and type = 'table' and rootpage > 0
    and not exists (select * from pragma_table_xinfo(:table) where hidden != 0)"""
_ROWS = """select rowid, key, substr(value, 1, :most) from cursorDiskKV not indexed
    where rowid > :after and (key glob 'bubbleId:*' or key glob 'agentKv:blob:*' or key glob 'composerData:*')
    order by rowid"""
_ROW = "select key, substr(value, 1, ?) from cursorDiskKV where rowid = ?"
_CONVERSATION = """
    select value, case when json_valid(text) then json_array(
        json_extract(text, '$.createdAt'), json_extract(text, '$.lastUpdatedAt')
    ) end
    from (
        select substr(value, 1, :most) as value, cast(substr(value, 1, :most) as text) as text
        from cursorDiskKV where key = :key
    )"""
# A summary has the fields of a bubble with which its conversation is counted, and the first character of its text.
_BUBBLES = """
    select substr(key, length(:start) + 1), json_object(
        'type', json_extract(text, '$.type'),
        'createdAt', json_extract(text, '$.createdAt'),
        'timingInfo', json_object('clientRpcSendTime', json_extract(text, '$.timingInfo.clientRpcSendTime')),
        'tokenCount', json_object(
            'inputTokens', json_extract(text, '$.tokenCount.inputTokens'),
            'outputTokens', json_extract(text, '$.tokenCount.outputTokens')
        ),
        'modelInfo', json_object('modelName', json_extract(text, '$.modelInfo.modelName')),
        'text', substr(json_extract(text, '$.text'), 1, 1)
    )
    from (
        select key, cast(value as text) as text from cursorDiskKV
        where key >= :start and key < :end and length(value) < :most
    )
    where json_valid(text)"""
_MOST_SUMMARY_BYTES = 2000
_MOST_SUMMARIES_BYTES = 8 << 20
_OF_CONVERSATION = re.compile(r"bubbleId:([^:]+):.*|composerData:([^:]+)", re.DOTALL)
_MOST_KNOWN = 50_000
_WAL_MODE = 2  # https://www.sqlite.org/fileformat.html, offset 18


@dataclass(frozen=True, slots=True)
class RowChunk:
    """Some rows, as lines. `last` is the number of the last row; its `fingerprint` shows whether it is unchanged."""

    lines: bytes
    last: int
    fingerprint: str
    is_anew: bool


def read_rows(
    path: Path, last: int, fingerprint: str, chunk_bytes: int, most_bytes: int, patience_s: float = _PATIENCE_S
) -> Iterator[RowChunk]:
    """Yield the rows after number `last`, about `chunk_bytes` at a time; at least once, perhaps without a row.

    A value over `most_bytes` is cut just above that size, enough to detect that it is too large. Raises OSError or
    sqlite3.Error when the database cannot be read, is locked or is broken, or returns no row within `patience_s`.
    """
    with closing(connect(path)) as connection:
        deadline = Deadline(patience_s)
        connection.set_progress_handler(deadline.is_over, _STEPS)
        connection.execute("begin")  # all queries read the same state of the database
        if not is_plain_table(connection, "cursorDiskKV"):
            raise sqlite3.DatabaseError("expected a table cursorDiskKV with plain columns")
        most = most_bytes + 1
        is_anew = not _goes_on(connection, last, fingerprint, most)
        if is_anew:
            last, fingerprint = 0, ""
        conversations = _Conversations(connection, deadline, most)
        lines: list[bytes] = []
        size = 0
        for rowid, key, value in connection.execute(_ROWS, {"most": most, "after": last}):
            deadline.begin()
            last, fingerprint = rowid, _fingerprint(key, value)
            new = list(conversations.lines(key, value))
            lines += new
            size += sum(map(len, new))
            if size >= chunk_bytes:
                yield RowChunk(b"".join(lines), last, fingerprint, is_anew)
                lines, size, is_anew = [], 0, False
                deadline.begin()  # time spent on the rows does not count
        yield RowChunk(b"".join(lines), last, fingerprint, is_anew)


def is_plain_table(connection: sqlite3.Connection, name: str) -> bool:
    """Return whether there is a table of that name, of plain columns.

    A view, a virtual table or a computed column would run code from the file.
    """
    return connection.execute(_TABLE, {"table": name}).fetchone() is not None


class Deadline:
    """The time limit for a database's next row."""

    def __init__(self, patience_s: float) -> None:
        self._patience_s = patience_s
        self.begin()

    def begin(self) -> None:
        """Start waiting for a row."""
        self._ends_at = time.monotonic() + self._patience_s

    def is_over(self) -> bool:
        """Return whether the limit has passed; SQLite then stops with the error 'interrupted'."""
        return time.monotonic() > self._ends_at


class _Conversations:
    """The conversations of one reading, which all see the same state of the database."""

    def __init__(self, connection: sqlite3.Connection, deadline: Deadline, most: int) -> None:
        self._connection, self._deadline, self._most = connection, deadline, most
        self._created_at: dict[str, object] = {}

    def lines(self, key: bytes, value: bytes | None) -> Iterator[bytes]:
        """Yield the line of a row; with the first row of a conversation also that of the conversation."""
        of_conversation = _OF_CONVERSATION.fullmatch(key.decode(errors="replace"))
        if of_conversation is None:
            yield _line(key, value)
            return
        conversation = of_conversation[1] or of_conversation[2]
        if conversation not in self._created_at:
            yield from self._line_of(conversation)
        if of_conversation[1]:
            created_at = self._created_at[conversation]
            yield _line(key, value, {} if created_at is None else {"created_at": created_at})

    def _line_of(self, conversation: str) -> Iterator[bytes]:
        """Yield the line of a conversation, if it has a row; keep when it was created."""
        if len(self._created_at) >= _MOST_KNOWN:
            self._created_at.clear()
        key = f"composerData:{conversation}"
        row = self._connection.execute(_CONVERSATION, {"key": key, "most": self._most}).fetchone()
        value, instants = row or (None, None)
        self._created_at[conversation] = next(filter(None, _parse(instants) or []), None)
        if row is not None:
            yield _line(key.encode(), value, {"bubbles": dict(self._bubbles(conversation))})

    def _bubbles(self, conversation: str) -> Iterator[tuple[str, object]]:
        """Yield the ids and summaries of a conversation's bubbles, up to a size limit."""
        start = f"bubbleId:{conversation}:"
        limits = {"start": start, "end": start[:-1] + ";", "most": self._most}
        left_bytes = _MOST_SUMMARIES_BYTES
        for bubble_id, summary in self._connection.execute(_BUBBLES, limits):
            self._deadline.begin()
            size_bytes = len(bubble_id) + len(summary)
            if (left_bytes := left_bytes - size_bytes) < 0:
                return
            if size_bytes < _MOST_SUMMARY_BYTES and (parsed := _parse(summary)) is not None:
                yield bubble_id.decode(errors="replace"), parsed


def connect(path: Path) -> sqlite3.Connection:
    """Open the database without writing anything.

    To read a database in WAL mode, SQLite creates the files beside it unless the database is opened as immutable. That
    is safe when there is no WAL.
    """
    with path.open("rb") as file:
        is_wal_mode = file.read(20)[18:19] == bytes([_WAL_MODE])
    is_still = is_wal_mode and not path.with_name(path.name + "-wal").exists()
    uri = f"{path.as_uri()}?mode=ro{'&immutable=1' if is_still else ''}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_SECONDS_TO_WAIT)
    connection.execute("pragma trusted_schema = off")
    connection.text_factory = bytes  # the parser counts text that is not UTF-8
    return connection


def _goes_on(connection: sqlite3.Connection, last: int, fingerprint: str, most: int) -> bool:
    """Return whether the rows after `last` are the new ones; the last row itself may have been replaced."""
    largest = connection.execute("select max(rowid) from cursorDiskKV").fetchone()[0] or 0
    row = connection.execute(_ROW, (most, last)).fetchone()
    return largest >= last and (row is None or _fingerprint(*row) == fingerprint)


def _fingerprint(key: bytes, value: bytes | None) -> str:
    return hashlib.sha256(key + b"\0" + (value or b"")).hexdigest()[:32]


def _line(key: bytes, value: bytes | None, more: dict[str, object] | None = None) -> bytes:
    text = None if value is None else value.decode(errors="replace")
    return json.dumps({"key": key.decode(errors="replace"), "value": text, **(more or {})}).encode() + b"\n"


def _parse(text: bytes | None) -> Any:
    """Return the value of a JSON text that SQLite made; None when a number or a character in it has no form in JSON."""
    try:
        return None if text is None else json.loads(text)
    except (ValueError, RecursionError):
        return None
