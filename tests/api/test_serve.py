"""`millrace serve`: a process of its own, for this machine only, that blocks no other command."""

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from millrace.laptop.data_dir import DataDir
from millrace.laptop.server import listening
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

COMMAND = [sys.executable, "-m", "millrace", "serve", "--port", "0"]
PROJECT = Path(__file__).parents[2]


@contextmanager
def served(place: DataDir) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Start the command and yield its address."""
    command = [*COMMAND, "--data-dir", str(place.root)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            found = re.match(r"http://127\.0\.0\.1:\d+", said)
            assert found, said or (process.stderr.read() if process.stderr else "")
            yield found[0], process
        finally:
            process.kill()


def test_it_answers_while_a_run_has_the_warehouse_and_ends_by_ctrl_c(store: DataDir) -> None:
    with DuckDBWarehouse(store.warehouse) as warehouse, served(store) as (url, process):
        assert warehouse.last_builds()
        assert requests.get(f"{url}/api/velocity", timeout=600).json()["total_count"] > 0
        status = requests.get(f"{url}/api/etl/status", timeout=600).json()
        assert (status["store"], status["watcher"]["running"]) == ("published", False)
        assert "<title>" in requests.get(url, timeout=600).text
        process.send_signal(signal.SIGINT)
        assert process.wait(300) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_serve_without_build_returns_503_with_run_command(tmp_path: Path) -> None:
    with served(DataDir(tmp_path)) as (url, _):
        answer = requests.get(f"{url}/api/velocity", timeout=600)
        assert (answer.status_code, answer.headers["Content-Type"]) == (503, "application/problem+json")
        assert answer.json()["next_step"].startswith(f"type: millrace demo --data-dir {tmp_path}, or ")
        assert requests.get(f"{url}/api/etl/status", timeout=600).json()["health"] == "empty"


def test_only_this_machine_can_reach_it_and_only_by_its_own_name(store: DataDir) -> None:
    with served(store) as (url, _):
        assert requests.get(url, headers={"Host": "millrace.evil.example"}, timeout=600).status_code == 400
        port = int(url.rpartition(":")[2])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route:
            route.connect(("192.0.2.1", 9))  # nothing is sent: it shows which other address this machine has
            address = route.getsockname()[0]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, port), timeout=600)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--data-dir", "no/such/folder"],
            "--data-dir: no/such/folder does not exist; leave out --data-dir for .*data.*",
        ),
        (["--data-dir", "EMPTY", "--port", "PORT"], "port .* cannot be used: .*; give another --port"),
        (["--data-dir", "EMPTY", "--port", "99999"], "port 99999 cannot be used: .*; give another --port"),
    ],
)
def test_invalid_options_are_reported_in_one_line(options: list[str], said: str, tmp_path: Path) -> None:
    with listening(0) as taken:
        words = {"PORT": str(taken.getsockname()[1]), "EMPTY": str(tmp_path)}
        given = [words.get(option, option) for option in options]
        command = [*COMMAND[:4], *given]
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=600)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(f"error: {said}\n", done.stderr), done.stderr


def test_small_answers_leave_at_once() -> None:
    with listening(0) as door:
        assert door.proto == socket.IPPROTO_TCP  # asyncio checks this before it turns Nagle's algorithm off
