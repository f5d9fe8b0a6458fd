"""What dbt says a mart is: its columns, and the SQL that makes it from other models.

`definitions.json` is written by jobs/dbt-runner/write_definitions.py; a test compares it with the dbt project.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from millrace.warehouse.reading import Engine


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a mart's contract. `is_known` says that it is never NULL."""

    name: str
    type: str
    is_known: bool
    description: str


@dataclass(frozen=True, slots=True)
class Model:
    """A model: its columns in their order, and for each engine its SQL; without any it is a fact, and has to be there.

    In the SQL `{name}` stands for another model.
    """

    columns: dict[str, Column]
    sql: dict[Engine, str]


@dataclass(frozen=True, slots=True)
class Dialect:
    """Expressions over `{instant}`: its wall clock in a zone that is bound to `?`, and the Monday of its week."""

    clock: str
    week: str


@dataclass(frozen=True, slots=True)
class Definitions:
    """All of it. Days and weeks of the marts are those of `reporting_time_zone`."""

    reporting_time_zone: str
    engines: dict[Engine, Dialect]
    models: dict[str, Model]


@cache
def load() -> Definitions:
    """Read the definitions that this package has."""
    content = json.loads(files(__package__).joinpath("definitions.json").read_text())
    models = {
        name: Model({column: Column(column, **said) for column, said in model["columns"].items()}, model["sql"])
        for name, model in content["models"].items()
    }
    engines: dict[Engine, Dialect] = {engine: Dialect(**said) for engine, said in content["engines"].items()}
    return Definitions(content["reporting_time_zone"], engines, models)
