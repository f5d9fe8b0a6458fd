"""Rows of OpenCode's table `message` as the lines that its parser reads, from the row where the last reading ended.

A row is updated while its response streams, and keeps its number. So a reading also returns, of the rows before, those
that had not ended and those that were updated since, among the newest ones. Numbers restart in a new or a compacted
database: then the row read last is another one, and everything is read again.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from millrace.collect.cursor_rows import Deadline, RowChunk, connect, is_plain_table

_PATIENCE_S = 60.0
_STEPS = 10_000
_WINDOW = 20_000
_MOST_OPEN = 1_000
_MOST_NAME = 4_096
_LAST_NUMBER = 2**63 - 1
_SELECT = """select m.rowid as number, m.id, m.session_id, {parent}, {directory},
        cast(m.time_created as integer), cast(m.time_updated as integer), substr(m.data, 1, :most),
        case when length(m.data) > :most or not json_valid(m.data) then 0
            when json_extract(m.data, '$.role') = 'assistant' then json_extract(m.data, '$.time.completed') is null
            else 0 end,
        case when length(m.data) > :most or not json_valid(m.data) then null
            when json_extract(m.data, '$.role') = 'user' then {person} end
    from message as m not indexed {session}"""
_SESSION = "left join session as s on s.id = m.session_id"
# A message whose parts are all made by the agent is no person's; the parts of a message are written just after it.
_PERSON = """(select count(*) = 0 or max(kind = 'person') or (max(kind = 'file') and not max(kind = 'agent'))
        from (select case when length(p.data) > :most or not json_valid(p.data) then 'unknown'
                when json_extract(p.data, '$.type') = 'subtask' then 'person'
                when json_extract(p.data, '$.type') = 'file' then 'file'
                when json_extract(p.data, '$.type') is not 'text' then 'unknown'
                when json_extract(p.data, '$.synthetic') = 1 or json_extract(p.data, '$.ignored') = 1 then 'agent'
                else 'person' end as kind
            from part as p where p.message_id = m.id limit 1000))"""
_UPDATED = """select rowid from message not indexed
    where rowid > :from and rowid <= :after and cast(time_updated as integer) >= :seen order by rowid"""


@dataclass(slots=True)
class _Known:
    """What a fingerprint holds: the id of the row read last, the newest update, and the rows that had not ended."""

    last_id: str = ""
    seen: int = 0
    open: list[int] = field(default_factory=list)
    newest: int = 0

    def note(self, number: int, updated: int, is_open: bool) -> None:
        """Note a row; `seen` follows `newest` once all earlier rows that changed are read."""
        self.newest = max(self.newest, updated)
        if is_open != (number in self.open):
            self.open = sorted({*self.open, number}) if is_open else [other for other in self.open if other != number]

    def __str__(self) -> str:
        return json.dumps([self.last_id, self.seen, self.open[-_MOST_OPEN:]])

    @classmethod
    def parse(cls, text: str) -> "_Known":
        try:
            last_id, seen, numbers = json.loads(text)
            return cls(str(last_id), int(seen), [int(number) for number in numbers])
        except (ValueError, TypeError):  # none, or one that is not of this module: the rows are read from the first
            return cls()


def read_rows(
    path: Path, last: int, fingerprint: str, chunk_bytes: int, most_bytes: int, patience_s: float = _PATIENCE_S
) -> Iterator[RowChunk]:
    """Yield the rows that are new or changed after number `last`, about `chunk_bytes` at a time; at least once.

    A value over `most_bytes` is cut just above that size, enough to detect that it is too large. Raises OSError or
    sqlite3.Error when the database cannot be read, is locked or is broken, or returns no row within `patience_s`.
    """
    with closing(connect(path)) as connection:
        deadline = Deadline(patience_s)
        connection.set_progress_handler(deadline.is_over, _STEPS)
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 2 * most_bytes + _MOST_NAME)  # else a value fills the memory
        connection.execute("begin")  # all queries read the same state of the database
        select = _select(connection)
        known = _Known.parse(fingerprint)
        is_anew = not _goes_on(connection, last, known)
        if is_anew:
            last, known = 0, _Known()
        lines: list[bytes] = []
        size = 0
        for row in _rows(connection, select, last, known, most_bytes + 1):
            deadline.begin()
            number, row_id, updated, is_open = _whole(row[0]), row[1], _whole(row[6]), row[8]
            last = max(last, number)
            known.note(number, updated, bool(is_open))
            known.last_id = _name(row_id) if number == last else known.last_id
            lines.append(_line(row))
            size += len(lines[-1])
            if size >= chunk_bytes:
                yield RowChunk(b"".join(lines), last, str(known), is_anew)
                lines, size, is_anew = [], 0, False
                deadline.begin()  # time spent on the rows does not count
        yield RowChunk(b"".join(lines), last, str(known), is_anew)


def _select(connection: sqlite3.Connection) -> str:
    """Return the query of a row. Tables that are no plain ones would run code from the file; others may be missing."""
    if not is_plain_table(connection, "message"):
        raise sqlite3.DatabaseError("expected a table message with plain columns")
    has: dict[str, bool] = {}
    for table in ("session", "part"):
        is_there = connection.execute("select 1 from sqlite_schema where lower(name) = ?", (table,)).fetchone()
        has[table] = is_there is not None
        if has[table] and not is_plain_table(connection, table):
            raise sqlite3.DatabaseError(f"expected a table {table} with plain columns")
    return _SELECT.format(
        parent=f"substr(s.parent_id, 1, {_MOST_NAME})" if has["session"] else "null",
        directory=f"substr(s.directory, 1, {_MOST_NAME})" if has["session"] else "null",
        session=_SESSION if has["session"] else "",
        person=_PERSON if has["part"] else "1",
    )


def _goes_on(connection: sqlite3.Connection, last: int, known: _Known) -> bool:
    """Return whether the row read last is still there, or nothing was read."""
    row = connection.execute("select id from message where rowid = ?", (last,)).fetchone()
    return row is None if last == 0 else row is not None and _name(row[0]) == known.last_id


def _rows(
    connection: sqlite3.Connection, select: str, last: int, known: _Known, most: int
) -> Iterator[Sequence[bytes | int | None]]:
    """Yield the earlier rows that may have changed, and then the new ones."""
    window = {"from": last - _WINDOW, "after": last, "seen": known.seen}
    updated = [number for (number,) in connection.execute(_UPDATED, window)] if last else []
    for number in sorted({*known.open, *updated}):
        yield from _rows_between(connection, select, number - 1, number, most)
    known.seen = max(known.seen, known.newest)
    for row in _rows_between(connection, select, last, _LAST_NUMBER, most):
        known.seen = max(known.seen, _whole(row[6]))
        yield row


def _rows_between(
    connection: sqlite3.Connection, select: str, after: int, to: int, most: int
) -> Iterator[Sequence[bytes | int | None]]:
    """Yield the rows of these numbers; one with a value over the limit has a text that is too large instead."""
    query = f"{select} where m.rowid > :after and m.rowid <= :to order by m.rowid"
    while True:
        try:
            for row in connection.execute(query, {"most": most, "after": after, "to": to}):
                after = row[0]
                yield row
        except sqlite3.DataError:  # the limit of the connection
            (after,) = connection.execute("select min(rowid) from message where rowid > ?", (after,)).fetchone()
            yield after, None, None, None, None, None, None, b" " * most, 0, None
        else:
            return


def _line(row: Sequence[bytes | int | None]) -> bytes:
    _, row_id, session_id, parent_id, directory, created, _, data, _, is_from_person = row
    fields = {
        "id": _text(row_id), "session_id": _text(session_id), "parent_id": _text(parent_id),
        "directory": _text(directory), "time_created": created, "data": _text(data),
    }  # fmt: skip
    if is_from_person is not None:
        fields["is_from_person"] = bool(is_from_person)
    return json.dumps(fields).encode() + b"\n"


def _whole(value: bytes | int | None) -> int:
    return value if isinstance(value, int) else 0


def _text(value: bytes | int | None) -> str | int | None:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _name(value: bytes | int | None) -> str:
    return str(_text(value))[:200]
