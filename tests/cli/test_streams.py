"""What a command prints when the reader of its output is gone, or the output is not UTF-8: never a traceback."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.cli.forked import NODE, forked
from tests.cli.test_tree import LEAVES
from tests.collect.machine import Machine, response
from tests.warehouse.publishing import publish

from millrace.laptop.data_dir import DataDir
from millrace.terminal import encodable
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

pytestmark = pytest.mark.slow


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


PRINTING = [path for path in LEAVES if path != ("etl", "status")]
IDS = [" ".join(path) for path in PRINTING]


@pytest.mark.parametrize("path", PRINTING, ids=IDS)
def test_closed_pipe_and_ascii_change_no_exit_code(place: Place, path: tuple[str, ...], tmp_path: Path) -> None:
    words = place.words(path, tmp_path)
    expected = forked(words, tmp_path / "out", tmp_path / "err")
    assert forked(words, None, tmp_path / "err of a closed pipe") == expected
    assert forked(words, None, None) == expected
    assert forked(words, tmp_path / "plain", tmp_path / "plain err", "ascii") == expected
    for name in ("err", "err of a closed pipe", "plain err"):
        said = (tmp_path / name).read_bytes().decode("utf-8" if name == "err" else "ascii", "replace")
        assert [word for word in ("Traceback", "Errno 32", "Exception ignored") if word in said] == [], said
    plain, usual = (tmp_path / "plain").read_bytes().decode("ascii"), (tmp_path / "out").read_text()
    assert len(plain.splitlines()) == len(usual.splitlines())


def test_code_page_of_windows_is_printed(place: Place, tmp_path: Path) -> None:
    words = ["build", "--data-dir", str(place.data.root)]
    assert forked(words, tmp_path / "out", tmp_path / "err", "cp1252") == 1
    assert "ok … -> nothing of it is ASCII: \\u65e5\\u672c" in (tmp_path / "out").read_bytes().decode("cp1252")


def test_marks_have_ascii_forms_and_other_text_is_escaped(tmp_path: Path) -> None:
    with (tmp_path / "text").open("w", encoding="ascii") as file:
        encodable(file)
        file.write("✓ ✗ … → \N{EN DASH} ≥ ≈ · é 日")
    assert (tmp_path / "text").read_text() == r"ok x ... -> - >= ~ - \xe9 \u65e5"


def test_json_is_ascii(place: Place, tmp_path: Path) -> None:
    words = ["build", "--json", "--data-dir", str(place.data.root)]
    assert forked(words, tmp_path / "out", tmp_path / "err", "ascii") == 1
    assert json.loads((tmp_path / "out").read_bytes())["not_good"][0]["message"] == NODE.message
