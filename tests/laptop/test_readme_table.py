"""Every command of README's table "Use it" works, in the order of the table, after `make run`."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests import warm
from tests.collect.machine import Machine, response
from tests.laptop.conftest import PROJECT

from millrace.laptop.source import SIMULATOR_KEY, simulator
from simulator import github
from simulator.generating import generate
from simulator.github import truth
from simulator.github.of_world import company_of

TINY = ("--developers", "2", "--days", "3", "--seed", "1", "--end", "2026-10-20T00:00:00Z")
SIMULATED = ("demo", "run")  # after `collect`, the others show the rows of this machine
# They need no pipeline before them. The proof has the whole table.
QUICK = ("collect --dry-run", "run --dry-run", "prices")
README = (PROJECT / "README.md").read_text()


def commands() -> Iterator[str]:
    """Yield the commands of the table, without `millrace`. A bare option belongs to the command before it."""
    table = README.partition("## Use it")[2].partition("\n## ")[0]
    base = "run"
    for cell in re.findall(r"^\|.*\| (.*) \|$", table, re.MULTILINE)[1:]:
        for code in re.findall(r"`([^`]+)`", cell):
            words = code.removeprefix("MILLRACE_SOURCE_KEY=… ").removeprefix("GITHUB_TOKEN=… ")
            if words.startswith("millrace "):
                base = words.split()[1]
                yield words.removeprefix("millrace ")
            elif words.startswith("--"):
                yield f"{base} {words}"


@dataclass
class Place:
    """A folder in which a user works, with logs of a coding agent in its home."""

    folder: Path
    url: str
    github: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        Machine(self.folder).log("claude").write_bytes(response("m1"))
        calls = self.folder / "bin" / "systemctl"
        calls.parent.mkdir()
        calls.write_text("#!/bin/sh\n")
        calls.chmod(0o755)
        self.environment = {
            "HOME": str(self.folder / "home"),
            "PATH": f"{calls.parent}:/usr/bin:/bin",
            "PYTHONPATH": os.pathsep.join((str(PROJECT / "src"), str(PROJECT / "local"))),
            "MILLRACE_DATA_DIR": str(self.folder / "data"),
            "MILLRACE_SOURCE_KEY": SIMULATOR_KEY,
            "GITHUB_TOKEN": github.DEFAULT_TOKEN,
        }

    def words(self, command: str) -> list[str]:
        """Return the words of a command, with real values and a small company."""
        words = shlex.split(command.replace("https://host", self.url).replace("RUN", "").replace("…", ""))
        for place in range(1, len(words)):
            if words[place - 1] in ("--data-dir", "--to"):
                words[place] = str(self.folder / words[place])
        if words in (["map"], ["prices"]):
            words += ["list"]
        if "github" in words:
            words += ["--source-url", self.github]
        if words[0] in SIMULATED and "--source-url" not in words:
            words += TINY
        if words[0] == "run":
            words += ["--no-build"]  # that of the first run is enough; the proof builds again
        if words[0] == "serve":
            words += ["--port", "0"]
        return words

    def do(self, command: str) -> str:
        """Run a command; return an error where it did not do what the table says."""
        words = self.words(command)
        if words[0] == "serve" or "--watch" in words:
            return self._until_stopped(words)
        if "--drops" in words:
            drop = self.folder / "data" / "lake" / "drop" / "repos"
            drop.mkdir(parents=True, exist_ok=True)
            (drop / "mine.csv").write_text("full_name,default_branch\nacme/shop,main\n")
        done = warm.run("millrace", *words, environment=self.environment)
        # 1: there is something to look at, like a model without a price.
        is_right = done.returncode in ((0, 1) if words[0] in ("doctor", "status") else (0,))
        return "" if is_right else f"{command}: {done.returncode}: {done.stderr or done.stdout}"

    def _until_stopped(self, words: list[str]) -> str:
        command = [sys.executable, "-m", "millrace", *words]
        with subprocess.Popen(
            command, cwd=PROJECT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout is not None
            said = next((line for line in process.stdout if "Ctrl-C ends it" in line), "")
            process.send_signal(signal.SIGINT)
            process.communicate()
        ends = (0, 130) if "--watch" in words else (0,)  # 130: stopped before it began to watch
        return "" if said and process.returncode in ends else f"{words}: {process.returncode}: {said}"


@pytest.fixture
def ran(tmp_path: Path) -> Iterator[Place]:
    """A place in which the first command of README ran, beside a server of the source."""
    with (
        simulator(["--developers=2", "--days=3", "--no-limiter"], SIMULATOR_KEY) as url,
        github.served(github.generate(1, 5)) as served,
    ):
        place = Place(tmp_path, url, served.url)
        first = warm.run("run_all", "--next", "make serve", *TINY, environment=place.environment)
        assert (first.returncode, first.stdout.splitlines()[-1]) == (0, "next: make serve"), first.stderr
        yield place


def test_commands_of_table_that_need_no_data_work(tmp_path: Path) -> None:
    place = Place(tmp_path, "")
    found = [command for command in commands() if command.startswith(QUICK)]
    assert found
    assert [wrong for command in found if (wrong := place.do(command))] == []


@pytest.mark.proof
def test_all_commands_of_table_work_in_their_order(ran: Place) -> None:
    assert [wrong for command in commands() if (wrong := ran.do(command))] == []


def test_numbers_of_readme_are_those_of_the_simulator() -> None:
    world = generate(end=datetime(2026, 11, 28, tzinfo=UTC))
    tables = truth.rows(company_of(world))
    named = ("github_repos", "github_pull_requests", "github_reviews")
    counts = {"commits": len(world.commits.rows)} | {name: len(tables[name]) for name in named}
    shown = dict(re.findall(r"✓ (\w+) +source ([\d,]+) =", README))
    assert shown == {table: f"{rows:,}" for table, rows in counts.items()}


@pytest.mark.fast
def test_make_passes_the_data_directory() -> None:
    for target in ("run", "demo", "serve", "collect", "report", "status"):
        done = subprocess.run(
            ["make", "-n", "-o", ".venv/.run-stamp", "-o", ".venv/.report-stamp", target, "DATA_DIR=my data"],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert '--data-dir "my data"' in done.stdout, target


@pytest.mark.fast
@pytest.mark.parametrize(("given", "is_kept"), [((), True), (("DATA=delete",), False)])
def test_make_clean_keeps_own_numbers(tmp_path: Path, given: tuple[str, ...], is_kept: bool) -> None:
    for name in ("data/demo/lake", "data/lake", ".venv"):
        (tmp_path / name).mkdir(parents=True)
    command = ["make", "-f", str(PROJECT / "Makefile"), "clean", *given]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert left == (["data", "data/lake"] if is_kept else [])
    assert ("make clean DATA=delete" in done.stdout) is is_kept
