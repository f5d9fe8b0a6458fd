"""A data directory of version 0.1.0, with 2 developers and 6 days, opens: same numbers, no table read twice."""

import json
import tarfile
from pathlib import Path

import duckdb
import pytest

from millrace.cli import main as cli
from millrace.laptop.project import PROJECT

SOURCE = ("--developers", "2", "--days", "6", "--end", "2026-10-20T00:00:00Z", "--no-usage")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    with tarfile.open(PROJECT / "tests" / "golden" / "data-dir" / "0.1.0.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "data"


def test_data_directory_of_the_version_before_opens(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["run", "--source", "cursor-sim", *SOURCE, "--no-build", "--json", "--data-dir", str(data)]) == 0
    report = json.loads(capsys.readouterr().out)
    rows = {line["table"]: (line["known"] + line["written"], line["inserted"]) for line in report["tables"]}
    assert rows == {"repos": (2, 0), "commits": (27, 0), "pull_requests": (23, 0), "reviews": (17, 0)}
    assert cli.main(["status", "--json", "--data-dir", str(data)]) == 0
    now = json.loads(capsys.readouterr().out)
    assert (now["health"], now["lag_events"], now["lag_rows"], len(now["builds"])) == ("live", 0, 0, 1)
    with duckdb.connect(str(data / "published.duckdb"), read_only=True) as connection:
        assert connection.execute("select count(*), sum(total_tokens) from mart.usage_events").fetchone() == (
            137,
            3411280,
        )
