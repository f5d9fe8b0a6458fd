"""The rows that DuckDB reads to run the statements of the emulator: what a history makes dearer shows here."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from fakesnow.cursor import FakeSnowflakeCursor


@dataclass(frozen=True, slots=True)
class Scan:
    """One statement that DuckDB ran, and the number of rows that it read from tables of the schema `raw`."""

    sql: str
    rows: int


@contextmanager
def scans() -> Iterator[list[Scan]]:
    """Yield a list that has the statements of all sessions of this process once the block ends.

    Of a table in row groups, those that the bounds of a column exclude are not read, and not counted.
    """
    found: list[Scan] = []
    cursor: Any = FakeSnowflakeCursor
    execute = cursor._execute
    with tempfile.TemporaryDirectory(prefix="millrace-") as name:
        sent: dict[Path, str] = {}
        profiled = []
        profiles = (Path(name, f"{number}.json") for number in count())

        def measured(self: Any, *arguments: Any, **named: Any) -> None:
            connection = self._duck_conn
            profiled.append(connection)
            self._duck_conn = _Profiled(connection, profiles, sent)
            try:
                execute(self, *arguments, **named)
            finally:
                self._duck_conn = connection

        cursor._execute = measured
        try:
            yield found
        finally:
            cursor._execute = execute
            for connection in profiled:  # not before: a result may not have been read to its end
                connection.execute("PRAGMA disable_profiling")
            found += [Scan(sql, _of_raw(json.loads(path.read_text())["operator"])) for path, sql in sent.items()]


class _Profiled:
    """A connection of DuckDB that writes a profile of each statement."""

    def __init__(self, connection: Any, profiles: Iterator[Path], sent: dict[Path, str]) -> None:
        self._connection = connection
        self._profiles = profiles
        self._sent = sent

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *arguments: Any, **named: Any) -> Any:
        profile = next(self._profiles)
        self._connection.execute("SET enable_profiling = 'json'")
        self._connection.execute(f"SET profiling_output = '{profile}'")
        done = self._connection.execute(sql, *arguments, **named)
        if profile.exists():  # statements without a plan have none
            self._sent[profile] = sql
        return done


def _of_raw(operators: list[dict[str, Any]]) -> int:
    read = 0
    for each in operators:
        if ".raw." in each["extra_info"].get("Table", "").lower():
            read += each["rows_scanned"]
        read += _of_raw(each.get("children", []))
    return read
