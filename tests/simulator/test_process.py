"""`python -m simulator`: the line it prints, how it ends, and its reports of mistakes."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.simulator.client import Client, basic

COMMAND = [sys.executable, "-m", "simulator"]
SMALL = ["--port", "0", "--developers", "2", "--days", "5", "--end", "2026-11-01T00:00:00Z"]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    started = []

    def run(*arguments: str) -> "subprocess.Popen[str]":
        pipe = subprocess.PIPE
        process = subprocess.Popen([*COMMAND, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        with process:  # closes its pipes
            process.wait()


def first_line(process: "subprocess.Popen[str]") -> dict[str, object]:
    assert process.stdout
    line: dict[str, object] = json.loads(process.stdout.readline())
    return line


def test_first_line_contains_url_and_row_counts(start: Start, connect: Callable[[str], Client]) -> None:
    line = first_line(start(*SMALL, "--no-limiter"))
    client = connect(str(line["url"]))
    assert line["commits"] == client.json("/analytics/ai-code/commits")["totalCount"]
    assert line["pull_requests"] == client.json("/analytics/github/prs")["pagination"]["total"]
    assert line["reviews"] == client.json("/analytics/github/reviews")["pagination"]["total"]
    assert line["repos"] == len(client.json("/repos"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(start: Start, number: signal.Signals) -> None:
    process = start(*SMALL)
    first_line(process)
    process.send_signal(number)
    assert process.communicate(timeout=300)[1] == ""
    assert process.returncode == 0


def test_it_ends_with_its_parent(start: Start) -> None:
    process = start(*SMALL, "--exit-with-parent")
    first_line(process)
    assert process.stdin
    process.stdin.close()
    assert process.wait(timeout=300) == 0


def test_homes_are_written_while_the_parent_lives(start: Start, tmp_path: Path) -> None:
    process = start("homes", "--exit-with-parent", "--out", str(tmp_path / "homes"), *SMALL[2:])
    assert process.wait(timeout=300) == 0
    assert process.stderr
    assert process.stderr.read() == ""
    assert len(list((tmp_path / "homes").iterdir())) == 2


def test_the_writing_of_homes_ends_with_its_parent(start: Start, tmp_path: Path) -> None:
    world = ("--developers", "2000", "--days", "400")  # more than can be written before its input ends
    process = start("homes", "--exit-with-parent", "--out", str(tmp_path / "homes"), *world)
    assert process.stdin
    process.stdin.close()
    assert process.wait(timeout=300) == 1


def test_faults_key_and_offset_reach_the_server(start: Start, connect: Callable[[str], Client]) -> None:
    line = first_line(start(*SMALL, "--plain-only", "--key", "other", "--utc-offset", "-04:00"))
    client = connect(str(line["url"]))
    assert client.get("/repos").status_code == 401
    assert client.get("/analytics/github/prs", basic("other:")).status_code == 404
    rows = client.get("/analytics/ai-code/commits?pageSize=1", basic("other:")).json()["items"]
    assert rows[0]["commitTs"].endswith("-04:00")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param(["--developers", "1"], "developers: 1 is not in 2..2000", id="one developer"),
        pytest.param(["--end", "yesterday"], "'yesterday' is not an RFC 3339 instant", id="end"),
        pytest.param(["--utc-offset", "EST"], "neither Z nor an offset", id="offset"),
        pytest.param(["--error-rate", "2"], "2 is not in 0..1", id="rate"),
        pytest.param(["--from-recording", "/no/such/file"], "No such file", id="recording"),
        pytest.param(["--port", "99999"], "port must be 0-65535", id="port"),
        pytest.param(["truth", "--out", "x"], "--as-of", id="truth without an instant"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments: list[str], complaint: str) -> None:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_help_lists_options_and_truth_command() -> None:
    done = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, timeout=300, check=True)
    assert "--exit-with-parent" in done.stdout
    assert "truth --help" in done.stdout


def test_the_truth_is_written_as_one_file_per_mart(tmp_path: Path) -> None:
    options = ["--developers", "2", "--days", "20", "--end", "2026-11-01T00:00:00Z"]
    command = [*COMMAND, "truth", *options, "--as-of", "2026-11-01T00:00:00Z", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    files = {path.stem: path.read_text().splitlines() for path in tmp_path.iterdir()}
    assert json.loads(done.stdout) == {name: len(lines) for name, lines in files.items()}
    assert files.keys() == {"velocity", "developer_velocity", "review_costs", "quality", "ai_impact"}
    assert json.loads(files["velocity"][0])["week"] == "2026-10-12"


def test_serving_needs_nothing_but_the_standard_library() -> None:
    script = "import simulator.cli, simulator.truth, sys; print({'pyarrow', 'requests'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout == "set()\n"
