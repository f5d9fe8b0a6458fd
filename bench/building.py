"""The build of a data directory in a process of its own, or the same SQL without dbt and its tests.

`python -m bench.building dbt|sql FOLDER FILE` writes a `Built` to FILE as JSON. `sql` runs what the last build
compiled, in the order in which it was built, with the settings of DuckDB that dbt has.
"""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from bench.child import peak_bytes
from bench.measuring import stopwatch
from millrace import wiring
from millrace.build import job
from millrace.laptop.data_dir import DataDir


@dataclass(frozen=True)
class Built:
    """A build: its seconds, those of each model and of all tests, those until readers have it, and its peak memory."""

    seconds: float
    peak_bytes: int
    models: dict[str, float]
    tests_s: float = 0.0
    published_s: float = 0.0


def with_dbt(place: DataDir) -> Built:
    """Build as the build job does, without its unit tests."""
    with stopwatch() as watch:
        outcome = job.run(wiring.builder_of(place.build_config()))
    if outcome.build is None:
        raise RuntimeError(f"expected a build, got {outcome.state}")
    nodes = outcome.build.nodes
    if bad := [f"{node.name}: {node.message}" for node in nodes if not node.is_good]:
        raise RuntimeError(f"the build failed: {'; '.join(bad)}")
    return Built(
        outcome.build.seconds,
        peak_bytes(),
        {node.name: node.seconds for node in nodes if node.kind == "model"},
        sum(node.seconds for node in nodes if node.kind == "test"),
        watch.s,
    )


def without_dbt(place: DataDir) -> Built:
    """Make each model of the last build by its SQL."""
    models: dict[str, float] = {}
    with duckdb.connect(str(place.warehouse)) as connection, stopwatch() as whole:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"SET memory_limit = '{place.build_config().memory}'")
        for node, materialized in _compiled(place.dbt):
            kind = "VIEW" if materialized == "view" else "TABLE"
            with stopwatch() as watch:
                connection.execute(f"CREATE OR REPLACE {kind} {node['relation_name']} AS {node['compiled_code']}")
            models[node["unique_id"].split(".")[-1]] = watch.s
    return Built(whole.s, peak_bytes(), models)


def _compiled(target: Path) -> list[tuple[dict[str, Any], str]]:
    """Return the models of the last build in the order in which it finished them, each with how it is kept."""
    nodes = json.loads((target / "manifest.json").read_text())["nodes"]
    results = json.loads((target / "run_results.json").read_text())["results"]
    models = [each for each in results if each["unique_id"].startswith("model.")]
    return [(each, nodes[each["unique_id"]]["config"]["materialized"]) for each in models]


if __name__ == "__main__":
    what, folder, file = sys.argv[1:]
    built = {"dbt": with_dbt, "sql": without_dbt}[what](DataDir(Path(folder)))
    Path(file).write_text(json.dumps(asdict(built)))
