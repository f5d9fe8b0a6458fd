"""A query over marts: read where they can answer it, else made from the facts by dbt's own definition."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from millrace.api.definitions import Definitions, Dialect
from millrace.errors import ConfigError, Step
from millrace.warehouse.reading import Snapshot

Source = Literal["marts", "events"]


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of SQL, and the values of its question marks in their order."""

    text: str
    values: tuple[object, ...] = ()


def every(*conditions: Sql | None) -> Sql:
    """Put conditions together, for a WHERE; true when there is none."""
    given = [each for each in conditions if each is not None]
    text = " AND ".join(f"({each.text})" for each in given) or "TRUE"
    return Sql(text, tuple(value for each in given for value in each.values))


def one_of(expression: str, values: Sequence[object]) -> Sql | None:
    """Give the condition that an expression has one of the values; None when there are no values: then all do."""
    if not values:
        return None
    return Sql(f"{expression} IN ({', '.join('?' * len(values))})", tuple(values))


@dataclass
class Plan:
    """Names for models as they come up in queries of one snapshot, with the CTEs that stand behind the names.

    `given` are models that something else stands for, such as facts that a filter has gone over; they are put in when
    something reads them. `without` are marts which are read as if they were not there. `made` are those that had to be
    made from others.
    """

    snapshot: Snapshot
    definitions: Definitions
    without: frozenset[str] = frozenset()
    given: dict[str, Sql] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)
    _ctes: dict[str, Sql] = field(default_factory=dict)

    @property
    def dialect(self) -> Dialect:
        """How the snapshot's engine says some things."""
        return self.definitions.engines[self.snapshot.engine]

    @property
    def source(self) -> Source:
        """Whether all of it was read from marts, or something had to be made from the events."""
        return "events" if self.made else "marts"

    def other(self) -> "Plan":
        """Give a plan for another question about the same snapshot."""
        return Plan(self.snapshot, self.definitions, self.without)

    def leaving_out(self, mart: str) -> Self:
        """From here on, make a mart from the facts, also where it is there."""
        self.without = self.without | {mart}
        return self

    def is_there(self, name: str) -> bool:
        """Whether a mart can be read."""
        return name in self.snapshot.tables and name not in self.without

    def stored(self, name: str) -> str:
        """Name the table of a mart or a fact; ConfigError when it is not there."""
        if not self.is_there(name):
            raise ConfigError(f"what is published has no mart.{name}", step=Step.REBUILD)
        return f"{self.snapshot.schema}.{name}"

    def table(self, name: str) -> str:
        """Name what holds the rows of a model."""
        if name in self._ctes:
            return name
        if name in self.given:
            self._ctes[name] = self.given[name]
            return name
        if self.is_there(name):
            return self.stored(name)
        sql = self.definitions.models[name].sql.get(self.snapshot.engine)
        if sql is None:
            return self.stored(name)
        self.made.add(name)
        text = re.sub(r"\{(\w+)\}", lambda found: self.table(found[1]), sql)
        self._ctes[name] = Sql(text)
        return name

    def add(self, name: str, sql: Sql) -> str:
        """Put in a step of a query, under a name of its own."""
        self._ctes[name] = sql
        return name

    def query(self, text: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Give the rows of a query over names that `table` and `add` gave."""
        steps = ",\n".join(f"{name} AS (\n{each.text}\n)" for name, each in self._ctes.items())
        bound = [value for each in self._ctes.values() for value in each.values]
        return self.snapshot.query(f"WITH {steps}\n{text}" if steps else text, [*bound, *values])
