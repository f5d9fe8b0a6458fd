"""`-q` and `-v`: what a command writes besides its result."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import click
import pytest

from millrace import log
from millrace.cli import main as cli
from millrace.laptop.progress import ProgressLog

WORLD = ("--developers", "2", "--days", "3", "--end", "2026-10-20T00:00:00Z", "--no-usage")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo") / "data"


def answered(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = cli.main(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_quiet_run_prints_only_its_result(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    world = ["--data-dir", str(root), *WORLD]
    code, out, err = answered(["demo", *world, "-q"], capsys)
    assert (code, err, "reconciliation (rows)" in out, "next: " in out) == (0, "", True, False)


def test_verbose_run_prints_every_decision(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = answered(["-v", "run", "--no-build", "--data-dir", str(root), *WORLD], capsys)
    lines = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert (code, {line["severity"] for line in lines} >= {"DEBUG", "INFO"}) == (0, True), err
    assert [line for line in err.splitlines() if not line.startswith("{")]  # the progress


def test_volume_ends_with_its_command(capsys: pytest.CaptureFixture[str]) -> None:
    before = list(logging.getLogger("millrace").handlers)
    assert answered(["-v"], capsys)[0] == 0
    assert (log.volume(), logging.getLogger("millrace").handlers) == ("normal", before)


def test_quiet_overview_has_no_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    _, loud, _ = answered([], capsys)
    _, quiet, _ = answered(["-q"], capsys)
    assert loud == f"{quiet}next: {loud.partition('next: ')[2]}"


@pytest.mark.parametrize(
    "words", [["-q", "-v", "status"], ["-q", "status", "-v"], ["status", "--verbose", "--quiet"], ["-q", "map", "-v"]]
)
def test_quiet_and_verbose_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = answered(words, capsys)
    assert (code, out, err.splitlines()[-1]) == (2, "", "Error: expected --quiet or --verbose, got both")
    assert log.volume() == "normal"


def test_error_is_printed_quietly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["build", "--data-dir", str(tmp_path)]
    assert answered(["-q", *asked], capsys) == answered(asked, capsys)
    code, _, err = answered([*asked, "-q"], capsys)
    assert (code, err.startswith("error: nothing has run in")) == (2, True)


def test_quarantined_object_is_named_quietly(capsys: pytest.CaptureFixture[str]) -> None:
    with log.at("quiet"), ProgressLog() as progress:
        progress.say("a step")
        log.info("quarantined", object="a.csv", error="line 2: not JSON")
    assert capsys.readouterr().err == "  quarantined a.csv: line 2: not JSON\n"


def test_every_command_takes_both() -> None:
    def commands(command: click.Command) -> list[click.Command]:
        below = command.commands.values() if isinstance(command, click.Group) else ()
        return [command, *(each for one in below for each in commands(one))]

    found = commands(cli.tree)
    lacking = [
        each.name
        for each in found
        if sorted(word for one in each.params for word in one.opts if word in ("-q", "-v")) != ["-q", "-v"]
    ]
    assert (len(found) > 25, lacking) == (True, [])
