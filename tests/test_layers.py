"""The arrows of the package point down: who may import whom, who may read the environment, who may use what."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
SRC = PROJECT / "src"

# Low to high; a module imports only modules of lower lines, and of its own line where the line is one folder.
LAYERS = (
    ("errors", "log"),
    ("tables",),
    ("rows", "lake", "usage"),
    ("bus", "jobs", "doors"),
    ("sources",),
    ("warehouse", "dropped_lines"),
    ("dropped",),
    ("collect",),
    ("runs",),
    ("config",),
    ("place",),
    ("reconciling", "extracting", "building", "auditing", "refreshing", "doctoring"),
    ("builds", "bundling"),
    ("loading", "sweeping"),
    ("quarantine", "health", "standing"),
    ("status",),
    ("status_text", "api"),
    ("adapters",),
    ("following", "usage_commands", "etl_commands"),
    ("usage_road", "serving"),
    ("cli",),
    ("__main__",),
)
HEIGHTS = {name: height for height, layer in enumerate(LAYERS) for name in layer}

# Who alone may import a library that is slow to load, or that ties the code to one vendor.
OWNERS = {
    "duckdb": ("warehouse/duckdb", "dropped"),
    "requests": ("sources/http.py",),
    "google.cloud.storage": ("lake/gcs.py",),
    "google.cloud.pubsub_v1": ("bus/pubsub.py",),
    "google.cloud.run_v2": ("jobs.py",),
    "snowflake": ("warehouse/snowflake",),
    "dbt": ("building.py",),
    "fastapi": ("api/", "serving.py"),
    "uvicorn": ("serving.py",),
    "filelock": ("collect/locking.py",),
    "watchfiles": ("collect/watching.py",),
}


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (PROJECT / folder).rglob("*.py"))


PACKAGE = modules("src/millrace")
DEPLOYED = [*PACKAGE, *modules("functions", "jobs")]
ALL = [*DEPLOYED, *modules("local")]


def imported(path: Path) -> Iterator[str]:
    """Give every module that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer(module: str) -> str:
    """Give the part of the package that `millrace.<part>…` belongs to."""
    return module.split(".")[1]


def named(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def part_of(path: Path) -> str:
    return path.relative_to(SRC / "millrace").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", [path for path in PACKAGE if part_of(path) != "__init__"], ids=named)
def test_a_module_imports_only_what_is_below_it(path: Path) -> None:
    part = part_of(path)
    assert part in HEIGHTS, f"{part} has no place in LAYERS"
    used = {layer(name) for name in imported(path) if name.startswith("millrace.")} - {part}
    assert {name for name in used if HEIGHTS[name] >= HEIGHTS[part]} == set()


def test_no_module_imports_itself_by_way_of_others() -> None:
    names = {".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__"): path for path in PACKAGE}
    waiting = {name: needed(path, set(names)) - {name} for name, path in names.items()}
    while free := [name for name, needs in waiting.items() if not needs]:
        waiting = {name: needs.difference(free) for name, needs in waiting.items() if name not in free}
    assert waiting == {}


def needed(path: Path, known: set[str]) -> set[str]:
    """Give the modules of the package that a file needs before it can run."""
    return {part for name in imported(path) for part in (name, name.rpartition(".")[0]) if part in known - {"millrace"}}


@pytest.mark.parametrize("path", ALL, ids=named)
def test_a_module_has_at_most_400_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", [path for path in DEPLOYED if path.name != "config.py"], ids=named)
def test_only_the_configuration_reads_the_environment(path: Path) -> None:
    tree = ast.parse(path.read_text())
    uses = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")]
    targets = [target for node in ast.walk(tree) if isinstance(node, ast.Assign) for target in node.targets]
    written: list[ast.expr] = [target.value for target in targets if isinstance(target, ast.Subscript)]
    allowed = written if path.name == "building.py" else []  # dbt takes its settings from there
    found = [ast.unparse(node) for node in uses if node not in allowed]
    assert [name for name in found if name != "request.environ"] == []  # that one is WSGI's


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_imported_only_by_the_module_that_owns_it(library: str) -> None:
    users = [path for path in PACKAGE if any(f"{name}.".startswith(f"{library}.") for name in imported(path))]
    strangers = [path.relative_to(SRC / "millrace").as_posix() for path in users]
    assert [name for name in strangers if not name.startswith(OWNERS[library])] == []


def test_the_extract_functions_start_without_a_warehouse_and_without_googles_clients() -> None:
    refused = ("duckdb", "dbt", "google.cloud.run_v2", "google.cloud.storage", "google.cloud.pubsub_v1")
    program = f"""import sys
sys.modules.update(dict.fromkeys({refused!r}))
import functions_framework
functions_framework.create_app("extract_repos", "functions/extract/main.py", "cloudevent")
"""
    settings = dict.fromkeys(("MILLRACE_LAKE", "MILLRACE_BUS", "MILLRACE_SOURCE_KEY"), "x")
    environment = {"PYTHONPATH": "src", "MILLRACE_SOURCE_URL": "http://127.0.0.1:9"} | settings
    subprocess.run([sys.executable, "-c", program], cwd=PROJECT, env=environment, check=True, timeout=60)


def test_a_collector_that_only_sends_needs_no_warehouse_no_functions_and_no_dbt(tmp_path: Path) -> None:
    refused = ("duckdb", "dbt", "cloudevents", "functions_framework", "flask", "werkzeug", "requests", "rich")
    program = f"""import sys
sys.modules.update(dict.fromkeys({refused!r}))
from millrace.cli import main
sys.exit(main(["collect", "--home", {str(tmp_path)!r}, "--lake", "file://{tmp_path}/lake"]))
"""
    environment = {"PYTHONPATH": "src", "MILLRACE_COLLECT_STATE": str(tmp_path / "state")}
    subprocess.run([sys.executable, "-c", program], cwd=PROJECT, env=environment, check=True, timeout=60)


def test_the_simulator_knows_nothing_of_the_project_that_it_is_to_test() -> None:
    users = [path for path in modules("local/simulator") if any(name.startswith("millrace") for name in imported(path))]
    assert users == []


def test_what_is_deployed_knows_nothing_of_the_laptop() -> None:
    users = [path for path in DEPLOYED if {name.split(".")[0] for name in imported(path)} & {"laptop", "simulator"}]
    assert users == []
