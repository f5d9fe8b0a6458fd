"""`millrace export`: the marts as files that other tools read, with the same rows and sums."""

import csv
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd  # type: ignore[import-untyped]
import pyarrow.parquet as pq
import pytest
from tests.warehouse.publishing import ROWS, publish

from millrace.cli import main as cli
from millrace.laptop.data_dir import DataDir
from millrace.status.store import MARTS
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

Captured = pytest.CaptureFixture[str]


def export(place: DataDir, to: Path, *more: str) -> int:
    return cli.main(["export", "--to", str(to), "--data-dir", str(place.root), *more])


def numbers_of(place: DataDir) -> dict[str, tuple[int, Any]]:
    """Return each mart's rows, and the sum of its first numeric column."""
    found = {}
    with duckdb.connect(place.published, read_only=True) as connection:
        for mart in MARTS:
            columns = connection.execute(f"DESCRIBE mart.{mart}").fetchall()
            number = next((name for name, kind, *_ in columns if kind.startswith(("BIGINT", "DECIMAL"))), "NULL")
            sql = f"SELECT count(*), sum({number}) FROM mart.{mart}"  # noqa: S608 our own names
            found[mart] = (number, *connection.execute(sql).fetchall()[0])
    return {mart: (rows, (number, total)) for mart, (number, rows, total) in found.items()}


def test_pyarrow_and_pandas_read_every_mart_with_the_same_sums(
    built: DataDir, tmp_path: Path, capsys: Captured
) -> None:
    assert export(built, tmp_path / "out") == 0
    said = capsys.readouterr().out
    for mart, (rows, (number, total)) in numbers_of(built).items():
        path = tmp_path / "out" / f"{mart}.parquet"
        table, frame = pq.read_table(path), pd.read_parquet(path)
        assert (mart, table.num_rows, len(frame)) == (mart, rows, rows)
        assert f"{mart} " in said
        if total is not None:
            assert sum(value for value in table[number].to_pylist() if value is not None) == total
            assert frame[number].sum() == total


def test_csv_has_the_same_rows_and_sums(built: DataDir, tmp_path: Path) -> None:
    assert export(built, tmp_path, "--format", "csv", "--mart", "usage_model_day") == 0
    rows = list(csv.DictReader((tmp_path / "usage_model_day.csv").read_text().splitlines()))
    with duckdb.connect(built.published, read_only=True) as connection:
        sql = "SELECT count(*), sum(cost_usd), sum(total_tokens) FROM mart.usage_model_day"
        expected = connection.execute(sql).fetchall()[0]
    cost = sum(Decimal(row["cost_usd"]) for row in rows if row["cost_usd"])
    assert (len(rows), cost, sum(int(row["total_tokens"]) for row in rows)) == expected


@pytest.fixture
def place(tmp_path: Path) -> DataDir:
    """A data directory with two small marts, published."""
    place = DataDir(tmp_path / "data")
    place.root.mkdir()
    with DuckDBWarehouse(place.warehouse) as warehouse:
        publish(warehouse)
    return place


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.fast
def test_export_replaces_an_earlier_one_and_what_only_that_had(place: DataDir, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert export(place, out) == 0
    assert export(place, out, "--mart", "quality", "--format", "csv") == 0
    assert names(out) == ["export.json", "quality.csv"]


@pytest.mark.fast
@pytest.mark.parametrize("note", [None, "{", '{"schema": "another/1"}', "[]"])
def test_folder_with_other_files_is_refused_unless_overwritten(
    place: DataDir, tmp_path: Path, note: str | None, capsys: Captured
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    if note is not None:
        (out / "export.json").write_text(note)
    assert export(place, out) == 2
    assert f"{out} holds files that are not of an export; name another folder, or add --overwrite" in (
        capsys.readouterr().err
    )
    assert names(out) == ["export.json", "thesis.txt"][note is None :]
    assert export(place, out, "--overwrite") == 0
    assert (out / "thesis.txt").read_text() == "mine"


@pytest.mark.fast
def test_note_of_an_export_cannot_remove_other_files(place: DataDir, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert export(place, out) == 0
    (tmp_path / "mine.csv").write_text("mine")
    (out / "Mine.csv").write_text("mine")
    note = json.loads((out / "export.json").read_text())
    note["files"] += [{"file": "../mine.csv"}, {"file": "Mine.csv"}, {"file": 7}, 7]
    (out / "export.json").write_text(json.dumps(note))
    assert export(place, out, "--format", "csv") == 0
    assert (tmp_path / "mine.csv").exists()
    assert names(out) == ["Mine.csv", "export.json", "quality.csv", "velocity.csv"]


@pytest.mark.fast
def test_dry_run_writes_nothing(place: DataDir, tmp_path: Path, capsys: Captured) -> None:
    assert export(place, tmp_path / "out", "--dry-run") == 0
    assert f"would write velocity.parquet: {ROWS:,} rows" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


@pytest.mark.fast
def test_json_names_the_build_and_each_file(place: DataDir, tmp_path: Path, capsys: Captured) -> None:
    assert export(place, tmp_path / "out", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["schema"], answer["build"], answer["folder"]) == ("millrace/export/1", 1, str(tmp_path / "out"))
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "out").glob("*.parquet")}
    assert {each["file"]: each["bytes"] for each in answer["files"]} == sizes
    assert [(each["mart"], each["rows"]) for each in answer["files"]] == [("quality", ROWS), ("velocity", ROWS)]


@pytest.mark.fast
@pytest.mark.parametrize(
    ("more", "why"),
    [
        (("--mart", "velocty"), "no mart 'velocty'; did you mean velocity?"),
        (("--mart", "zzz"), "no mart 'zzz'; there are quality, velocity"),
        (("--format", "xlsx"), "'xlsx' is not one of 'parquet', 'csv'"),
    ],
)
def test_mistake_is_named_and_nothing_written(
    place: DataDir, tmp_path: Path, more: tuple[str, str], why: str, capsys: Captured
) -> None:
    assert export(place, tmp_path / "out", *more) == 2
    assert why in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.fast
def test_folder_that_is_a_file_or_nothing_built_is_one_line(place: DataDir, tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "file").write_text("mine")
    assert export(place, tmp_path / "file") == 2
    assert "expected a folder" in capsys.readouterr().err
    place.published.unlink()
    assert export(place, tmp_path / "out") == 2
    assert "nothing was built" in capsys.readouterr().err


@pytest.mark.fast
def test_failed_export_leaves_the_earlier_one(
    place: DataDir, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert export(place, out) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("millrace.laptop.export._to_disk", full)
    assert export(place, out) == 3
    assert "No space left on device" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.fast
def test_csv_cell_is_no_formula_and_one_line_of_text(place: DataDir, tmp_path: Path) -> None:
    with DuckDBWarehouse(place.warehouse) as warehouse:
        build = warehouse.last_builds()[0]
        warehouse.run_scripts(["CREATE OR REPLACE TABLE mart.quality AS SELECT '=1+1' AS formula, 'a\x1b[2J' AS bell"])
        warehouse.publish(build)
    assert export(place, tmp_path / "out", "--format", "csv", "--mart", "quality") == 0
    assert (tmp_path / "out" / "quality.csv").read_bytes() == b"formula,bell\r\n'=1+1,a\\x1b[2J\r\n"
