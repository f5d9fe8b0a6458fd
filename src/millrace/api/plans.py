"""Queries over marts. A mart that cannot answer one is computed from the facts by dbt's own definition."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal, Self

from millrace.api.definitions import Column, Definitions, Dialect
from millrace.api.people import People
from millrace.errors import ConfigError, Step
from millrace.warehouse.reading import Snapshot

Source = Literal["marts", "events"]


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of SQL, and the values of its `?` parameters in their order."""

    text: str
    values: tuple[object, ...] = ()


def and_(*conditions: Sql | None) -> Sql:
    """Join conditions with AND, for a WHERE; TRUE when there is none."""
    given = [each for each in conditions if each is not None]
    text = " AND ".join(f"({each.text})" for each in given) or "TRUE"
    return Sql(text, tuple(value for each in given for value in each.values))


def in_(expression: str, values: Sequence[object]) -> Sql | None:
    """Return the condition that an expression has one of the values; None (no condition) without values."""
    if not values:
        return None
    return Sql(f"{expression} IN ({', '.join('?' * len(values))})", tuple(values))


@dataclass
class QueryPlan:
    """The models that queries of one snapshot use, with the CTEs behind their names.

    `given` has SQL in place of a model, such as filtered facts; it becomes a CTE when a query reads that model. The
    marts in `without` are treated as missing. `made` has the models that were computed from others. `today` is
    the day of the request in the requested zone, `people` how people are shown.
    """

    snapshot: Snapshot
    definitions: Definitions
    without: frozenset[str] = frozenset()
    given: dict[str, Sql] = field(default_factory=dict)
    made: set[str] = field(default_factory=set)
    _ctes: dict[str, Sql] = field(default_factory=dict)
    today: date = date.max
    people: People = field(default_factory=People)

    @property
    def dialect(self) -> Dialect:
        """The SQL expressions of the snapshot's engine."""
        return self.definitions.engines[self.snapshot.engine]

    @property
    def source(self) -> Source:
        """`events` if anything was computed from the events, else `marts`."""
        return "events" if self.made else "marts"

    def fork(self) -> "QueryPlan":
        """Return a plan for another query of the same snapshot."""
        return QueryPlan(self.snapshot, self.definitions, self.without, today=self.today, people=self.people)

    def without_mart(self, mart: str) -> Self:
        """Compute a mart from the facts from now on, even if it exists; return this plan."""
        self.without = self.without | {mart}
        return self

    def is_there(self, name: str) -> bool:
        """Return whether a mart can be read: one of an earlier version may lack columns, and is computed then."""
        is_fact = self.snapshot.engine not in self.definitions.models[name].sql
        return name in self.snapshot.tables and name not in self.without and (is_fact or not self._lacking(name))

    def stored(self, name: str) -> str:
        """Return the table of a mart or a fact; ConfigError when it cannot be read.

        Columns that a fact of an earlier version lacks are NULL until the next build.
        """
        if not self.is_there(name):
            raise ConfigError(f"what is published has no mart.{name}", step=Step.REBUILD)
        table = f"{self.snapshot.schema}.{name}"
        if lacking := self._lacking(name):
            nulls = ", ".join(f"CAST(NULL AS {column.type}) AS {column.name}" for column in lacking)
            return self.add(f"stored_{name}", Sql(f"SELECT *, {nulls} FROM {table}"))  # noqa: S608 our own names
        return table

    def _lacking(self, name: str) -> list[Column]:
        known = self.snapshot.columns.get(name, frozenset())
        return [column for column in self.definitions.models[name].columns.values() if column.name not in known]

    def table(self, name: str) -> str:
        """Return the name of the table or CTE that holds the rows of a model."""
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
        """Add a step of a query as a CTE, and return its name."""
        self._ctes[name] = sql
        return name

    def query(self, text: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """Return the rows of a query over names that `table` and `add` returned."""
        steps = ",\n".join(f"{name} AS (\n{each.text}\n)" for name, each in self._ctes.items())
        bound = [value for each in self._ctes.values() for value in each.values]
        return self.snapshot.query(f"WITH {steps}\n{text}" if steps else text, [*bound, *values])
