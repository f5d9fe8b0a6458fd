"""`millrace etl status` for a user and a monitor: its output, and its exit codes."""

import json
import subprocess
from pathlib import Path

import pytest
from tests import warm
from tests.status.conftest import World

from millrace.cli import main as cli
from millrace.status.store import MARTS


def millrace(root: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return warm.run("millrace", "etl", "status", "--data-dir", str(root), *arguments)


def test_text_shows_verdict_first_then_details(world: World) -> None:
    done = millrace(world.place.root)
    lines = done.stdout.splitlines()
    assert (done.returncode, lines[0]) == (0, "ETL pipeline: live; read from the working warehouse")
    assert next(line for line in lines if line.startswith("Watcher")).startswith("Watcher  not running; usage marts")
    (events,) = (line for line in lines if line.startswith("Events"))
    assert events.split()[1:3] == ["6", "total"]
    assert {"anthropic=4", "claude=1", "unknown=1", "rate_card=4", "prompt=1"} <= set(events.split())
    assert all(any(line.startswith(f"  {mart} ") for line in lines) for mart in MARTS)


def test_a_running_collector_is_named(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.place.collector.mkdir()
    (world.place.collector / "collector.pid").write_text("1")
    assert cli.main(["etl", "status", "--data-dir", str(world.place.root)]) == 0
    assert "Watcher  running (pid 1); " in capsys.readouterr().out


def test_status_before_first_run_suggests_command_and_lists_marts(tmp_path: Path) -> None:
    done = millrace(tmp_path)
    lines = done.stdout.splitlines()
    assert (done.returncode, lines[0]) == (1, "ETL pipeline: empty; nothing is built")
    named = f"--data-dir {tmp_path}"
    began = f"type: millrace demo {named}, or for your own numbers: millrace collect {named}"
    assert lines[1] == f"look: nothing was built in {tmp_path} yet; {began}"
    assert all(f"  {mart} " in done.stdout for mart in MARTS)
    assert "0 total" in done.stdout


def test_json_is_json_and_text_is_not(world: World) -> None:
    assert json.loads(millrace(world.place.root, "--format", "json").stdout)["health"] == "live"
    assert not millrace(world.place.root, "--format", "text").stdout.startswith("{")


def test_invalid_format_is_reported(tmp_path: Path) -> None:
    done = millrace(tmp_path, "--format", "yaml")
    assert (done.returncode, "'yaml' is not one of 'text', 'json'" in done.stderr) == (2, True)


def test_non_numeric_threshold_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_STALE_S", "soon")
    done = millrace(tmp_path)
    assert (done.returncode, "MILLRACE_STALE_S: expected a number of at least 0, got 'soon'" in done.stderr) == (
        2,
        True,
    )


def test_the_exit_code_is_for_monitors(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["etl", "status", "--data-dir", str(world.place.root)]
    world.use(3)
    assert cli.main(command) == 0
    monkeypatch.setenv("MILLRACE_STALE_S", "0")
    assert cli.main(command) == 1
    monkeypatch.setenv("MILLRACE_STALE_EVENTS", "2")
    assert cli.main(command) == 3
    assert capsys.readouterr().out.count("look: 3 usage events wait for the marts") == 2


def test_a_broken_file_is_an_error_without_a_trace(tmp_path: Path) -> None:
    (tmp_path / "published.duckdb").write_bytes(b"no database " * 4096)
    done = millrace(tmp_path)
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("ETL pipeline: error; no store could be read\nlook: the warehouse cannot be read: ")
