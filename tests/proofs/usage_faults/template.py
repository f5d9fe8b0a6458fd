"""An empty warehouse, built once by dbt; each schedule works on a copy, and runs the statements that dbt left."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
from tests.dbt.conftest import PROJECT, USAGE_MARTS

from millrace.build.refresh import MartScripts
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

SEEDS = PROJECT / "seeds"
_PRICES = ("usage_prices", "usage_prices_second", "usage_model_rules", "usage_model_aliases")
_OFFERED = ("stg_usage_prices", "int_usage_prices_offered")
_NODES = (*_PRICES, *_OFFERED, "stg_usage_events", "int_usage_events_changed", *USAGE_MARTS)
_BUILD = ("build", "--resource-types", "model seed", "--select", *_NODES)
_FILE = "millrace.duckdb"  # dbt's statements contain the database's name


@dataclass(frozen=True, slots=True)
class Template:
    """The file, and the statements of a refresh, each on its own so that a process can stop between any two."""

    database: Path
    scripts: MartScripts

    def copy(self, folder: Path) -> Path:
        """Return a copy of the file."""
        return Path(shutil.copy(self.database, folder / _FILE))


def read_template(folder: Path) -> Template:
    """Read what `make_template` left."""
    scripts = MartScripts.of_last_build(folder / "target")
    statements = {
        f"{mart} {number}": statement.query
        for mart, script in scripts.marts.items()
        for number, statement in enumerate(duckdb.extract_statements(script))
    }
    return Template(folder / _FILE, MartScripts(statements))


def make_template(folder: Path) -> Template:
    """Build the usage marts from no events with dbt."""
    folder.mkdir(parents=True, exist_ok=True)
    with DuckDBWarehouse(folder / _FILE) as warehouse:
        warehouse.ensure_tables()
    target = str(folder / "target")
    settings = {
        "MILLRACE_DUCKDB_PATH": str(folder / _FILE),
        "DBT_TARGET_PATH": target,
        "DBT_LOG_PATH": target,
    }
    command = [str(Path(sys.executable).with_name("dbt")), "--no-use-colors", *_BUILD, "--target", "local"]
    done = subprocess.run(
        [*command, "--project-dir", PROJECT, "--profiles-dir", PROJECT],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return read_template(folder)
