"""What readers of the marts need: a snapshot of what was published last, which stays as it is while it is read."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Literal, Protocol

from millrace.warehouse import BuildRow

Engine = Literal["duckdb", "snowflake"]


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
    def watermarks(self) -> Mapping[str, int]:
        """Through which load sequence each incremental mart holds all changes."""

    def query(self, sql: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Give the rows of a query as dicts, with column names in small letters.

        `values` are bound, in their order, to the question marks of `sql`. Raises TransientError when the warehouse
        fails.
        """


class Reader(Protocol):
    """Gives snapshots; several threads may use it."""

    def version(self) -> str:
        """Name what is published now, without reading it; ConfigError when nothing is."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Give what is published now; ConfigError when nothing is."""

    def close(self) -> None:
        """Give back what is open."""
