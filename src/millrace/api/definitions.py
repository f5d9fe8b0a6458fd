"""dbt's definitions of the marts: their columns, and the SQL that computes them from other models.

`definitions.json` is written by jobs/dbt-runner/write_definitions.py; a test compares it with the dbt project.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from millrace.warehouse.reading import Engine


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a mart's contract. With `is_known` it is never NULL."""

    name: str
    type: str
    is_known: bool
    description: str


@dataclass(frozen=True, slots=True)
class ModelDefinition:
    """A model: its columns in their order, and its SQL for each engine. Without SQL it is a fact, and has to exist.

    In the SQL, `{name}` is a placeholder for another model.
    """

    columns: dict[str, Column]
    sql: dict[Engine, str]


@dataclass(frozen=True, slots=True)
class Dialect:
    """SQL expressions over `{instant}`: its local time in the zone bound to `?`, and the Monday of its week."""

    clock: str
    week: str


@dataclass(frozen=True, slots=True)
class Definitions:
    """All definitions. Days and weeks of the marts are those of `reporting_time_zone`."""

    reporting_time_zone: str
    engines: dict[Engine, Dialect]
    models: dict[str, ModelDefinition]


@cache
def load() -> Definitions:
    """Load the definitions of this package."""
    content = json.loads(files(__package__).joinpath("definitions.json").read_text())
    models = {
        name: ModelDefinition(
            {column: Column(column, **said) for column, said in model["columns"].items()}, model["sql"]
        )
        for name, model in content["models"].items()
    }
    engines: dict[Engine, Dialect] = {engine: Dialect(**said) for engine, said in content["engines"].items()}
    return Definitions(content["reporting_time_zone"], engines, models)
