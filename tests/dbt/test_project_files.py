"""The guarantees of the project's files, checked without a build."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.dbt.conftest import MARTS, PROJECT, ROOT

PAGE = (ROOT / "docs" / "metrics.md").read_text()


def columns_on_the_page(heading: str) -> set[str]:
    """Return the names in the first column of the table below the heading."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    cells = re.findall(r"^\| (`.*?) \|", section, flags=re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def columns_of_the_model(path: str) -> set[str]:
    models = yaml.safe_load((PROJECT / "models" / f"{path}.yml").read_text())["models"]
    return {column["name"] for column in models[0]["columns"]}


def test_the_metrics_page_defines_exactly_the_columns_of_the_marts() -> None:
    different = {mart: columns_on_the_page(f"`mart.{mart}`") ^ columns_of_the_model(f"marts/{mart}") for mart in MARTS}
    assert {mart: columns for mart, columns in different.items() if columns} == {}


def test_a_merged_pull_request_has_all_that_is_measured_of_any() -> None:
    measured = columns_of_the_model("intermediate/int_pull_requests_measured")
    assert measured - columns_of_the_model("marts/merged_pull_requests") == {"is_merged", "as_of"}


def test_the_bands_on_the_metrics_page_are_those_of_the_seed() -> None:
    lines = (PROJECT / "seeds" / "ai_ratio_bands.csv").read_text().split()[1:]
    bands = [line.split(",") for line in lines]
    assert all(
        f"`{name}` [{low}, {high}{']' if closed == 'true' else ')'}" in PAGE for name, low, high, closed in bands
    )


def test_each_engine_macro_has_a_version_for_both_engines() -> None:
    source = "".join(path.read_text() for path in (PROJECT / "macros" / "engine").glob("*.sql"))
    dispatched = set(re.findall(r"adapter\.dispatch\('(\w+)'", source))
    written = set(re.findall(r"macro (\w+__\w+)\(", source))
    assert dispatched
    assert written == {f"{engine}__{name}" for engine in ("default", "snowflake") for name in dispatched}


def test_no_model_asks_which_engine_it_runs_on() -> None:
    sql = {path.name: path.read_text() for path in (PROJECT / "models").rglob("*.sql")}
    assert [name for name, text in sql.items() if "target." in text or "adapter." in text] == []


@pytest.mark.proof
def test_the_sql_is_in_order(tmp_path: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("sqlfluff"), "lint", PROJECT / "models", PROJECT / "tests"],
        cwd=ROOT,
        env=os.environ | {"DBT_TARGET_PATH": str(tmp_path), "DBT_LOG_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
