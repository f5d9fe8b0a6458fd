"""The arrows of the package point down: which part may import which, may read the environment, or may use a library."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.collect.machine import Machine, response

PROJECT = Path(__file__).resolve().parents[1]
SRC = PROJECT / "src"

MOST_LAYERS = 10


def layers() -> list[list[str]]:
    """Return the list of CONTRIBUTING.md: the parts of each line, lowest line first."""
    (block,) = re.findall(r"```layers\n(.*?)```", (PROJECT / "CONTRIBUTING.md").read_text(), re.DOTALL)
    top_down = [re.match(r"(\w+(?:  \w+)*)", line) for line in block.splitlines()]
    return [match[1].split() for match in reversed(top_down) if match]


LAYERS = layers()
HEIGHTS = {name: height for height, layer in enumerate(LAYERS) for name in layer}

# The only parts that may import a library that is slow to load, or that ties the code to one vendor.
OWNERS = {
    "duckdb": ("warehouse/duckdb/", "laptop/"),
    "requests": ("extract/http_client.py", "bus/guard.py"),
    "google.cloud.storage": ("lake/gcs.py",),
    "google.cloud.pubsub_v1": ("bus/pubsub.py",),
    "google.cloud.run_v2": ("build/cloud_run.py",),
    "snowflake": ("warehouse/snowflake/",),
    "dbt": ("build/dbt.py", "build/parsed.py"),
    "fastapi": ("api/", "laptop/server.py", "wiring.py"),
    "uvicorn": ("laptop/callers.py", "laptop/server.py"),
    "cachetools": ("api/replies.py",),
    "watchfiles": ("collect/watcher.py",),
}


def modules(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (PROJECT / folder).rglob("*.py"))


PACKAGE = modules("src/millrace")
DEPLOYED = [*PACKAGE, *modules("functions", "jobs")]
ALL = [*DEPLOYED, *modules("local")]


@cache
def imported(path: Path) -> tuple[str, ...]:
    """Return every module that a file imports, including imports inside functions."""
    return tuple(_imports(ast.parse(path.read_text())))


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def layer(module: str) -> str:
    """Return the part of the package that `millrace.<part>…` belongs to."""
    return module.split(".")[1]


def named(path: Path) -> str:
    return path.relative_to(PROJECT).as_posix()


def part_of(path: Path) -> str:
    return path.relative_to(SRC / "millrace").parts[0].removesuffix(".py")


def test_the_list_of_layers_is_short_and_names_every_part() -> None:
    parts = {part_of(path) for path in PACKAGE} - {"__init__", "__main__"}
    assert len(LAYERS) <= MOST_LAYERS
    assert sorted(name for layer in LAYERS for name in layer) == sorted(parts)


def test_modules_import_only_what_is_below_them() -> None:
    offenders = [
        f"{named(path)} imports {used}"
        for path in PACKAGE
        if (part := part_of(path)) in HEIGHTS
        for used in sorted({layer(name) for name in imported(path) if name.startswith("millrace.")} - {part})
        if HEIGHTS[used] >= HEIGHTS[part] and not {used, part} <= set(LAYERS[0])
    ]
    assert offenders == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    names = {".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__"): path for path in PACKAGE}
    waiting = {name: needed(path, set(names)) - {name} for name, path in names.items()}
    while free := [name for name, needs in waiting.items() if not needs]:
        waiting = {name: needs.difference(free) for name, needs in waiting.items() if name not in free}
    assert waiting == {}


def needed(path: Path, known: set[str]) -> set[str]:
    """Return the modules of the package that a file needs before it can run."""
    return {part for name in imported(path) for part in (name, name.rpartition(".")[0]) if part in known - {"millrace"}}


def test_modules_have_at_most_400_lines() -> None:
    assert [named(path) for path in ALL if len(path.read_text().splitlines()) > 400] == []


def test_only_the_configuration_reads_the_environment() -> None:
    offenders = [(named(path), name) for path in DEPLOYED for name in read_environment(path)]
    assert offenders == []


def read_environment(path: Path) -> list[str]:
    """Return every use of the process's environment, except the allowed ones."""
    if path == SRC / "millrace/config.py":
        return []
    tree = ast.parse(path.read_text())
    uses = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")]
    targets = [target for node in ast.walk(tree) if isinstance(node, ast.Assign) for target in node.targets]
    written: list[ast.expr] = [target.value for target in targets if isinstance(target, ast.Subscript)]
    runs_dbt = path in (SRC / "millrace/build/dbt.py", SRC / "millrace/build/parsed.py")
    allowed = written if runs_dbt else []  # dbt takes its settings from there
    names = [ast.unparse(node) for node in uses if node not in allowed]
    return [name for name in names if name != "request.environ"]  # this one is WSGI's


def test_a_library_is_imported_only_by_the_module_that_owns_it() -> None:
    strangers = [
        (library, name)
        for path in PACKAGE
        for library, owners in OWNERS.items()
        if any(f"{used}.".startswith(f"{library}.") for used in imported(path))
        and not (name := path.relative_to(SRC / "millrace").as_posix()).startswith(owners)
    ]
    assert strangers == []


def test_the_extract_functions_start_without_a_warehouse_and_without_googles_clients() -> None:
    refused = ("duckdb", "dbt", "google.cloud.run_v2", "google.cloud.storage", "google.cloud.pubsub_v1")
    program = f"""import sys
sys.modules.update(dict.fromkeys({refused!r}))
import functions_framework
functions_framework.create_app("extract_repos", "functions/extract/main.py", "cloudevent")
"""
    settings = dict.fromkeys(("MILLRACE_LAKE", "MILLRACE_BUS", "MILLRACE_SOURCE_KEY"), "x")
    environment = {"PYTHONPATH": "src", "MILLRACE_SOURCE_URL": "http://127.0.0.1:9"} | settings
    subprocess.run([sys.executable, "-c", program], cwd=PROJECT, env=environment, check=True, timeout=600)


def test_a_collector_that_only_sends_needs_no_warehouse_no_functions_and_no_dbt(tmp_path: Path) -> None:
    Machine(tmp_path).log("claude").write_bytes(response("m1"))
    refused = ("duckdb", "dbt", "cloudevents", "functions_framework", "flask", "werkzeug", "requests", "rich")
    program = f"""import sys
sys.modules.update(dict.fromkeys({refused!r}))
from millrace.cli.main import main
sys.exit(main(["collect", "--home", "{tmp_path}/home", "--lake", "file://{tmp_path}/lake"]))
"""
    environment = {"PYTHONPATH": "src", "MILLRACE_COLLECT_STATE": str(tmp_path / "state")}
    subprocess.run([sys.executable, "-c", program], cwd=PROJECT, env=environment, check=True, timeout=600)


def test_simulator_does_not_import_millrace() -> None:
    users = [path for path in modules("local/simulator") if any(name.startswith("millrace") for name in imported(path))]
    assert users == []


def test_deployed_code_does_not_import_laptop() -> None:
    users = [path for path in DEPLOYED if {name.split(".")[0] for name in imported(path)} & {"laptop", "simulator"}]
    assert users == []
