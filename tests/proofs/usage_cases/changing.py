"""A home with the same usage told otherwise: other ids, another order of lines and rows, and larger counts.

Ids are replaced everywhere alike, in texts and names of files, by others of the same form. Counts of tokens and costs
are multiplied by one factor; models, instants and words of the formats stay.
"""

import json
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_ID_FIELDS = frozenset(
    (
        *("agentId", "bubbleId", "compaction_response_id", "composerId", "forked_from_id", "id", "parentID"),
        *("parentUuid", "parent_thread_id", "requestId", "response_id", "root_turn_id", "sessionId", "session_id"),
        *("thread_id", "turn_id", "uuid"),
    )
)
_COUNT = re.compile(r"(?:\w*tokens?|cacheReads|cacheWrites|tokens(?:In|Out)|\w*Tokens(?:Used)?|cost\w*|totalCost)\Z")
_NO_COUNT = frozenset(("maxTokens",))
_ANSWER = 2
_MOST_TRIES = 100  # then an id has no other of its form, and stays


def change(home: Path, to: Path, random: Random) -> int:
    """Write the changed home, and return the factor of its counts."""
    factor = random.randrange(2, 10)
    ids = _Ids(random, sorted(set(_ids_of(home))))
    for folder, folders, names in os.walk(home):
        for name in [*folders, *names]:
            path = Path(folder, name)
            target = to / ids.renamed(path.relative_to(home).as_posix())
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.is_symlink():
                target.symlink_to(ids.renamed(os.readlink(path)))
            elif path.is_file():
                target.write_bytes(_changed(path, ids, factor, random))
    return factor


class _Ids:
    """Other ids of the same form: each digit and letter is replaced by one of its kind, words of formats stay."""

    def __init__(self, random: Random, ids: list[str]) -> None:
        self._new: dict[str, str] = {}
        for old in ids:
            tries = (_alike(old, random) for _ in range(_MOST_TRIES))
            self._new[old] = next((new for new in tries if new not in ids and new not in self._new.values()), old)
        longest_first = "|".join(re.escape(old) for old in sorted(ids, key=len, reverse=True))
        self._pattern = re.compile(rf"(?<![0-9A-Za-z])(?:{longest_first})(?![0-9A-Za-z])") if ids else None

    def renamed(self, text: str) -> str:
        """Return a text with the new ids."""
        return text if self._pattern is None else self._pattern.sub(lambda found: self._new[found[0]], text)


def _alike(old: str, random: Random) -> str:
    """Return an id of the same form. The prefix of an API's id stays, and so do words, as in `aside_question`."""
    if _UUID.fullmatch(old):
        return "".join(random.choice("0123456789abcdef") if c != "-" and at != 14 else c for at, c in enumerate(old))
    prefix = re.match(r"[a-z]*_|[a-z]{4,}", old)
    kept = old[: prefix.end()] if prefix else ""
    rest = old[len(kept) :]
    if re.fullmatch(r"[A-Za-z]?[\d_]*", rest):  # numbered: more digits, for more numbers
        return kept + re.sub(r"\d+", lambda _: str(random.randrange(1, 10**4)), rest)
    if "question" in rest:
        return re.sub(r"\d+", lambda _: f"{random.randrange(10**4):04}", old)
    kinds = ("0123456789", "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    return kept + "".join(next((random.choice(kind) for kind in kinds if c in kind), c) for c in rest)


def _ids_of(home: Path) -> Iterator[str]:
    for path in home.rglob("*"):
        yield from _UUID.findall(path.as_posix())
        if path.is_file() and not path.is_symlink():
            for value in _values(path):
                yield from _ids_in(value)


def _values(path: Path) -> Iterator[object]:
    """Yield the JSON values of a log."""
    if _is_database(path):
        for table, row in _rows(path):
            yield {name: value for name, value in row.items() if table != "cursorDiskKV"}
            yield from (json.loads(text) for text in row.values() if isinstance(text, str) and text[:1] in ("{", "["))
        return
    text = _text(path)
    yield from (json.loads(line) for line in ([text] if path.suffix == ".json" else text.splitlines()))


def _ids_in(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for element in value:
            yield from _ids_in(element)
    elif isinstance(value, dict):
        for name, inner in value.items():
            is_model = name == "id" and "provider" in value
            if name in _ID_FIELDS and isinstance(inner, str) and not is_model:
                yield inner
            else:
                yield from _ids_in(inner)


def _changed(path: Path, ids: _Ids, factor: int, random: Random) -> bytes:
    if _is_database(path):
        return _changed_database(path, ids, factor, random)
    text = _text(path)
    if path.suffix == ".json":
        return _with_counts(ids.renamed(text), factor).encode()
    lines = [_with_counts(ids.renamed(line), factor) for line in text.splitlines()]
    if ".claude" in path.parts:  # each line says for itself to what it belongs
        random.shuffle(lines)
    content = "".join(line + "\n" for line in lines).encode()
    return _compressed(content) if path.suffix == ".zst" else content


def _changed_database(path: Path, ids: _Ids, factor: int, random: Random) -> bytes:
    """Change the rows, and write them in another order."""
    changed = path.with_name("changed")
    changed.write_bytes(path.read_bytes())
    rows = list(_rows(path))
    with closing(sqlite3.connect(changed)) as database, database:
        for table in {table for table, _ in rows}:
            database.execute(f"delete from {table}")  # noqa: S608 our own name
        for table, row in random.sample(rows, len(rows)):
            values = [ids.renamed(value) if isinstance(value, str) else value for value in row.values()]
            values = [_with_counts(v, factor) if isinstance(v, str) and v[:1] in ("{", "[") else v for v in values]
            database.execute(f"insert into {table} values ({', '.join('?' * len(values))})", values)  # noqa: S608
    content = changed.read_bytes()
    changed.unlink()
    return content


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        for (table,) in database.execute("select name from sqlite_schema where type = 'table'").fetchall():
            yield from ((table, dict(row)) for row in database.execute(f"select * from {table}"))  # noqa: S608


def _with_counts(text: str, factor: int) -> str:
    return json.dumps(_scaled(json.loads(text, parse_float=Decimal), factor), default=float)


def _scaled(value: object, factor: int, is_count: bool = False) -> object:
    """Return the value with larger counts, and a longer text of Cursor's answers, of which theirs are estimated."""
    if isinstance(value, list):
        return [_scaled(element, factor, is_count) for element in value]
    if isinstance(value, dict):
        is_answer = value.get("type") == _ANSWER and "text" in value
        return {name: _scaled_field(name, inner, factor, is_count, is_answer) for name, inner in value.items()}
    if is_count and isinstance(value, int | Decimal) and not isinstance(value, bool):
        return value * factor
    return value


def _scaled_field(name: str, value: object, factor: int, is_count: bool, is_answer: bool) -> object:
    if isinstance(value, str):
        if is_answer and name == "text":
            return value * factor
        return _with_counts(value, factor) if name == "text" and value.startswith("{") else value
    is_named = _COUNT.fullmatch(name) is not None and name not in _NO_COUNT
    return _scaled(value, factor, is_count or is_named)


def _is_database(path: Path) -> bool:
    return path.suffix in (".vscdb", ".db")


def _text(path: Path) -> str:
    content = path.read_bytes()
    if path.suffix == ".zst":
        content = pa.CompressedInputStream(pa.BufferReader(content), "zstd").read()
    return content.decode()


def _compressed(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue().to_pybytes())
