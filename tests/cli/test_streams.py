"""What a command prints when the reader of its output is gone, or the output is not UTF-8: never a traceback."""

import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.cli.test_tree import LEAVES
from tests.collect.machine import Machine, response
from tests.warehouse.publishing import publish

from millrace.build import job
from millrace.build.dbt import Build
from millrace.cli import main as cli
from millrace.laptop import export, rebuild, run, server, status, usage_pipeline
from millrace.laptop.data_dir import DataDir
from millrace.terminal import encodable
from millrace.warehouse import Node
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

pytestmark = pytest.mark.slow

# Imported once, and not in the process of each command.
WARM = (export, rebuild, run, server, status, usage_pipeline)
NODE = Node("ключ→velocity", "test", "fail", 0.1, "✓ … → nothing of it is ASCII: 日本")


@dataclass(frozen=True, slots=True)
class Place:
    """A data directory, and the machine whose agents' logs are collected."""

    data: DataDir
    machine: Machine

    def words(self, path: tuple[str, ...], folder: Path) -> list[str]:
        """Return a command line of a verb that prints something."""
        more = {
            ("run",): ["--drops", "--no-build"],
            ("demo",): ["--dry-run"],
            ("collect",): ["--home", str(self.machine.home), "--dry-run"],
            ("report",): ["--home", str(self.machine.home)],
            ("statusline",): ["--home", str(self.machine.home)],
            ("usage", "backfill"): ["--home", str(self.machine.home)],
            ("export",): ["--to", str(folder / "out")],
            ("serve",): ["--port", "70000"],
            ("reconcile",): ["20260101T000000Z"],
        }
        known = {"show": ["0123456789abcdef-1"], "retry": ["0123456789abcdef-1"]}
        known["discard"] = ["0123456789abcdef-1", "a test"]
        words = more.get(path, known.get(path[-1], []))
        return [*path, *words, "--data-dir", str(self.data.root)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("streams")
    data, machine = DataDir(folder / "data"), Machine(folder)
    machine.log("claude").write_bytes(response("m1"))
    data.root.mkdir()
    with DuckDBWarehouse(data.warehouse) as warehouse:
        publish(warehouse)
    return Place(data, machine)


@pytest.fixture(autouse=True)
def _no_dbt(monkeypatch: pytest.MonkeyPatch) -> None:
    """A build fails at once, in words that are not ASCII."""
    monkeypatch.setattr(job, "run", lambda *of, **named: job.Outcome("failed", Build((NODE,), 0.1)))


def forked(words: Sequence[str], out: int, err: int, encoding: str = "utf-8") -> int:
    """Run a command line in a process of its own with these streams; return its exit code, 120 as Python's own."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            for number, stream in ((1, out), (2, err)):
                os.dup2(stream, number)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            sys.stdin = open(0, closefd=False)  # noqa: SIM115
            sys.stdout = open(1, "w", encoding=encoding, closefd=False)  # noqa: SIM115
            sys.stderr = open(2, "w", encoding=encoding, closefd=False, buffering=1)  # noqa: SIM115
            code = cli.main(words)
            try:
                sys.stdout.flush()
                sys.stderr.flush()
            except OSError:
                code = 120
        except BaseException:  # noqa: BLE001 the process ends here
            with suppress(OSError):
                os.write(2, traceback.format_exc().encode("ascii", "replace"))
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture
def closed() -> Iterator[int]:
    """A pipe that has no reader."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """Return a file to write to, by its name."""
    opened: list[int] = []

    def file(name: str) -> int:
        opened.append(os.open(tmp_path / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
        return opened[-1]

    yield file
    for each in opened:
        os.close(each)


PRINTING = [path for path in LEAVES if path != ("etl", "status")]
IDS = [" ".join(path) for path in PRINTING]


@pytest.mark.parametrize("path", PRINTING, ids=IDS)
def test_closed_pipe_and_ascii_change_no_exit_code(
    place: Place, path: tuple[str, ...], closed: int, files: Callable[[str], int], tmp_path: Path
) -> None:
    words = place.words(path, tmp_path)
    expected = forked(words, files("out"), files("err"))
    assert forked(words, closed, files("err of a closed pipe")) == expected
    assert forked(words, closed, closed) == expected
    assert forked(words, files("plain"), files("plain err"), "ascii") == expected
    for name in ("err", "err of a closed pipe", "plain err"):
        said = (tmp_path / name).read_bytes().decode("utf-8" if name == "err" else "ascii", "replace")
        assert [word for word in ("Traceback", "Errno 32", "Exception ignored") if word in said] == [], said
    plain, usual = (tmp_path / "plain").read_bytes().decode("ascii"), (tmp_path / "out").read_text()
    assert len(plain.splitlines()) == len(usual.splitlines())


def test_code_page_of_windows_is_printed(place: Place, files: Callable[[str], int], tmp_path: Path) -> None:
    words = ["build", "--data-dir", str(place.data.root)]
    assert forked(words, files("out"), files("err"), "cp1252") == 1
    assert "ok … -> nothing of it is ASCII: \\u65e5\\u672c" in (tmp_path / "out").read_bytes().decode("cp1252")


def test_marks_have_ascii_forms_and_other_text_is_escaped(files: Callable[[str], int], tmp_path: Path) -> None:
    with (tmp_path / "text").open("w", encoding="ascii") as file:
        encodable(file)
        file.write("✓ ✗ … → \N{EN DASH} ≥ ≈ · é 日")
    assert (tmp_path / "text").read_text() == r"ok x ... -> - >= ~ - \xe9 \u65e5"


def test_json_is_ascii(place: Place, files: Callable[[str], int], tmp_path: Path) -> None:
    assert forked(["build", "--json", "--data-dir", str(place.data.root)], files("out"), files("err"), "ascii") == 1
    assert json.loads((tmp_path / "out").read_bytes())["not_good"][0]["message"] == NODE.message
