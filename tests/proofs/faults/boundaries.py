"""Where the pipeline meets the world: every call of every adapter, found by wrapping the adapters, not by a list.

Each call is a place where the platform may stop the process, before the call took effect or after it, where the
adapter may fail in either way, and where another handler may go on first. Inside a transaction of the warehouse no
other handler goes on, but the process may stop before each statement.
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
    """The process is gone. What it did is done; it does nothing more."""


class Gate(Protocol):
    """What every call goes through."""

    def call(self, name: str, act: Callable[[], T]) -> T:
        """Do `act`, unless something happens before or after it."""

    def statement(self, name: str) -> None:
        """Stand before a statement inside a transaction."""


class Gated:
    """An adapter of which every method goes through a gate, as `<name>.<method>`."""

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
    """Give the adapter behind the gate."""
    return cast(T, Gated(adapter, name, gate))


class GatedWarehouse(DuckDBWarehouse):
    """A warehouse whose statements the process may not live to see; small and single-threaded for speed."""

    def __init__(self, path: Path, gate: Gate, **more: Any) -> None:
        super().__init__(path, **more)
        self._gate = gate

    def _connect(self) -> duckdb.DuckDBPyConnection:
        is_new = self._connection is None
        connection = super()._connect()
        if is_new:
            connection.execute("PRAGMA disable_optimizer")  # planning is most of what a statement over ten rows costs
        return cast(duckdb.DuckDBPyConnection, _Connection(connection, self._gate))

    def _settings(self) -> dict[str, str]:
        return super()._settings() | {"threads": "1"}


class GatedSnowflake(SnowflakeWarehouse):
    """The same on Snowflake: a process may be gone before each statement that writes, or ends a transaction."""

    def __init__(self, address: Address, lake: str, gate: Any) -> None:
        super().__init__(address, lake, gate.now, sleep=gate.clock.advance)
        self._gate = gate

    def execute(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        verb = statement.split(None, 1)[0].upper()
        if verb in ("COMMIT", "INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "ALTER", "COPY", "PUT"):
            self._gate.statement(f"snowflake:{verb}")
        return super().execute(statement, *values)


class _Connection:
    """A connection of which every statement but ROLLBACK (the engine's own, when a client is gone) is a place to stop.

    A read alone changes nothing: only the beginning, what writes, and the end are places of their own.
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
    """Give what may happen at a call beside nothing: (what, whether the call takes effect, what is raised)."""
    adapter, _, method = name.partition(".")
    found: list[tuple[str, bool, Callable[[], BaseException]]] = [
        ("crash before", False, Crashed),
        ("crash after", True, Crashed),
    ]
    if adapter == "warehouse":
        found.append(("error before", False, lambda: TransientError("the warehouse does not answer")))
        found.append(("error after", True, lambda: TransientError("the connection is gone")))
    elif adapter != "source":  # which has troubles of its own
        found.append(("error before", False, lambda: OSError(errno.ECONNREFUSED, f"{name}: nobody answers")))
        found.append(("error after", True, lambda: OSError(errno.ETIMEDOUT, f"{name}: no answer in time")))
    if method == "write":  # the client's own retry finds what its first attempt wrote
        found.append(("exists after", True, lambda: ObjectExists(f"{name}: 412 for the own write")))
    return found
