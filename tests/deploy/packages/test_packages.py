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
from millrace.laptop.functions import EXTRACT, LOAD, START_RUN, Function
from millrace.tables import TABLES
from millrace.warehouse.snowflake.session import Address
from millrace.warehouse.snowflake.warehouse import SnowflakeWarehouse

ABSENT = {
    "functions": ("duckdb", "dbt", "a2wsgi", "cyclonedx_py", "fakesnow", "pip", "pytest", "rich", "simulator"),
    "dbt-runner": ("functions_framework", "flask", "gunicorn", "google.cloud.pubsub_v1", "fakesnow", "pytest", "rich"),
}
PRESENT = {
    "functions": (
        "functions_framework",
        "fastapi",
        "uvicorn",
        "requests",
        "pyarrow",
        "snowflake.connector",
        "google.cloud.storage",
        "google.cloud.pubsub_v1",
        "google.cloud.run_v2",
    ),
    "dbt-runner": ("dbt.cli.main", "dbt.adapters.duckdb", "dbt.adapters.snowflake", "google.cloud.storage"),
}
# What a function does not import, although its environment has it for another one.
UNUSED = {
    "api": ("functions_framework", "flask", "google.cloud.pubsub_v1", "google.cloud.run_v2"),
    "extract": ("fastapi", "snowflake", "uvicorn", "google.cloud.run_v2"),
    "load": ("fastapi", "requests", "uvicorn"),
}
REQUIRED = {
    "api": ("MILLRACE_LAKE", "MILLRACE_QUARANTINE", "MILLRACE_WAREHOUSE"),
    "extract": ("MILLRACE_LAKE", "MILLRACE_SOURCE_KEY"),
    "load": ("MILLRACE_LAKE", "MILLRACE_WAREHOUSE"),
    "dbt-runner": ("MILLRACE_LAKE", "MILLRACE_WAREHOUSE"),
}
API = ("python", "functions/api/main.py")
IMPORTED = "import runpy, sys; runpy.run_path(sys.argv[1]); print(*sys.modules)"


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


@pytest.mark.parametrize("folder", UNUSED)
def test_a_function_imports_nothing_of_another(functions: Package, folder: str, tmp_path: Path) -> None:
    given = settings(tmp_path, "https://x", "k", "host=127.0.0.1&port=1&protocol=http")
    source = f"functions/{folder}/main.py"
    program = f"import flask; flask.Flask('f').app_context().push(); {IMPORTED}" if folder != "api" else IMPORTED
    done = functions.run("python", "-c", program, source, **given, PYTHONPATH=str(functions.folder))
    imported = set(done.stdout.split())
    assert "millrace.wiring" in imported, done.stderr
    assert imported & set(UNUSED[folder]) == set()


@pytest.mark.parametrize("name", NAMES)
def test_a_package_is_its_entry_points_millrace_and_one_lock(name: str, tmp_path: Path) -> None:
    files = {path.relative_to(tmp_path).as_posix() for path in assemble(name, tmp_path).rglob("*") if path.is_file()}
    held = [path for path in (PROJECT / "src" / "millrace").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    ours = {path.relative_to(PROJECT / "src").as_posix() for path in held}
    dbt = {path for path in files if path.startswith("dbt/")}
    mains = {f"functions/{folder}/main.py" for folder in UNUSED} if name == "functions" else {"main.py"}
    assert files - dbt == {"requirements.txt", *mains, *ours}
    assert bool(dbt) == (name == "dbt-runner")


def served_as(function: Function, package: Package) -> list[str]:
    return ["functions-framework", *function.arguments(package.folder)]


def test_the_functions_start_a_run_and_extract_a_table(functions: Package, source_url: str, tmp_path: Path) -> None:
    given = settings(tmp_path, source_url, KEY) | {"MILLRACE_PROJECT": "acme"}
    with functions.serving(served_as(START_RUN, functions), given, tmp_path / "log") as function:
        assert function.post(b"{}", SCHEDULED) == 200
    with functions.serving(served_as(EXTRACT["repos"], functions), given, tmp_path / "log") as function:
        assert function.post(push(EXTRACT_REPOS, table="repos"), PUSH) == 200, (tmp_path / "log").read_text()
    lake = LocalLake(tmp_path / "lake", "lake")
    assert len(list(lake.list("raw/repos/"))) == 1
    assert json.loads(lake.read(f"runs/{RUN}/tasks/repos.json")[0])["table"] == "repos"
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines() if line.startswith("{")]
    traces = {line[log.TRACE] for line in lines if line.get("run_id") == RUN}
    assert traces == {f"projects/acme/traces/{log.trace_id_of(RUN)}"}


def test_the_load_function_loads_one_dropped_file_and_quarantines_another(
    functions: Package, tmp_path: Path, snowflake_at: str
) -> None:
    given = settings(tmp_path, "https://x", "k", snowflake_at)
    address = Address.parse(given["MILLRACE_WAREHOUSE"], given["MILLRACE_SNOWFLAKE_KEY"])
    snowflake.provision(address, f"file://{tmp_path}/lake/raw/")
    drop = tmp_path / "lake" / "drop" / "repos"
    drop.mkdir(parents=True)
    (drop / "a.ndjson").write_text('{"full_name": "o/a"}\n')
    (drop / "b.ndjson").write_text('{"full_name": 1}\n')
    with functions.serving(served_as(LOAD, functions), given, tmp_path / "log") as function:
        for name in ("a", "b"):
            body = finalized(tmp_path / "lake", f"drop/repos/{name}")
            assert function.post(body, PUSH) == 200, (tmp_path / "log").read_text()
    assert list((tmp_path / "quarantine").glob("quarantine/*.json"))
    with SnowflakeWarehouse(address) as warehouse:
        assert list(warehouse.keys_of(TABLES["repos"])) == [("o/a",)]


def test_api_serves_concurrent_requests_before_first_publication(
    functions: Package, tmp_path: Path, snowflake_at: str
) -> None:
    given = settings(tmp_path, "https://x", "k", snowflake_at) | {"MILLRACE_PROJECT": "acme"}
    address = Address.parse(given["MILLRACE_WAREHOUSE"], given["MILLRACE_SNOWFLAKE_KEY"])
    snowflake.provision(address, f"file://{tmp_path}/lake/raw/")
    with functions.serving(API, given, tmp_path / "log") as function, ThreadPoolExecutor(40) as people:
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


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_setting_stops_the_start_with_one_line(
    functions: Package, dbt_runner: Package, name: str, tmp_path: Path
) -> None:
    package = dbt_runner if name == "dbt-runner" else functions
    lines = {
        "api": API,
        "dbt-runner": ("python", "main.py"),
        "extract": served_as(START_RUN, functions),
        "load": served_as(LOAD, functions),
    }
    for setting in REQUIRED[name]:
        given = settings(tmp_path, "http://127.0.0.1:1", "k") | {"PYTHONPATH": str(package.folder), "PORT": "0"}
        del given[setting]
        done = package.run(*lines[name], **given)
        (line,) = (done.stdout + done.stderr).splitlines()
        assert f"{setting} is not set" in json.loads(line)["error"]
        assert done.returncode != 0
