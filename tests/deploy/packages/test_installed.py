"""A wheel works where no other file of the project is: it runs, collects and serves without a checkout."""

import json
import signal
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.collect.machine import Machine, response
from tests.deploy.packages.packaging import PROJECT, Package, clean, install_wheel

WITHOUT_FCNTL = """
import runpy, sys
sys.modules["fcntl"] = None
runpy.run_module("millrace", run_name="__main__", alter_sys=True)
"""
ROUTES = ("", "page/app.js", "api/etl/status", "api/velocity?limit=1")


@dataclass(frozen=True, slots=True)
class Run:
    """A run of the pipeline: its exit, its data directory, and the installed files before it."""

    done: subprocess.CompletedProcess[str]
    data: Path
    before: set[Path]


def files_of(package: Package) -> set[Path]:
    """Return the installed files except those that Python compiles."""
    held = package.python.parents[1].rglob("*")
    return {path for path in held if path.is_file() and path.suffix != ".pyc"}


@pytest.fixture(scope="module")
def local(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Package:
    return install_wheel(wheel, "local", tmp_path_factory.mktemp("local"))


@pytest.fixture(scope="module")
def collect(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Package:
    return install_wheel(wheel, "collect", tmp_path_factory.mktemp("collect"))


@pytest.fixture(scope="module")
def run(local: Package) -> Run:
    data, before = local.folder / "data", files_of(local)
    return Run(local.run("millrace", "run", "--developers", "2", "--days", "10", "--data-dir", str(data)), data, before)


@pytest.fixture(scope="module")
def url(local: Package, run: Run) -> Iterator[str]:
    """Serve the run's data directory and yield the URL."""
    line = [str(local.python.with_name("millrace")), "serve", "--port", "0", "--data-dir", str(run.data)]
    with subprocess.Popen(
        line, cwd=local.folder, env=clean({}), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().split()[0]
        finally:
            process.send_signal(signal.SIGINT)


def test_installation_has_no_path_to_the_checkout(local: Package) -> None:
    program = (
        "import json, sys; from millrace.laptop import project as p; print(json.dumps([str(p.PROJECT), *sys.path]))"
    )
    project, *searched = json.loads(local.run("python", "-c", program).stdout)
    assert Path(project).is_relative_to(local.python.parents[1])
    assert [path for path in searched if Path(path).is_relative_to(PROJECT)] == []


def test_wheel_alone_runs_the_pipeline(run: Run) -> None:
    assert run.done.returncode == 0, run.done.stdout + run.done.stderr
    assert (run.data / "published.duckdb").exists()


def test_run_writes_nothing_into_the_installation(local: Package, run: Run) -> None:
    assert files_of(local) - run.before == set()


@pytest.mark.proof
def test_wheel_alone_collects(local: Package, tmp_path: Path) -> None:
    Machine(tmp_path).log("claude").write_bytes(response("m1"))
    done = local.run("millrace", "collect", "--data-dir", f"{tmp_path}/data", "--home", f"{tmp_path}/home")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("route", ROUTES)
def test_wheel_alone_serves(url: str, route: str) -> None:
    with urllib.request.urlopen(f"{url}/{route}", timeout=600) as answer:  # noqa: S310 our own server
        assert answer.status == 200
        assert answer.read()


@pytest.mark.proof
def test_collector_that_only_sends_needs_no_fcntl(collect: Package, tmp_path: Path) -> None:
    Machine(tmp_path).log("claude").write_bytes(response("m1"))
    options = ("collect", "--lake", "gs://some-bucket", "--dry-run", "--home", f"{tmp_path}/home")
    done = collect.run("python", "-c", WITHOUT_FCNTL, *options)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr  # a warning is expected: filelock's lock for Windows is missing
