"""Files that a user drops into the lake's folder are loaded in the same way as the extracted ones."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.laptop.conftest import Outcome, run_all

COMMIT = {"commitHash": "abc", "repoName": "acme/one", "userId": "user_1", "totalLinesAdded": 5, "message": "=1+1"}


@pytest.fixture
def place(fresh: Path) -> Path:
    (fresh / "lake" / "drop" / "commits").mkdir(parents=True)
    return fresh


def drop(place: Path, name: str, content: str | bytes) -> None:
    path = place / "lake" / "drop" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def outcomes(place: Path, code: int = 0) -> dict[str, str]:
    outcome: Outcome = run_all(place, "--drops", "--no-build", "--json")
    assert outcome.code == code, outcome.err
    return {line["file"]: f"{line['outcome']}: {line['detail']}" for line in outcome.report["drops"]}


def lines_added(place: Path) -> dict[str, int]:
    with duckdb.connect(str(place / "millrace.duckdb"), read_only=True) as connection:
        return dict(connection.execute("select commitHash, totalLinesAdded from raw.commits").fetchall())


def test_a_file_of_each_kind_is_applied_and_the_marts_are_built(place: Path) -> None:
    drop(place, "commits/a.ndjson", json.dumps(COMMIT))
    drop(place, "commits/b.csv", "commitHash,repoName,userId,totalLinesAdded\ndef,acme/one,user_1,7\n")
    pq.write_table(pa.table({name: [value] for name, value in COMMIT.items()} | {"commitHash": ["ghi"]}), place / "c")
    drop(place, "commits/2026/c.parquet", (place / "c").read_bytes())
    outcome = run_all(place, "--drops", "--json")
    assert (outcome.code, outcome.report["build"]["models"] > 10) == (0, True)
    assert lines_added(place) == {"abc": 5, "def": 7, "ghi": 5}
    assert all(line["detail"].startswith("1 rows inserted") for line in outcome.report["drops"])


def test_a_reused_name_loads_again_and_a_file_of_known_rows_changes_nothing(place: Path) -> None:
    drop(place, "commits/a.ndjson", json.dumps(COMMIT))
    assert "applied" in outcomes(place)["drop/commits/a.ndjson"]
    assert outcomes(place) == {}
    drop(place, "commits/a.ndjson", json.dumps(COMMIT | {"totalLinesAdded": 6}))
    assert outcomes(place) == {"drop/commits/a.ndjson": "applied: 0 rows inserted, 1 updated of 1"}
    drop(place, "commits/b.ndjson", json.dumps(COMMIT | {"totalLinesAdded": 6}))
    assert outcomes(place) == {"drop/commits/b.ndjson": "no change: 1 rows, all of them known"}
    assert lines_added(place) == {"abc": 6}


def _wrong_types() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({name: [str(value)] for name, value in COMMIT.items()}), sink)
    return bytes(sink.getvalue())


BAD: dict[str, tuple[str, Callable[[], str | bytes], str]] = {
    "an unknown table": ("invoices/a.csv", lambda: "id\n1\n", "no table 'invoices'; there are repos, commits"),
    "a Parquet file with wrong types": (
        "commits/a.parquet",
        _wrong_types,
        "column totalLinesAdded: expected BIGINT, got VARCHAR",
    ),
    "a zero-byte file": ("commits/a.parquet", lambda: "", "0 bytes"),
    "HTML named Parquet": ("commits/a.parquet", lambda: "<html>502 Bad Gateway</html>", "Parquet"),
    "half a JSON line": ("commits/a.ndjson", lambda: '{"commitHash": "a', "line 1"),
    "a name of another kind": ("commits/a.xlsx", lambda: "x", "must end in .parquet, .ndjson, .csv"),
    "no key column": ("commits/a.csv", lambda: "message\nhello\n", "commitHash"),
}


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A data directory with every bad file dropped, each in a folder of its own, and the outcome of each."""
    place = tmp_path_factory.mktemp("refused")
    for what, (name, content, _) in BAD.items():
        drop(place, _own(what, name), content())
    return place, outcomes(place, code=1)


def _own(what: str, name: str) -> str:
    table, _, file = name.partition("/")
    return f"{table}/{what.replace(' ', '-')}/{file}"


@pytest.mark.parametrize(("what", "name", "why"), [(what, name, why) for what, (name, _, why) in BAD.items()])
def test_a_file_that_cannot_be_loaded_is_quarantined_with_one_clear_reason(
    refused: tuple[Path, dict[str, str]], what: str, name: str, why: str
) -> None:
    _, found = refused
    outcome = found[f"drop/{_own(what, name)}"]
    assert outcome.startswith("quarantined: because ")
    assert why in outcome
    assert "\n" not in outcome


def test_each_file_that_was_refused_is_kept_with_its_reason(refused: tuple[Path, dict[str, str]]) -> None:
    place, found = refused
    kept = [path for path in (place / "quarantine").rglob("*") if path.is_file() and path.parent.name == "quarantine"]
    assert len(found) == len(BAD) == sum(path.suffix == ".json" for path in kept) == len(kept) / 2


def test_invalid_file_name_is_reported_and_other_files_load(place: Path) -> None:
    drop(place, "commits/a.ndjson", json.dumps(COMMIT))
    (place / "lake" / "drop" / "commits" / os.fsdecode(b"\xff.csv")).write_text("a\n1\n")
    drop(place, "commits/new\nline.csv", "message\nhello\n")
    (place / "lake" / "drop" / "commits" / "link.csv").symlink_to("/etc/hostname")
    result = outcomes(place, code=1)
    assert result["drop/commits/a.ndjson"].startswith("applied")
    assert "quarantined" in result["drop/commits/new\nline.csv"]
    assert result["'drop/commits/link.csv'"] == "not loaded: it is a link: copy the file"
    assert result[r"'drop/commits/\udcff.csv'"] == "not loaded: its name is hidden or not UTF-8: give it another"


def test_a_bad_file_does_not_keep_the_good_ones_out(place: Path) -> None:
    drop(place, "commits/a.parquet", "")
    drop(place, "commits/b.ndjson", json.dumps(COMMIT | {"createdAt": datetime.now(UTC).isoformat()}))
    result = outcomes(place, code=1)
    assert "quarantined" in result["drop/commits/a.parquet"]
    assert "applied" in result["drop/commits/b.ndjson"]
