"""`local/run_all.py`: the verbs and options of earlier releases, in any order."""

import subprocess
import sys
from pathlib import Path

import pytest

import run_all
from millrace.laptop.project import PROJECT


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        pytest.param([], ["run"], id="run is the default"),
        pytest.param(
            ["--drops", "--data-dir", "d"], ["run", "--drops", "--data-dir", "d"], id="options without a verb"
        ),
        pytest.param(
            ["--data-dir", "d", "build", "--force"], ["build", "--data-dir", "d", "--force"], id="verb behind"
        ),
        pytest.param(["--data-dir=d", "status"], ["status", "--data-dir=d"], id="value behind the sign"),
        pytest.param(["reconcile", "R", "--json"], ["reconcile", "--json", "--", "R"], id="argument"),
        pytest.param(["quarantine"], ["quarantine", "list"], id="the desk lists by default"),
        pytest.param(
            ["--data-dir", "d", "quarantine", "discard", "id", "a", "reason"],
            ["quarantine", "discard", "--data-dir", "d", "--", "id", "a", "reason"],
            id="verb of a verb",
        ),
        pytest.param(["status", "--help"], ["status", "--help"], id="help"),
        pytest.param(["--frobnicate"], ["run", "--frobnicate"], id="an unknown option is left to click"),
    ],
)
def test_arguments_are_put_in_order(given: list[str], asked: list[str]) -> None:
    assert run_all._ordered(given, run_all._tree()) == asked


def test_option_without_effect_on_a_verb_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--no-usage", "--developers", "3", "status", "--data-dir", "d"]
    assert run_all._ordered(given, run_all._tree()) == ["status", "--data-dir", "d"]
    assert capsys.readouterr().err.splitlines() == [
        "--no-usage has no effect on status",
        "--developers has no effect on status",
    ]


@pytest.mark.parametrize("option", ["--fault-share", "--deliver-twice"])
def test_option_that_went_is_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_all.main([option]) == 2
    assert f"No such option '{option}'" in capsys.readouterr().err


def test_emulators_without_grpc_names_the_command_that_installs_it(tmp_path: Path) -> None:
    arguments = ["--emulators", "--data-dir", str(tmp_path)]
    script = f"import sys; sys.modules['grpc'] = None; import run_all; sys.exit(run_all.main({arguments}))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT / "local", capture_output=True, text=True, check=False, timeout=600
    )
    assert (done.returncode, done.stderr.count("\n"), "make test-emulators" in done.stderr) == (2, 1, True), done.stderr


def test_no_build_leaves_the_marts_as_they_are(tmp_path: Path) -> None:
    command = [sys.executable, "local/run_all.py", "--data-dir", str(tmp_path), "--developers", "2", "--days", "5"]
    done = subprocess.run(
        [*command, "--no-usage", "--no-build"], cwd=PROJECT, capture_output=True, text=True, check=False, timeout=300
    )
    assert (done.returncode, "✓ commits" in done.stdout) == (0, True), done.stderr
    assert not (tmp_path / "published.duckdb").exists()


def test_data_of_the_checkout_is_used_in_each_folder(tmp_path: Path) -> None:
    (tmp_path / "data" / "lake").mkdir(parents=True)  # which `millrace` uses here
    command = [sys.executable, str(PROJECT / "local" / "run_all.py"), "--source-url", "https://host", "--dry-run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert f"into {PROJECT / 'data'}, then" in done.stdout
