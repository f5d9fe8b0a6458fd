"""The report of a mistake: one clear line and the right exit code, never a stack trace."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.laptop.conftest import PROJECT, run_all


@contextmanager
def simulator(*arguments: str) -> Iterator[str]:
    command = [sys.executable, "-m", "simulator", "--port", "0", "--developers", "2", "--days", "10", *arguments]
    with subprocess.Popen(command, cwd=PROJECT / "local", stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield str(json.loads(process.stdout.readline())["url"])
        finally:
            process.terminate()


def assert_one_clear_line(code: int, err: str, expected: int, words: str) -> None:
    errors = [line for line in err.splitlines() if line.startswith("error: ")]
    assert code == expected, err
    assert len(errors) == 1, err
    assert words in errors[0]
    assert "Traceback" not in err


def test_unreachable_server_is_reported_with_address(fresh: Path) -> None:
    outcome = run_all(fresh, "--source-url", "http://127.0.0.1:9")
    assert_one_clear_line(outcome.code, outcome.err, 3, "http://127.0.0.1:9/repos: connection refused")


def test_wrong_key_is_reported_without_the_key(fresh: Path) -> None:
    with simulator() as url:
        outcome = run_all(fresh, "--source-url", url, "--no-build", key="not-the-secret-key")
    assert_one_clear_line(outcome.code, outcome.err, 3, "the key was refused; set MILLRACE_SOURCE_KEY")
    assert "not-the-secret-key" not in outcome.err + outcome.out


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param("--html-rate=1", "expected JSON, got HTML", id="a server that returns HTML"),
        pytest.param("--wrapped", "expected an array, got an object with data", id="a wrapper where an array was"),
        # tests/extract/test_http.py has more of these.
        pytest.param("--half-json-rate=1", "no complete JSON", id="half a JSON", marks=pytest.mark.proof),
    ],
)
def test_a_server_that_breaks_its_contract_is_named(fresh: Path, fault: str, words: str) -> None:
    with simulator(fault) as url:
        outcome = run_all(fresh, "--source-url", url, "--no-build")
    assert_one_clear_line(outcome.code, outcome.err, 3, words)


def test_changed_source_type_is_reported_and_stops_table(fresh: Path) -> None:
    with simulator("--retyped-field", "additions") as url:
        outcome = run_all(fresh, "--source-url", url, "--no-build")
    assert outcome.code == 3
    assert "pull_requests: the source's additions: expected an integer" in outcome.err
    assert "Traceback" not in outcome.err


def test_a_second_run_on_the_same_data_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "running").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("4711")
        file.flush()
        outcome = run_all(tmp_path)
    assert_one_clear_line(outcome.code, outcome.err, 2, "another run (process 4711) is using")


def test_the_rows_of_two_sources_are_never_mixed(tmp_path: Path) -> None:
    (tmp_path / "source.json").write_text('{"source": "http://elsewhere"}')
    (tmp_path / "lake" / "raw").mkdir(parents=True)
    (tmp_path / "lake" / "raw" / "00000.parquet").write_bytes(b"rows, perhaps")
    outcome = run_all(tmp_path)
    assert_one_clear_line(outcome.code, outcome.err, 2, "holds the rows of http://elsewhere")


@pytest.mark.parametrize("content", [b"", b'{"source": "htt', b"[]\n", b"\xff", b'{"source": 1}', b"{}", b"7"])
def test_a_damaged_note_of_the_source_is_named_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "source.json").write_bytes(content)
    outcome = run_all(tmp_path)
    assert_one_clear_line(outcome.code, outcome.err, 2, "source.json is damaged: it names no source; remove it if")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(
            ["--since", "yesterday"], "12w or a day like 2026-01-31, got 'yesterday'", id="a day that is none"
        ),
        pytest.param(["--source-url", "ftp://host"], "http://host:port", id="an address of another kind"),
        pytest.param(["--developers", "1"], "expected 2 to 2,000 developers, got 1", id="too few developers"),
        pytest.param(["--from-recording", "missing.jsonl.gz"], "missing.jsonl.gz", id="a recording that is not there"),
        pytest.param(["--frobnicate"], "--frobnicate", id="an option that is none"),
    ],
)
def test_a_wrong_option_stops_before_anything_starts(tmp_path: Path, arguments: list[str], words: str) -> None:
    outcome = run_all(tmp_path, *arguments)
    assert (outcome.code, "Traceback" in outcome.err) == (2, False)
    assert words in outcome.err.splitlines()[-1]


def test_unusable_data_directory_is_reported() -> None:
    outcome = run_all(Path("/proc/nowhere"))
    assert_one_clear_line(outcome.code, outcome.err, 2, "cannot be used as data directory")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 600 kB: it needs the right to mount, which a user's account lacks."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(tmp_path)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a small disk cannot be mounted here: it takes root")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def test_full_disk_is_reported_and_rerun_with_space_succeeds(small_disk: Path) -> None:
    outcome = run_all(small_disk, "--developers", "6", "--days", "90", "--json")
    assert outcome.code == 3, outcome.err
    assert "Traceback" not in outcome.err
    assert "space" in outcome.err
    subprocess.run(["mount", "-o", "remount,size=200m", str(small_disk)], check=True)
    assert run_all(small_disk, "--developers", "6", "--days", "90", "--no-build", "--json").code == 0


def test_an_interrupted_run_is_finished_by_the_next(fresh: Path) -> None:
    command = [sys.executable, "local/run_all.py", "--source=cursor-sim", "--no-usage", "--data-dir", str(fresh)]
    command += ["--developers", "12"]
    with subprocess.Popen(command, cwd=PROJECT, stderr=subprocess.PIPE, text=True, env=os.environ) as process:
        assert process.stderr is not None
        next(line for line in process.stderr if "extract commits" in line)
        process.kill()
    assert run_all(fresh, "--developers", "12", "--no-build", "--json").code == 0


def test_dry_run_prints_plan_and_does_nothing(tmp_path: Path) -> None:
    outcome = run_all(tmp_path / "data", "--dry-run", "--since", "2026-01-31")
    assert (outcome.code, (tmp_path / "data").exists()) == (0, False)
    assert "would read rows since 2026-01-31" in outcome.out


def test_dry_run_of_some_objects_names_them(tmp_path: Path) -> None:
    asked = ("--objects", "commits", "--source-url", "https://api.cursor.com")
    assert "would read all rows of commits of https://" in run_all(tmp_path / "data", "--dry-run", *asked).out


def test_help_names_every_exit_code(tmp_path: Path) -> None:
    outcome = run_all(tmp_path, "--help")
    assert outcome.code == 0
    assert all(f"{code} " in outcome.out for code in (0, 1, 2, 3, 130))
