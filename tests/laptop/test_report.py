"""The report of a run names data that cannot be read, and the next step."""

import io
from pathlib import Path

import duckdb
import pytest
from rich.console import Console

from millrace.build.dbt import Build
from millrace.laptop.data_dir import DataDir
from millrace.laptop.report import Report


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """The report of a good build, with 200,000 published rows of velocity."""
    with duckdb.connect(tmp_path / "published.duckdb") as connection:
        connection.execute("CREATE SCHEMA mart")
        connection.execute(
            "CREATE TABLE mart.velocity AS SELECT range::VARCHAR AS week, md5(range::VARCHAR) AS repo_name,"
            " range AS total_prs, 1 AS active_developers, 1 AS avg_cycle_time_hours, 1 AS ai_line_share"
            " FROM range(200_000)"
        )
    return Report(DataDir(tmp_path), build=Build((), 0.1))


@pytest.mark.parametrize("kept", [0, 4_096, 8_192, 0.3, 0.5, 0.9])
def test_a_published_copy_that_is_cut_is_a_problem_with_its_repair(report: Report, kept: float) -> None:
    path = report.data_dir.published
    content = path.read_bytes()
    path.write_bytes(content[: int(kept if kept > 1 else kept * len(content))])
    shown = Console(file=io.StringIO(), width=200)
    report.show(shown)
    (problem,) = report.problems
    assert problem.startswith(f"{path} cannot be read: ")
    assert problem.endswith(f"; type: millrace build --data-dir {path.parent}")
    assert report.to_json()["ok"] is False


def test_bytes_that_are_others_are_a_problem(report: Report) -> None:
    path = report.data_dir.published
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 200_000] = bytes(200_000)
    path.write_bytes(content)
    report.show(Console(file=io.StringIO(), width=200))
    assert len(report.problems) == 1


def test_without_a_build_nothing_is_read(tmp_path: Path) -> None:
    assert Report(DataDir(tmp_path / "none")).to_json()["marts"] == {}
