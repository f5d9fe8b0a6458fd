"""The interface of readers of the marts: a snapshot of the last publication, which is constant during a read."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, Protocol, TypeVar

from millrace.errors import ConfigError
from millrace.warehouse import BuildRow

Engine = Literal["duckdb", "snowflake"]
Answer = TypeVar("Answer")


class NothingYet(ConfigError):
    """Nothing was built, or nothing is published yet."""


class AtWork(NothingYet):
    """Nothing is published yet, and another process holds the warehouse."""


class Snapshot(Protocol):
    """The marts of one publication. All of its queries read that one, whatever is published meanwhile."""

    @property
    def version(self) -> str:
        """The name of the publication; each has another one."""

    @property
    def build(self) -> BuildRow:
        """The build whose marts these are."""

    @property
    def engine(self) -> Engine:
        """The engine whose SQL it accepts."""

    @property
    def schema(self) -> str:
        """The schema of the marts: the name before the dot."""

    @property
    def tables(self) -> frozenset[str]:
        """The names of the marts, in lower case."""

    @property
    def columns(self) -> Mapping[str, frozenset[str]]:
        """The columns of each mart, in lower case."""

    def query(self, sql: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Return the rows of a query as dicts, with column names in lower case; instants are aware, in UTC.

        `values` are bound, in order, to the question marks of `sql`. Raises ConfigError when the marts lack what it
        names, and TransientError when the warehouse fails.
        """


class Reader(Protocol):
    """Access to the published marts; several threads may use it."""

    def version(self) -> str:
        """Return the name of the publication, two seconds old at most, without reading it; NothingYet without one."""

    def read(self, work: Callable[[Snapshot], Answer]) -> Answer:
        """Return the result of `work` over one snapshot: the last publication when it began, or a newer one.

        Where a snapshot cannot be held, work that met a newer publication is repeated, so it must have no side
        effects. It must use its own snapshot only, and not after it ended. Raises what `work` raises, NothingYet when
        nothing is published, ConfigError when the publication cannot be read, TransientError when another attempt may
        succeed.
        """

    def close(self) -> None:
        """Close what is open, and what is being read when that ends; the next use opens it again."""


def as_dicts(names: Iterable[str], rows: Iterable[Sequence[object]]) -> list[dict[str, Any]]:
    """Return rows as dicts; an instant without a zone is UTC, as everything in the warehouses."""
    keys = [name.lower() for name in names]
    return [dict(zip(keys, map(_aware, row), strict=True)) for row in rows]


def by_table(names: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """Return the columns of each table, given as pairs of both names, in lower case."""
    found: dict[str, set[str]] = defaultdict(set)
    for table, column in names:
        found[table.lower()].add(column.lower())
    return {table: frozenset(columns) for table, columns in found.items()}


def _aware(value: object) -> object:
    if not isinstance(value, datetime):
        return value
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
