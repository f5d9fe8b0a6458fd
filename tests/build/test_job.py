"""The job with real dbt: `--retry` of a failed build runs only the models that failed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from dbt.cli.main import dbtRunner, dbtRunnerResult

from millrace.build import dbt
from millrace.config import BuildConfig
from millrace.warehouse import DbtTarget

PROJECT = Path(__file__).resolve().parents[2]
PROFILES = PROJECT / "jobs" / "dbt-runner" / "dbt" / "profiles.yml"
JOB = """
import importlib.util, pathlib, sys
specification = importlib.util.spec_from_file_location("dbt_runner", sys.argv[1])
job = importlib.util.module_from_spec(specification)
specification.loader.exec_module(job)
broken = pathlib.Path(sys.argv[2])
codes = [job.run(), job.run(("--retry",))]
broken.write_text("select 1 as value")
codes += [job.run(("--retry",)), job.run(("--retry",))]
print(codes)
"""


@pytest.fixture
def dbt_dir(tmp_path: Path) -> Path:
    """A project of three models: one is broken, and another one depends on it."""
    folder = tmp_path / "dbt"
    models = {
        "fine": "select count(*) as repos from raw.repos",
        "broken": "select value from nowhere",
        "after": "select * from {{ ref('broken') }}",
    }
    (folder / "models").mkdir(parents=True)
    for name, sql in models.items():
        (folder / "models" / f"{name}.sql").write_text(sql)
    (folder / "profiles.yml").write_text(PROFILES.read_text())
    project = {"name": "small", "version": "1.0.0", "config-version": 2, "profile": "millrace"}
    flags = {"send_anonymous_usage_stats": False}
    settings = {"models": {"+materialized": "table"}, "flags": flags}
    (folder / "dbt_project.yml").write_text(json.dumps(project | settings))
    return folder


def test_only_a_good_build_is_published_and_a_changed_model_ends_retries(tmp_path: Path, dbt_dir: Path) -> None:
    settings = {
        "MILLRACE_LAKE": (tmp_path / "lake").as_uri(),
        "MILLRACE_WAREHOUSE": f"duckdb://{tmp_path}/millrace.duckdb",
        "MILLRACE_DBT_DIR": str(dbt_dir),
        "MILLRACE_DBT_TARGET_DIR": str(tmp_path / "target"),
        "PYTHONPATH": str(PROJECT / "src"),
    }
    main, broken = PROJECT / "jobs" / "dbt-runner" / "main.py", dbt_dir / "models" / "broken.sql"
    command = [sys.executable, "-c", JOB, str(main), str(broken)]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, timeout=600)
    assert done.stdout.splitlines()[-1] == "[1, 1, 0, 0]", done.stderr
    with duckdb.connect(tmp_path / "published.duckdb", read_only=True) as connection:
        rows = connection.execute("SELECT number, result, nodes FROM meta.builds ORDER BY number").fetchall()
        assert connection.execute('SELECT * FROM "after"').fetchall() == [(1,)]
    built = [(number, result, sorted(node["name"] for node in json.loads(nodes))) for number, result, nodes in rows]
    assert built == [
        (1, "failed", ["after", "broken", "fine"]),
        (2, "failed", ["after", "broken"]),
        (3, "good", ["after", "broken", "fine"]),  # a model changed: nothing of the failed build is kept
    ]


BUILD = """
import sys
from millrace.build import dbt
from millrace.config import BuildConfig
from millrace.errors import ConfigError
from millrace.warehouse import DbtTarget
path, folder, target = sys.argv[1:]
config = BuildConfig("file:///lake", f"duckdb://{path}", folder, target, "200MB", 60, 0)
try:
    built = dbt.build(config, DbtTarget("local", {"MILLRACE_DUCKDB_PATH": path}))
    print(sorted((node.name, node.message) for node in built.nodes if not node.is_good))
except ConfigError as error:
    print(error.step, error)
"""


def build(path: Path, dbt_dir: Path, target: Path) -> str:
    """Build with dbt in a process of its own; return what is wrong."""
    command = [sys.executable, "-c", BUILD, str(path), str(dbt_dir), str(target)]
    environment = os.environ | {"PYTHONPATH": str(PROJECT / "src")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=True)
    return done.stdout.splitlines()[-1]


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    """A warehouse with a raw table of some blocks."""
    path = tmp_path / "millrace.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("CREATE SCHEMA raw")
        connection.execute("CREATE TABLE raw.repos AS SELECT md5(range::VARCHAR) AS name FROM range(100_000)")
    return path


@pytest.mark.parametrize("byte", [8, *(pytest.param(byte, marks=pytest.mark.proof) for byte in (0, 100_000))])
def test_damage_that_only_dbt_meets_names_the_rebuild(
    byte: int, warehouse: Path, dbt_dir: Path, tmp_path: Path
) -> None:
    with duckdb.connect(warehouse, read_only=True) as connection:
        found = connection.execute("SELECT block_id FROM pragma_storage_info('raw.repos') WHERE block_id >= 0 LIMIT 1")
        (block,) = found.fetchall()[0]
    (dbt_dir / "models" / "broken.sql").write_text("select count(distinct name) as value from raw.repos")
    content = bytearray(warehouse.read_bytes())
    content[3 * 4096 + block * 262_144 + byte] ^= 0xFF
    warehouse.write_bytes(content)
    said = build(warehouse, dbt_dir, tmp_path / "target")
    assert said.startswith(f"restore the warehouse {warehouse} is damaged: Corrupt database file: "), said


def test_the_reason_of_a_failed_model_is_named(warehouse: Path, dbt_dir: Path, tmp_path: Path) -> None:
    said = build(warehouse, dbt_dir, tmp_path / "target")
    assert "('broken', 'Catalog Error: Table with name nowhere does not exist!" in said, said


def closed_while_interrupted() -> RuntimeError:
    error = RuntimeError("Connection already closed!")
    error.__context__ = KeyboardInterrupt()
    return error


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(KeyboardInterrupt(), id="as it is"),
        pytest.param(closed_while_interrupted(), id="behind an error of the connection that dbt closed"),
    ],
)
def test_ctrl_c_while_dbt_works_is_no_failed_build(
    error: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dbtRunner, "invoke", lambda *_: dbtRunnerResult(success=False, exception=error))
    config = BuildConfig("file:///lake", "duckdb:///w", str(tmp_path), str(tmp_path), "200MB", 60, 0)
    with pytest.raises(KeyboardInterrupt):
        dbt.build(config, DbtTarget("local", {}))
