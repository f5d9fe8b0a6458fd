"""Each package is complete and minimal: installed from its lock alone it responds, and no other module is there."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.deploy.packages.conftest import KEY
from tests.deploy.packages.events import EXTRACT_REPOS, PUSH, RUN, SCHEDULED, finalized, push, settings
from tests.deploy.packages.packaging import NAMES, PROJECT, Package, assemble

from emulators import snowflake
from millrace import log
from millrace.lake.local import LocalLake
from millrace.tables import TABLES
from millrace.warehouse.snowflake.session import Address
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

ABSENT = {
    "api": ("duckdb", "dbt", "google.cloud.pubsub_v1", "google.cloud.run_v2", "fakesnow", "pytest", "rich", "laptop"),
    "extract": ("duckdb", "snowflake", "dbt", "google.cloud.run_v2", "pytest", "rich", "simulator", "laptop"),
    "load": ("duckdb", "dbt", "fakesnow", "pytest", "rich", "simulator", "laptop"),
    "dbt-runner": ("functions_framework", "flask", "gunicorn", "google.cloud.pubsub_v1", "fakesnow", "pytest", "rich"),
}
PRESENT = {
    "api": ("functions_framework", "a2wsgi", "fastapi", "snowflake.connector", "google.cloud.storage"),
    "extract": ("functions_framework", "requests", "pyarrow", "google.cloud.storage", "google.cloud.pubsub_v1"),
    "load": ("functions_framework", "pyarrow", "snowflake.connector", "google.cloud.storage", "google.cloud.run_v2"),
    "dbt-runner": ("dbt.cli.main", "dbt.adapters.duckdb", "dbt.adapters.snowflake", "google.cloud.storage"),
}
REQUIRED = {
    "api": ("MILLRACE_LAKE", "MILLRACE_QUARANTINE", "MILLRACE_WAREHOUSE"),
    "extract": ("MILLRACE_LAKE", "MILLRACE_SOURCE_KEY"),
    "load": ("MILLRACE_LAKE", "MILLRACE_WAREHOUSE"),
    "dbt-runner": ("MILLRACE_LAKE", "MILLRACE_WAREHOUSE"),
}


@pytest.fixture
def package(request: pytest.FixtureRequest) -> Package:
    """Return the package that a test is parametrized with."""
    found: Package = request.getfixturevalue(request.param.replace("-", "_"))
    return found


def of_each(cases: Mapping[str, tuple[str, ...]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("package", "names"), cases.items(), ids=cases, indirect=["package"])


@of_each(ABSENT)
def test_a_package_has_nothing_that_it_does_not_need(package: Package, names: tuple[str, ...]) -> None:
    assert package.importable(*names) == set()


@of_each(PRESENT)
def test_a_package_has_what_it_needs(package: Package, names: tuple[str, ...]) -> None:
    assert package.importable(*names) == set(names)


@pytest.mark.parametrize("name", NAMES)
def test_a_source_package_is_the_entry_point_the_package_and_the_lock(name: str, tmp_path: Path) -> None:
    files = {path.relative_to(tmp_path).as_posix() for path in assemble(name, tmp_path).rglob("*") if path.is_file()}
    held = [path for path in (PROJECT / "src" / "millrace").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    ours = {path.relative_to(PROJECT / "src").as_posix() for path in held}
    dbt = {path for path in files if path.startswith("dbt/")}
    assert files - dbt == {"main.py", "requirements.txt", *ours}
    assert bool(dbt) == (name == "dbt-runner")


def test_the_extract_package_starts_a_run_and_extracts_a_table(
    extract: Package, source_url: str, tmp_path: Path
) -> None:
    given = settings(tmp_path, source_url, KEY) | {"MILLRACE_PROJECT": "acme"}
    with extract.serving("start_run", "http", given, tmp_path / "log") as function:
        assert function.post(b"{}", SCHEDULED) == 200
    with extract.serving("extract_repos", "cloudevent", given, tmp_path / "log") as function:
        assert function.post(push(EXTRACT_REPOS, table="repos"), PUSH) == 200, (tmp_path / "log").read_text()
    lake = LocalLake(tmp_path / "lake", "lake")
    assert len(list(lake.list("raw/repos/"))) == 1
    assert json.loads(lake.read(f"runs/{RUN}/tasks/repos.json")[0])["table"] == "repos"
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines() if line.startswith("{")]
    traces = {line[log.TRACE] for line in lines if line.get("run_id") == RUN}
    assert traces == {f"projects/acme/traces/{log.trace_id_of(RUN)}"}


def test_the_load_package_loads_one_dropped_file_and_sets_another_aside(
    load: Package, tmp_path: Path, snowflake_at: str
) -> None:
    given = settings(tmp_path, "https://x", "k", snowflake_at)
    address = Address.parse(given["MILLRACE_WAREHOUSE"], given["MILLRACE_SNOWFLAKE_KEY"])
    snowflake.provision(address, f"file://{tmp_path}/lake/raw/")
    drop = tmp_path / "lake" / "drop" / "repos"
    drop.mkdir(parents=True)
    (drop / "a.ndjson").write_text('{"full_name": "o/a"}\n')
    (drop / "b.ndjson").write_text('{"full_name": 1}\n')
    with load.serving("load", "cloudevent", given, tmp_path / "log") as function:
        for name in ("a", "b"):
            body = finalized(tmp_path / "lake", f"drop/repos/{name}")
            assert function.post(body, PUSH) == 200, (tmp_path / "log").read_text()
    assert list((tmp_path / "quarantine").glob("quarantine/*.json"))
    with SnowflakeWarehouse(address) as warehouse:
        assert list(warehouse.keys_of(TABLES["repos"])) == [("o/a",)]


def test_api_package_serves_concurrent_requests_before_first_publication(
    api: Package, tmp_path: Path, snowflake_at: str
) -> None:
    given = settings(tmp_path, "https://x", "k", snowflake_at) | {"MILLRACE_PROJECT": "acme", "THREADS": "40"}
    address = Address.parse(given["MILLRACE_WAREHOUSE"], given["MILLRACE_SNOWFLAKE_KEY"])
    snowflake.provision(address, f"file://{tmp_path}/lake/raw/")
    with api.serving("api", "http", given, tmp_path / "log") as function, ThreadPoolExecutor(40) as people:
        page, script, status, velocity = people.map(
            function.get, ("", "page/app.js", "api/etl/status", "api/velocity?limit=1")
        )
        pages = list(people.map(function.get, [""] * 200))
    assert (page[0], script[0], status[0]) == (200, 200, 200), (tmp_path / "log").read_text()
    assert b"page/app.js" in page[1]
    assert json.loads(status[1])["builds"] == []
    assert velocity[0] == 503
    assert "nothing is published" in json.loads(velocity[1])["detail"]
    assert set(pages) == {page}


def test_the_job_package_builds_an_empty_warehouse(dbt_runner: Package, tmp_path: Path) -> None:
    done = dbt_runner.run("python", "main.py", **settings(tmp_path, "https://x", "k"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "published.duckdb").exists()


TARGETS = {"api": ("api", "http"), "extract": ("start_run", "http"), "load": ("load", "cloudevent")}


@of_each(REQUIRED)
def test_a_missing_setting_stops_the_start_with_one_line(
    package: Package, names: tuple[str, ...], tmp_path: Path
) -> None:
    for name in names:
        given = settings(tmp_path, "http://127.0.0.1:1", "k")
        del given[name]
        if package.name == "dbt-runner":
            done = package.run("python", "main.py", **given)
        else:
            target, signature = TARGETS[package.name]
            options = ("--target", target, "--signature-type", signature, "--port", "0")
            done = package.run("functions-framework", *options, **given)
        (line,) = (done.stdout + done.stderr).splitlines()
        assert f"{name} is not set" in json.loads(line)["error"]
        assert done.returncode != 0


ENTRY_POINTS = sorted([*PROJECT.glob("functions/*/main.py"), *PROJECT.glob("jobs/*/main.py")])


@pytest.mark.parametrize("path", ENTRY_POINTS, ids=lambda path: path.parent.name)
def test_an_entry_point_has_at_most_thirty_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 30
