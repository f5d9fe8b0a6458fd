"""Write src/millrace/api/definitions.json, the read API's copy of the dbt project. Run it after a change.

It contains, for each mart of the API, its columns, and its SQL for both engines with `{name}` where it reads another
model. So dbt stays the only definition of a number, also where the API computes one from the facts. No engine is
queried. With --check it writes nothing, and fails when the file is out of date.
"""

import io
import json
import re
import sys
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

PROJECT = Path(__file__).resolve().parents[2]
DBT = PROJECT / "jobs" / "dbt-runner" / "dbt"
FILE = PROJECT / "src" / "millrace" / "api" / "definitions.json"

FACTS = (
    "usage_events",
    "merged_pull_requests",
    "project_repositories",
    "user_developers",
    "source_completeness",
    "agent_pull_requests",
)
DERIVED = (
    "usage_daily",
    "usage_session",
    "usage_project",
    "velocity",
    "review_costs",
    "quality",
    "ai_impact",
    "int_usage_matched",
    "int_usage_attributed",
    "ai_spend_by_repo_week",
)
_TARGETS = {"duckdb": "local", "snowflake": "prod"}
# The zone is a bound value, and all events are included.
_VARS = json.dumps({"from_all_events": True, "reporting_time_zone": "{zone}"})
_CLOCK = "{{ in_reporting_zone('{instant}') }}"
_WEEK = "{{ week_of('{instant}') }}"
_NAMES = {"datetime": "timestamp"}  # the API's name of a type, where it has another than the dbt project
_COLUMN = re.compile(r'\{\n +("type": .*)\n +("is_known": .*)\n +("description": .*)\n +\}')


def exported() -> str:
    """Return the text of the file."""
    models: dict[str, dict[str, Any]] = {}
    engines: dict[str, dict[str, str]] = {}
    for engine, target in _TARGETS.items():
        with tempfile.TemporaryDirectory() as folder:
            nodes, clock, week = _compiled(target, folder)
        engines[engine] = {"clock": clock.replace("'{zone}'", "?"), "week": week}
        for name in FACTS + DERIVED:
            model = models.setdefault(name, {"columns": _columns(nodes[name]), "sql": {}})
            if name in DERIVED:
                model["sql"][engine] = _with_names(nodes, name)
    zone = re.search(r"^  reporting_time_zone: (\S+)$", (DBT / "dbt_project.yml").read_text(), re.MULTILINE)
    assert zone is not None  # noqa: S101 dbt would not have compiled
    text = json.dumps({"reporting_time_zone": zone[1], "engines": engines, "models": models}, indent=1) + "\n"
    return _COLUMN.sub(r"{\1 \2 \3}", text)


def _compiled(target: str, folder: str) -> tuple[dict[str, Any], str, str]:
    """Compile the project for one engine; return its models by name, and the SQL of a clock and of a week."""
    where = ["--project-dir", str(DBT), "--profiles-dir", str(DBT), "--target-path", folder, "--log-path", folder]
    how = ["--quiet", "--target", target, "--vars", _VARS, *where]
    offline = ["--no-introspect", "--no-populate-cache"]
    parsed = dbtRunner().invoke(["parse", *how])
    if not isinstance(parsed.result, Manifest):
        raise SystemExit(f"dbt cannot parse the project: {parsed.exception}")
    runner = dbtRunner(manifest=parsed.result)
    with redirect_stdout(io.StringIO()):  # dbt prints the compiled SQL
        marts = runner.invoke(["compile", *how, *offline, "--select", *FACTS, *DERIVED])
        inline = runner.invoke(["compile", *how, *offline, "--inline", f"{_CLOCK}\n{_WEEK}"])
    if not (marts.success and inline.success):
        raise SystemExit(f"dbt cannot compile the project: {marts.exception or inline.exception}")
    nodes = {each.node.name: each.node for each in marts.result if each.node.resource_type == "model"}  # type: ignore[union-attr]  # a run's results
    clock, week = inline.result.results[0].node.compiled_code.strip().split("\n")  # type: ignore[union-attr]
    return nodes, clock, week


def _columns(node: Any) -> dict[str, dict[str, Any]]:
    return {
        column.name: {
            "type": _NAMES.get(column.data_type, column.data_type),
            "is_known": any(each.type.value == "not_null" for each in column.constraints),
            "description": column.description,
        }
        for column in node.columns.values()
    }


def _with_names(nodes: dict[str, Any], name: str) -> str:
    sql = nodes[name].compiled_code.strip()
    for other in nodes.values():
        sql = sql.replace(other.relation_name, f"{{{other.name}}}")
    return re.sub(r"^ +| +$", "", re.sub(r"\n\s*\n", "\n", sql), flags=re.MULTILINE)


if __name__ == "__main__":
    text = exported()
    if sys.argv[1:] == ["--check"]:
        raise SystemExit(0 if FILE.read_text() == text else f"{FILE.relative_to(PROJECT)} is not what dbt says")
    FILE.write_text(text)
