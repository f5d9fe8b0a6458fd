"""Each block of the page "Use your own BI" runs, in the order of the page, over a small company."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import openpyxl  # type: ignore[import-untyped]
import pytest
from tests.page.company import serving
from tests.proofs.parity.linting import findings

from millrace.laptop.data_dir import DataDir
from millrace.laptop.project import PROJECT

PAGE = PROJECT / "docs" / "bi.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
QUERIES = [code for kind, code in BLOCKS if kind == "sql"]


@pytest.fixture(scope="module")
def desk(built: DataDir, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data directory `data` in it, as on the page, and the command `millrace`."""
    desk = tmp_path_factory.mktemp("desk")
    (desk / "data").symlink_to(built.root)
    command = desk / "bin" / "millrace"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m millrace "$@"\n')
    command.chmod(0o755)
    return desk


@pytest.fixture(scope="module")
def ran(desk: Path, built: DataDir) -> dict[int, str]:
    """Run the blocks of shell and Python; return what each printed."""
    path = os.pathsep.join([str(desk / "bin"), *os.environ["PATH"].split(os.pathsep)])
    environment = os.environ | {
        "PATH": path,
        "PYTHONPATH": str(PROJECT / "src"),
        "PYTHONWARNINGS": "error::FutureWarning",
    }
    printed = {}
    with serving(built.root) as url:
        for number, (kind, code) in enumerate(BLOCKS):
            if kind in ("sh", "python"):
                program = ["bash", "-e", "-c"] if kind == "sh" else [sys.executable, "-c"]
                line = [*program, code.replace("http://127.0.0.1:8765", url)]
                done = subprocess.run(line, cwd=desk, env=environment, capture_output=True, text=True)
                assert done.returncode == 0, f"{code}\n{done.stdout}{done.stderr}"
                printed[number] = done.stdout
    return printed


def test_every_block_of_shell_and_python_runs_and_prints(ran: dict[int, str], desk: Path) -> None:
    assert {kind for kind, _ in BLOCKS} == {"sh", "python", "sql", "text"}
    assert [BLOCKS[number][1] for number, said in ran.items() if "print" in BLOCKS[number][1] and not said] == []
    book = openpyxl.load_workbook(desk / "millrace.xlsx")
    assert book.sheetnames == ["usage_daily", "velocity"]
    assert (desk / "status.json").stat().st_size > 100


def test_workbook_has_the_cost_of_the_marts(ran: dict[int, str], desk: Path, built: DataDir) -> None:
    head, *rows = openpyxl.load_workbook(desk / "millrace.xlsx")["usage_daily"].values
    costs = [row[head.index("cost_usd")] for row in rows]
    with duckdb.connect(built.published, read_only=True) as connection:
        sql = "SELECT count(*), count(cost_usd), sum(cost_usd)::DOUBLE FROM mart.usage_daily"
        all_rows, known, total = connection.execute(sql).fetchall()[0]
    assert (len(costs), sum(cost is not None for cost in costs)) == (all_rows, known)
    assert sum(cost or 0 for cost in costs) == pytest.approx(total)


@pytest.fixture
def marts(built: DataDir) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{built.published}' AS published (READ_ONLY)")
        connection.execute("USE published.mart")
        yield connection


@pytest.mark.parametrize("query", QUERIES)
def test_query_answers_on_duckdb_and_is_valid_on_snowflake(marts: duckdb.DuckDBPyConnection, query: str) -> None:
    assert marts.execute(query).fetchall()
    assert findings(query) == []


def test_queries_of_cost_add_up_to_the_same(marts: duckdb.DuckDBPyConnection) -> None:
    totals = [marts.execute(f"SELECT sum(cost_usd) FROM ({query})").fetchall()[0][0] for query in QUERIES[:3]]  # noqa: S608
    assert len(set(totals)) == 1
    assert totals[0] > 0


def test_python_of_duckdb_runs_in_duckdb_1_2(desk: Path, older: Path) -> None:
    (code,) = (code for kind, code in BLOCKS if kind == "python" and "import duckdb" in code)
    line = [sys.executable, "-c", f"{code}\nassert duckdb.__version__.startswith('1.2'), duckdb.__version__"]
    done = subprocess.run(line, cwd=desk, env={"PYTHONPATH": str(older)}, capture_output=True, text=True)
    assert (done.returncode, bool(done.stdout)) == (0, True), done.stderr
