"""`millrace map` and `millrace prices` on the command line: contradictions, and rows for a deployment's lake."""

import json
from pathlib import Path

import pytest

from millrace.cli import main as cli
from millrace.lake.local import LocalLake
from millrace.lake.names import DroppedFile, parse
from millrace.load.dropped_files import to_table
from millrace.load.dropped_lines import DropCaps
from millrace.tables import TABLES


def dropped(lake: Path) -> list[tuple[DroppedFile, list[dict[str, object]]]]:
    """Return the files below drop/, with their rows as the load reads them."""
    found = []
    for stored in LocalLake(lake, "lake").list("drop/"):
        key = parse(stored.version.name)
        assert isinstance(key, DroppedFile)
        rows = to_table(lake / stored.version.name, TABLES[key.table], "ndjson", DropCaps()).to_pylist()
        found.append((key, [{name: value for name, value in row.items() if value is not None} for row in rows]))
    return found


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        pytest.param(["map", "project", "x"], "expected OWNER/NAME or --remove, got neither", id="no repository"),
        pytest.param(["map", "project", "x", "a/b", "--remove"], "or --remove, got both", id="a repository to remove"),
        pytest.param(["map", "user", "x", "y", "--lake", "gs://b", "--data-dir", "d"], "got both", id="two places"),
        pytest.param(["prices", "add", "x", "--input", "…", "--output", "1"], "such as 3 or 0.25, got '…'", id="a gap"),
        pytest.param(["prices", "add", "x", "--input", "nan", "--output", "1"], "got 'nan'", id="no number"),
        pytest.param(["prices", "add", "x", "--input", "1"], "Missing option '--output'", id="half a price"),
        pytest.param(["prices", "remove", "x", "--lake", "gs://b"], "expected --from beside --lake", id="no day"),
    ],
)
def test_contradiction_is_named(arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 2
    assert why in capsys.readouterr().err


def test_nothing_built_is_said_with_the_next_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "none"
    assert cli.main(["map", "project", "x", "a/b", "--data-dir", str(folder)]) == 2
    said = capsys.readouterr().err
    assert f"nothing was built in {folder} yet; type: millrace demo --data-dir {folder}" in said
    assert not folder.exists()


def test_rows_for_a_lake_are_files_that_the_load_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = ["--lake", tmp_path.as_uri()]
    (tmp_path / "drop").mkdir()
    assert cli.main(["map", "project", 'a "b", c*', "acme/shop", *lake]) == 0
    assert cli.main(["map", "user", "Ada@example.com", "--remove", *lake]) == 0
    assert cli.main(["prices", "add", "My.Model", "--input", "3", "--output", "15", "--source", "bill", *lake]) == 0
    assert cli.main(["prices", "remove", "My.Model", "--from", "2024-01-01", *lake]) == 0
    capsys.readouterr()
    found = dropped(tmp_path)
    stamps = [row.pop("_extracted_at") for _, rows in found for row in rows]
    assert len(stamps) == 4
    key = {"model": "my-model", "speed": "standard", "region": "", "context_over_tokens": 0, "valid_from": "2024-01-01"}
    assert [(key.table, *rows) for key, rows in found] == [
        ("project_repositories", {"project": 'a "b", c*', "repo_name": "acme/shop"}),
        ("usage_prices", key | {"input_usd": 3.0, "output_usd": 15.0, "source": "bill"}),
        ("usage_prices", key),
        ("user_developers", {"user_id": "Ada@example.com", "developer": ""}),
    ]


def test_dry_run_for_a_lake_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["map", "project", "x", "a/b", "--dry-run", "--json", "--lake", tmp_path.as_uri()]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["state"], said["key"], said["repository"], list(tmp_path.rglob("*.ndjson"))) == (
        "planned",
        "x",
        "a/b",
        [],
    )


def test_price_of_another_unit_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    typed = ["prices", "add", "x", "--input", "0.000003", "--output", "15", "--lake", tmp_path.as_uri()]
    assert cli.main(typed) == 2
    assert "--input 0.000003 looks like a price per token: per million tokens it is 3" in capsys.readouterr().err
    assert list(tmp_path.rglob("*.ndjson")) == []


def test_prices_of_a_model_are_listed_by_any_of_its_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ["--data-dir", str(tmp_path)]
    assert cli.main(["prices", "list", "openrouter/anthropic/claude-sonnet-4.5", *folder]) == 0
    assert "claude-sonnet-4-5  standard" in capsys.readouterr().out
    assert cli.main(["prices", "list", "claude-sonet-4-5", *folder]) == 1
    assert "no price of claude-sonet-4-5 (did you mean claude-sonnet-4-5" in capsys.readouterr().out
