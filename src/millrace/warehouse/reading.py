"""What readers of the marts need: a snapshot of what was published last, which stays as it is while it is read."""

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
    """The marts of one publication. All of its answers are of that one, whatever is published meanwhile."""

    @property
    def version(self) -> str:
        """What names the publication; another one after each."""

    @property
    def build(self) -> BuildRow:
        """The build whose marts these are."""

    @property
    def engine(self) -> Engine:
        """Whose SQL it understands."""

    @property
    def schema(self) -> str:
        """Where the marts are: a name to put before the dot."""

    @property
    def tables(self) -> frozenset[str]:
        """Which marts are there, in small letters."""

    @property
    def columns(self) -> Mapping[str, frozenset[str]]:
        """Which columns each mart has, in small letters."""

    def query(self, sql: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Give the rows of a query as dicts, with column names in small letters; instants are aware, in UTC.

        `values` are bound, in their order, to the question marks of `sql`. Raises ConfigError when the marts do not
        have what it asks for, and TransientError when the warehouse fails.
        """


class Reader(Protocol):
    """Lets work read what is published; several threads may use it."""

    def version(self) -> str:
        """Name what is published now, or was two seconds ago, without reading it; NothingYet when nothing is."""

    def read(self, work: Callable[[Snapshot], Answer]) -> Answer:
        """Give what `work` makes of one snapshot: of what was published last when it began, or of something newer.

        Where a snapshot cannot be held fast, work that met a newer publication is done again, so it has to be free of
        effects; and it uses its snapshot only, neither after it ended nor together with another of this reader.
        Raises what `work` raises, NothingYet when nothing is published, ConfigError when what is cannot be read,
        TransientError when another attempt may succeed.
        """

    def close(self) -> None:
        """Give back what is open, what is being read when that ends; the next use opens it again."""


def as_dicts(names: Iterable[str], rows: Iterable[Sequence[object]]) -> list[dict[str, Any]]:
    """Name the values of rows; an instant that does not say its zone is UTC, as everything in the warehouses."""
    keys = [name.lower() for name in names]
    return [dict(zip(keys, map(_aware, row), strict=True)) for row in rows]


def by_table(names: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """Return the columns of each table, given as pairs of both names, in small letters."""
    found: dict[str, set[str]] = defaultdict(set)
    for table, column in names:
        found[table.lower()].add(column.lower())
    return {table: frozenset(columns) for table, columns in found.items()}


def _aware(value: object) -> object:
    if not isinstance(value, datetime):
        return value
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
