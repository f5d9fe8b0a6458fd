"""`python -m simulator.github` as a process: what it writes, serves and refuses."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from tests.conftest import TESTS

pytestmark = pytest.mark.slow
HEADERS = {"Authorization": "Bearer github_pat_simulated"}


def simulator(*arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "simulator.github", *arguments]
    return subprocess.Popen(
        command,
        cwd=TESTS.parent / "local",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_process_serves_until_signal_and_writes_log(tmp_path: Path) -> None:
    log = tmp_path / "log.ndjson"
    process = simulator(
        "--port", "0", "--repositories", "2", "--pulls", "5", "--renamed", "shop=store", "--log", str(log)
    )
    assert process.stdout
    facts = json.loads(process.stdout.readline())

    moved = requests.get(f"{facts['url']}/repos/acme/shop", headers=HEADERS, timeout=30, allow_redirects=False)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)

    assert {name: facts[name] for name in facts if name != "url"} == {
        "account": "acme",
        "repositories": 2,
        "pull_requests": 10,
    }
    assert (moved.status_code, process.returncode) == (301, 0)
    (entry,) = map(json.loads, log.read_text().splitlines())
    assert (entry["path"], entry["status"], entry["points"]) == ("/repos/acme/shop", 301, 1)


def test_process_ends_with_standard_input() -> None:
    process = simulator("--port", "0", "--exit-with-parent")
    assert process.stdout
    assert process.stdout.readline()

    process.communicate(input="", timeout=30)

    assert process.returncode == 0


def test_truth_writes_a_file_for_each_table(tmp_path: Path) -> None:
    process = simulator("truth", "--pulls", "5", "--long-reviews", "31", "--out", str(tmp_path))
    output, _ = process.communicate(timeout=30)

    counts = json.loads(output)
    assert {path.stem: len(path.read_text().splitlines()) for path in tmp_path.iterdir()} == counts
    assert (counts["github_repos"], counts["github_pull_requests"]) == (3, 15)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--people", "1"), "expected at least 1 repository, 1 day and 2 people, and no negative number"),
        (("--empty", "nothing"), "empty: expected some of api, shop, web, got nothing"),
        (("--bad-gateways", "3-"), "expected requests such as 3,5-8, got '3-'"),
        (("--renamed", "shop"), "expected pairs such as old=new, got 'shop'"),
        (("--end", "today"), "expected an instant such as 2026-11-01T00:00:00Z, got 'today'"),
    ],
)
def test_wrong_option_is_refused_in_one_line(arguments: tuple[str, ...], line: str) -> None:
    process = simulator("--port", "0", *arguments)
    _, errors = process.communicate(timeout=30)

    assert process.returncode == 2
    assert line in errors
    assert len(errors.splitlines()) == 1


def test_process_serves_the_company_of_a_world() -> None:
    process = simulator("world", "--port", "0", "--developers", "2", "--days", "3", "--end", "2026-10-20T00:00:00Z")
    assert process.stdout
    facts = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert (facts["account"], facts["repositories"], process.returncode) == ("acme-corp", 2, 0)
    assert facts["pull_requests"] > 0


def test_world_of_one_developer_is_refused_in_a_line() -> None:
    process = simulator("world", "--developers", "1")
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (2, "python -m simulator.github world: developers: 1 is not in 2..2000\n")
