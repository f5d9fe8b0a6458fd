"""The boundaries of the pipeline: every call of every adapter, found by wrapping the adapters, not by a list.

At each call the platform may stop the process, before the call takes effect or after it, the adapter may fail in
either way, or another handler may run first. Inside a transaction of the warehouse no other handler runs, but the
process may stop before each statement.
"""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import duckdb

from millrace.errors import TransientError
from millrace.lake import ObjectExists
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse
from millrace.warehouse.snowflake.session import Address
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

T = TypeVar("T")


class Crashed(BaseException):
    """The process is gone. Its completed calls stay in effect; it makes no more."""


class Gate(Protocol):
    """The gate that every call passes through."""

    def call(self, name: str, act: Callable[[], T]) -> T:
        """Call `act`, unless a crash or an error is injected before or after it."""

    def statement(self, name: str) -> None:
        """Pass a statement inside a transaction, at which the process may crash."""


class Gated:
    """An adapter whose every method passes through a gate, as `<name>.<method>`."""

    def __init__(self, inner: object, name: str, gate: Gate) -> None:
        self._inner, self._name, self._gate = inner, name, gate

    def __getattr__(self, attribute: str) -> Any:
        found = getattr(self._inner, attribute)
        if not callable(found):
            return found

        def through_the_gate(*arguments: Any, **named: Any) -> Any:
            def act() -> Any:
                given = found(*arguments, **named)
                return iter(list(given)) if hasattr(given, "__next__") else given

            return self._gate.call(f"{self._name}.{attribute}", act)

        return through_the_gate


def gated(adapter: T, name: str, gate: Gate) -> T:
    """Return the adapter behind the gate."""
    return cast(T, Gated(adapter, name, gate))


class GatedWarehouse(DuckDBWarehouse):
    """A warehouse in which the process may stop before each statement; small and single-threaded for speed."""

    def __init__(self, path: Path, gate: Gate, **more: Any) -> None:
        super().__init__(path, **more)
        self._gate = gate

    def _connect(self) -> duckdb.DuckDBPyConnection:
        is_new = self._connection is None
        connection = super()._connect()
        if is_new:
            connection.execute("PRAGMA disable_optimizer")  # planning takes most of a statement's time over ten rows
        return cast(duckdb.DuckDBPyConnection, _Connection(connection, self._gate))

    def _settings(self) -> dict[str, str]:
        return super()._settings() | {"threads": "1"}


class GatedSnowflake(SnowflakeWarehouse):
    """The same on Snowflake: a process may stop before each statement that writes, or ends a transaction."""

    def __init__(self, address: Address, lake: str, gate: Any) -> None:
        seconds = lambda: gate.now().timestamp()  # noqa: E731
        super().__init__(address, lake, gate.now, sleep=gate.clock.advance, monotonic=seconds)
        self._gate = gate

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        verb = statement.split(None, 1)[0].upper()
        if verb in ("COMMIT", "INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "ALTER", "COPY", "PUT"):
            self._gate.statement(f"snowflake:{verb}")
        return super().execute(statement, *values)


class _Connection:
    """A connection on which the process may stop before any statement but ROLLBACK, which the engine runs by itself.

    A read alone changes no data: only the beginning, the writes and the end are places of their own.
    """

    def __init__(self, inner: duckdb.DuckDBPyConnection, gate: Gate) -> None:
        self._inner, self._gate = inner, gate

    def execute(self, query: str, *values: Any) -> Any:
        verb = query.split(None, 1)[0].upper()
        if verb in ("COMMIT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER"):
            self._gate.statement(f"warehouse:{verb}")
        return self._inner.execute(query, *values)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self._inner, attribute)


def outcomes(name: str) -> list[tuple[str, bool, Callable[[], BaseException]]]:
    """Return the possible faults of a call: (name, whether the call takes effect, factory of the exception)."""
    adapter, _, method = name.partition(".")
    found: list[tuple[str, bool, Callable[[], BaseException]]] = [
        ("crash before", False, Crashed),
        ("crash after", True, Crashed),
    ]
    if adapter == "warehouse":
        found.append(("error before", False, lambda: TransientError("the warehouse does not answer")))
        found.append(("error after", True, lambda: TransientError("the connection is gone")))
    elif adapter != "source":  # which has faults of its own
        found.append(("error before", False, lambda: OSError(errno.ECONNREFUSED, f"{name}: nobody answers")))
        found.append(("error after", True, lambda: OSError(errno.ETIMEDOUT, f"{name}: no answer in time")))
    if method == "write":  # the client's own retry finds what its first attempt wrote
        found.append(("exists after", True, lambda: ObjectExists(f"{name}: 412 for the own write")))
    return found
