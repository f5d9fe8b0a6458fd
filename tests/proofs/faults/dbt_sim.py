"""The build of a schedule: two statements that replace dbt, or dbt itself over the project's models."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from unittest import mock

from tests.proofs.faults.nature import Violation

from millrace.build import dbt as building
from millrace.config import BuildConfig
from millrace.tables import CURSOR_SIM

if TYPE_CHECKING:
    from tests.proofs.faults.world import World

PROJECT = Path(__file__).parents[3] / "jobs" / "dbt-runner" / "dbt"
MARTS = ("ai_impact", "developer_velocity", "quality", "review_costs", "velocity")
Marts = dict[str, list[tuple[Any, ...]]]
_QUIET = {
    "DBT_LOG_LEVEL": "none",
    "DBT_LOG_LEVEL_FILE": "none",
    "DBT_WRITE_JSON": "false",
}

STATE = " UNION ALL ".join(
    f"SELECT '{name}' AS name, count(*) AS rows, coalesce(max(_load_seq), 0) AS load_seq FROM raw.{name}"  # noqa: S608
    for name in CURSOR_SIM
)


class Dbt(Protocol):
    """Builds the models."""

    @property
    def steps(self) -> tuple[str, ...]:
        """Return the methods to call, in order; each builds some of the models."""

    @property
    def marts(self) -> tuple[str, ...]:
        """The models that are published."""


class TwoModels:
    """Two models, each built in one statement: the state of the raw tables at that moment, and a copy of it."""

    steps = ("first", "second")
    marts = ("second",)

    def __init__(self, world: World) -> None:
        self._world = world

    def first(self) -> None:
        self._make("first", STATE)

    def second(self) -> None:
        self._make("second", "SELECT * FROM mart.first")

    def _make(self, name: str, select: str) -> None:
        self._world.engine.make(name, select)


class Project:
    """The dbt project: its seed and all its models, built by dbt. Its tests have their own suite in tests/dbt."""

    steps = ("build",)
    marts = MARTS

    def __init__(self, world: World) -> None:
        self._world = world

    def build(self) -> None:
        from dbt.cli import main as cli  # takes seconds, and few schedules need it

        config = BuildConfig("", "", str(PROJECT), str(_target()), "200MB", 60, 0)
        with mock.patch.dict(os.environ, _QUIET), self._world.warehouse.released_for_dbt() as target:
            runner = partial(cli.dbtRunner, manifest=_manifest(config, self._world.database))
            with mock.patch.object(cli, "dbtRunner", runner):
                built = building.build(config, target, left_out=("test", "unit_test"))
        if not built.is_good or built.count("model") < len(MARTS):
            raise Violation("dbt", f"the models do not build: {[node for node in built.nodes if not node.is_good]}")


_parsed: list[Any] = []


def _manifest(config: BuildConfig, database: Path) -> Any:
    """Return dbt's manifest of the project's files, which are parsed once."""
    from dbt.cli import main as cli

    if not _parsed:
        arguments = ["--quiet", "--no-write-json", "parse", "--project-dir", config.dbt_dir]
        arguments += ["--profiles-dir", config.dbt_dir, "--target", "local"]
        arguments += ["--target-path", config.target_dir, "--log-path", config.target_dir]
        with mock.patch.dict(os.environ, {"MILLRACE_DUCKDB_PATH": str(database)}):
            _parsed.append(cli.dbtRunner().invoke(arguments).result)
    return _parsed[0]


@cache
def _target() -> Path:
    """Return a folder in which dbt finds the project that it has parsed before."""
    folder = Path(tempfile.mkdtemp(prefix="faults-dbt-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))  # noqa: S108
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def read(query: Callable[[str], list[tuple[Any, ...]]], dbt: Dbt) -> Marts:
    """Return the rows that readers see."""
    return {name: query(f"SELECT * FROM mart.{name} ORDER BY ALL") for name in dbt.marts}  # noqa: S608


def wanted(query: Callable[[str], list[tuple[Any, ...]]], clean: Marts | None, dbt: Dbt) -> Marts | None:
    """Return the rows that readers should see in the end: those of `query`, or the marts of a clean run."""
    return clean if isinstance(dbt, Project) else {"second": sorted(query(STATE))}
