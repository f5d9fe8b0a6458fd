"""`make verify-github` as a user runs it: a process, with the address of a simulated GitHub in its options."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.github import DEFAULT_TOKEN, Knobs, Served, generate, served

PROJECT = Path(__file__).parents[2]


def verify(at: Served | None, *arguments: str, token: str = DEFAULT_TOKEN) -> "subprocess.CompletedProcess[str]":
    paths = os.pathsep.join(str(PROJECT / name) for name in ("src", "local", "."))
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": paths, "GITHUB_TOKEN": token}
    given = [*arguments, *(["--source-url", at.url] if at else [])]
    command = [sys.executable, "-m", "tests.verify_github", *given]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_repository_that_is_read_whole_agrees_with_the_numbers_of_the_api(tmp_path: Path) -> None:
    file = tmp_path / "report.md"
    with served(generate(2, 130), Knobs(long_reviews=40)) as github:
        done = verify(github, "--account", "Acme", "--repository", "shop", "--report", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    report = file.read_text()
    assert done.stdout.strip() == report.strip()
    assert "`make verify-github`: all agrees" in report
    assert "| pull requests | 130 | 130 | ✓ |" in report
    assert "| reviews of the newest pull requests | 20 the same | 20 the same | ✓ |" in report
    assert "| pull_requests of acme/shop | known | 130 | 130 |  |" in report
    assert "Not seen by design" in report
    assert (DEFAULT_TOKEN in report + done.stderr, "acme/web" in report) == (False, False)


@pytest.mark.slow
def test_what_the_token_may_not_see_is_in_the_report() -> None:
    with served(generate(2, 12), Knobs(sso_hidden=("api",))) as github:
        done = verify(github, "--account", "acme", "--repository", "shop")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "see what differs" in done.stdout
    assert "single sign-on" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "token", "said"),
    [
        pytest.param(["--account", "acme", "--repository", "shop"], "ghp_wrong", "GITHUB_TOKEN", id="a wrong token"),
        pytest.param(["--account", "acme", "--repository", "shop"], "", "export GITHUB_TOKEN=", id="no token"),
        pytest.param(["--account", "acme", "--repository", "nope"], DEFAULT_TOKEN, "nope", id="no such repository"),
        pytest.param(["--account", "acme", "--repository", "a,b"], DEFAULT_TOKEN, "one repository", id="two"),
    ],
)
@pytest.mark.slow
def test_what_cannot_start_exits_2_with_one_line(arguments: list[str], token: str, said: str) -> None:
    with served(generate(1, 2)) as github:
        done = verify(github, *arguments, token=token)
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert said in line
    assert token == "" or token not in line
