"""A warehouse that is gone, older or damaged, and a copied lake: the objects of the lake are loaded again."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests import warm
from tests.collect.machine import Machine
from tests.laptop.conftest import Outcome, as_own, run_all

from millrace.tables import TABLES
from millrace.warehouse.duckdb.warehouse import DuckDBWarehouse

FIRST = ("--developers", "2", "--days", "14", "--seed", "3", "--end", "2026-11-20T00:00:00Z", "--no-limiter")
LATER = ("--developers", "2", "--days", "22", "--seed", "3", "--end", "2026-11-28T00:00:00Z", "--no-limiter")
LINE = (
    '{"type":"assistant","sessionId":"s","cwd":"/src/web","timestamp":"2026-11-20T10:00:00Z","uuid":"u%04d",'
    '"requestId":"r%04d","message":{"id":"m%04d","role":"assistant","model":"claude-sonnet-4-5-20250929",'
    '"usage":{"input_tokens":1,"output_tokens":2}}}\n'
)


def millrace(*words: str) -> Outcome:
    done = warm.run("millrace", *words)
    return Outcome(done.returncode, done.stdout, done.stderr)


def rows(place: Path) -> dict[str, set[str]]:
    """Return all rows of the raw tables in the source's form."""
    with duckdb.connect(place / "millrace.duckdb", read_only=True) as connection:
        held = {}
        for table in TABLES:
            query = f"SELECT to_json({{{', '.join(_pairs(connection, table))}}}) FROM raw.{table}"  # noqa: S608
            held[table] = {row for (row,) in connection.execute(query).fetchall()}
        return held


def _pairs(connection: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    names = [name for name, *_ in connection.execute(f"DESCRIBE raw.{table}").fetchall()]
    return [f'"{name}": "{name}"' for name in names if name not in ("_load_seq", "_run_id", "_extracted_at")]


def collect(place: Path, home: Path, events: int) -> None:
    """Put usage into the lake of a data directory, as a collector on another machine sends it to a bucket."""
    log = home / ".claude" / "projects" / "-src-web" / "s.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("".join(LINE % (n, n, n) for n in range(events)))
    environment = os.environ | {"MILLRACE_COLLECT_STATE": str(home / "state")}
    sent = ("collect", "--home", str(home), "--lake", (home / "lake").as_uri())
    warm.run("millrace", *sent, environment=environment).check_returncode()
    shutil.copytree(home / "lake" / "drop", place / "lake" / "drop", dirs_exist_ok=True)


def without_events(folder: Path) -> str:
    """Return a home with a log that holds no event: without a log nothing would be built."""
    machine = Machine(folder / "quiet")
    machine.log("claude").write_bytes(b"{}\n")
    return str(machine.home)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory after one run, with a warehouse that has no marts."""
    place = tmp_path_factory.mktemp("first") / "data"
    assert run_all(place, *FIRST, "--no-build").code == 0
    collect(place, tmp_path_factory.mktemp("home"), 40)
    assert run_all(place, "--drops", "--no-build").code == 0
    return place


@pytest.fixture(scope="module")
def later(first: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same after a run eight days later."""
    place = tmp_path_factory.mktemp("later") / "data"
    shutil.copytree(first, place)
    assert run_all(place, *LATER, "--no-build").code == 0
    return place


@pytest.fixture
def place(later: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(later, tmp_path / "data"))


def forget(place: Path, condition: str) -> None:
    with duckdb.connect(place / "millrace.duckdb") as connection:
        for table in TABLES:
            those = f"SELECT load_seq FROM meta.loads WHERE {condition}"  # noqa: S608
            connection.execute(f"DELETE FROM raw.{table} WHERE _load_seq IN ({those})")  # noqa: S608
        connection.execute(f"DELETE FROM meta.loads WHERE {condition}")  # noqa: S608


@pytest.mark.parametrize(
    "harm",
    [
        pytest.param(lambda place, first: (place / "millrace.duckdb").unlink(), id="removed"),
        pytest.param(
            lambda place, first: shutil.copy(first / "millrace.duckdb", place / "millrace.duckdb"), id="an older one"
        ),
        pytest.param(
            lambda place, first: forget(place, "table_name = 'reviews'"),
            id="without the loads of a table",
            marks=pytest.mark.proof,
        ),
        pytest.param(lambda place, first: forget(place, "load_seq % 2 = 0"), id="without every other load"),
    ],
)
def test_run_loads_objects_missing_from_warehouse(
    place: Path, first: Path, later: Path, harm: Callable[[Path, Path], None]
) -> None:
    harm(place, first)
    run = run_all(place, *LATER, "--no-build", "--json")
    assert (run.code, rows(place)) == (0, rows(later))


def test_rows_lost_in_warehouse_and_lake_are_extracted_again(place: Path, later: Path) -> None:
    (place / "millrace.duckdb").unlink()
    shutil.rmtree(place / "lake" / "raw")
    assert run_all(place, *LATER, "--no-build").code == 0
    assert rows(place) == rows(later)


@pytest.mark.parametrize(
    "command",
    ["run", pytest.param("build", marks=pytest.mark.proof), pytest.param("collect", marks=pytest.mark.proof)],
)
def test_unloaded_usage_is_loaded_by_any_next_command(first: Path, tmp_path: Path, command: str) -> None:
    place = Path(shutil.copytree(first, tmp_path / "data"))
    home = tmp_path / "home"
    collect(place, home, 60)
    status = millrace("status", "--data-dir", str(place))
    assert (status.code, "objects of the lake are not loaded" in status.out) == (1, True)
    if command == "run":
        assert run_all(place, *FIRST, "--no-build").code == 0
    elif command == "build":
        assert millrace("build", "--data-dir", str(place)).code == 0
    else:
        as_own(place)
        assert millrace("collect", "--data-dir", str(place), "--home", without_events(tmp_path)).code == 0
    assert len(rows(place)["usage_events"]) == 60 + 40  # of two collectors


def test_a_copied_folder_is_the_same_lake(place: Path, later: Path) -> None:
    before = ledger(place)
    reconciled = run_all(place, "reconcile", *LATER)
    assert (reconciled.code, "✗" in reconciled.out) == (0, False)
    assert run_all(place, *LATER, "--no-build").code == 0
    assert rows(place) == rows(later)
    moved = [name for name, inserted, _ in ledger(place)[len(before) :] if name.startswith("raw/") and inserted]
    assert moved == []


def ledger(place: Path) -> list[tuple[str, int, str | None]]:
    with duckdb.connect(place / "millrace.duckdb", read_only=True) as connection:
        query = "SELECT name, rows_inserted, quarantine_reason FROM meta.loads ORDER BY load_seq"
        return connection.execute(query).fetchall()


def test_older_dropped_file_does_not_win_in_copied_folder(first: Path, tmp_path: Path) -> None:
    place = Path(shutil.copytree(first, tmp_path / "one"))
    drop = place / "lake" / "drop" / "repos"
    drop.mkdir(parents=True, exist_ok=True)
    for number, branch in enumerate(("old", "new")):
        (drop / f"{number}.csv").write_text(f"full_name,default_branch\nacme/by-hand,{branch}\n")
        assert run_all(place, "--drops", "--no-build").code == 0
    copy = Path(shutil.copytree(place, tmp_path / "two"))
    assert run_all(copy, "--drops", "--no-build").code == 0
    assert rows(copy) == rows(place)
    assert any("by-hand" in row and '"new"' in row for row in rows(copy)["repos"])


@pytest.mark.parametrize(
    ("lost", "named"),
    [
        pytest.param("raw/commits", "raw/commits/", id="the parts of a table"),
        pytest.param("raw/reviews/*/*/*.parquet", "raw/reviews/", id="single parts", marks=pytest.mark.proof),
        pytest.param("drop/usage_events", "drop/usage_events/", id="what collectors sent", marks=pytest.mark.proof),
        pytest.param("", "drop/usage_events/", id="the whole lake"),
    ],
)
def test_objects_in_ledger_but_missing_from_lake_are_named(place: Path, lost: str, named: str) -> None:
    for path in list((place / "lake").glob(lost)) if lost else [place / "lake"]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    reconciled = run_all(place, "reconcile", *LATER)
    assert reconciled.code == 1
    assert f"objects that the ledger knows and the lake has no more: {named}" in reconciled.out


def flipped(content: bytes) -> bytes:
    return content[:8192] + bytes(byte ^ 0xFF for byte in content[8192:])


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(flipped, id="bytes flipped"),
        pytest.param(lambda content: b"", id="emptied"),
        pytest.param(lambda content: content[: len(content) // 2], id="cut to a half"),
        pytest.param(lambda content: content[:100], id="cut to its head"),
        pytest.param(lambda content: bytes(8192) + content[8192:], id="without its head"),
        pytest.param(lambda content: b"SQLite format 3\0" + content[16:], id="another database"),
    ],
)
@pytest.mark.parametrize(
    "verb", ["run", pytest.param("build", marks=pytest.mark.proof), pytest.param("collect", marks=pytest.mark.proof)]
)
def test_damaged_warehouse_names_rebuild_as_next_step(
    first: Path, tmp_path: Path, damage: Callable[[bytes], bytes], verb: str
) -> None:
    place = Path(shutil.copytree(first, tmp_path / "data"))
    (place / "millrace.duckdb").write_bytes(damage((place / "millrace.duckdb").read_bytes()))
    options = {
        "run": ("--source", "cursor-sim", "--no-build", "--no-usage", *FIRST),
        "build": (),
        "collect": ("--home", without_events(tmp_path)),
    }
    if verb == "collect":
        as_own(place)
    failed = millrace(verb, "--data-dir", str(place), *options[verb])
    assert (failed.code, "Traceback" in failed.err) == (2, False), failed.err
    assert f"type: millrace rebuild --data-dir {place}" in failed.err


@pytest.fixture(scope="module")
def built(first: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first data directory with marts."""
    place = Path(shutil.copytree(first, tmp_path_factory.mktemp("built") / "data"))
    assert millrace("build", "--data-dir", str(place)).code == 0
    return place


def load_more(place: Path, home: Path) -> None:
    collect(place, home, 60)
    assert run_all(place, "--drops", "--no-build").code == 0


def begin_a_build(place: Path, home: Path) -> None:
    load_more(place, home)
    with DuckDBWarehouse(place / "millrace.duckdb") as warehouse:
        warehouse.start_build(99, "one that was killed", None)


def fail_a_build(place: Path, home: Path) -> None:
    load_more(place, home)
    with DuckDBWarehouse(place / "millrace.duckdb") as warehouse:
        warehouse.end_build(warehouse.start_build(99, "one that failed", None), False, 1.0, ())


@pytest.mark.parametrize(
    "leave",
    [
        pytest.param(load_more, id="killed before the build"),
        pytest.param(begin_a_build, id="killed within the build", marks=pytest.mark.proof),
        pytest.param(fail_a_build, id="a build that failed", marks=pytest.mark.proof),
        pytest.param(
            lambda place, home: (place / "published.duckdb").unlink(),
            id="killed before the publication",
            marks=pytest.mark.proof,
        ),
    ],
)
def test_collecting_nothing_builds_what_was_left_unbuilt(
    built: Path, tmp_path: Path, leave: Callable[[Path, Path], None]
) -> None:
    place = Path(shutil.copytree(built, tmp_path / "data"))
    leave(place, tmp_path / "home")
    as_own(place)
    collected = millrace("collect", "--data-dir", str(place), "--home", without_events(tmp_path))
    assert (collected.code, "nothing new" in collected.out) == (0, False)
    with duckdb.connect(place / "millrace.duckdb", read_only=True) as warehouse:
        loaded = warehouse.execute("SELECT max(_load_seq) FROM raw.usage_events").fetchall()
    with duckdb.connect(place / "published.duckdb", read_only=True) as readers:
        assert readers.execute("SELECT max(_load_seq) FROM mart.usage_events").fetchall() == loaded


OURS = (
    "state/pull_requests.json",
    "state/compared.json",
    "runs/*/plan.json",
    "runs/*/tasks/commits.json",
    "runs/*/final.json",
    "build/lease.json",
    "build/requested.json",
)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b'{"run_id":', id="cut"),
        pytest.param(b"", id="empty", marks=pytest.mark.proof),
        pytest.param(b"[]\n", id="of another program", marks=pytest.mark.proof),
    ],
)
def test_damaged_objects_of_our_own_stop_no_run(place: Path, later: Path, content: bytes) -> None:
    for path in (path for name in OURS for path in (place / "lake").glob(name)):
        path.write_bytes(content)
    status = millrace("status", "--data-dir", str(place))
    assert (status.code, "final.json is damaged" in status.out, "Traceback" in status.err) == (1, True, False)
    run = run_all(place, *LATER, "--no-build")
    assert (run.code, "Traceback" in run.err, rows(place)) == (0, False, rows(later))


def test_rebuilt_warehouse_has_same_rows_and_keeps_quarantine(first: Path, tmp_path: Path) -> None:
    place = Path(shutil.copytree(first, tmp_path / "data"))
    drop = place / "lake" / "drop" / "repos"
    drop.mkdir(parents=True, exist_ok=True)
    (drop / "bad.parquet").write_bytes(b"no Parquet")
    (drop / "worse.parquet").write_bytes(b"no Parquet either")
    pq.write_table(pa.table({"full_name": ["acme/dropped"]}), drop / "good.parquet")
    assert run_all(place, "--drops", "--no-build").code == 1
    listed = json.loads(millrace("quarantine", "list", "--json", "--data-dir", str(place)).out)
    assert millrace("quarantine", "discard", listed[0]["id"], "a test", "--data-dir", str(place)).code == 0
    before = rows(place)
    (place / "millrace.duckdb").write_bytes((place / "millrace.duckdb").read_bytes()[:100_000])
    failed = run_all(place, *FIRST, "--no-build")
    assert (failed.code, f"type: millrace rebuild --data-dir {place}" in failed.err) == (2, True)
    rebuilt = millrace("rebuild", "--json", "--data-dir", str(place))
    assert ("  built velocity in" in rebuilt.err, '"severity"' in rebuilt.err) == (True, False)
    told = json.loads(rebuilt.out)
    assert (rebuilt.code, told["set_aside"], told["state"]) == (0, 2, "good")
    assert rows(place) == before
    left = json.loads(millrace("quarantine", "list", "--json", "--data-dir", str(place)).out)
    assert [entry["id"] for entry in left] == [listed[1]["id"]]
    assert millrace("status", "--data-dir", str(place)).code == 0
    _refuses_to_lose(place)


def _refuses_to_lose(place: Path) -> None:
    """The published copy is not replaced by less without an option; with the option, the lost rows are named."""
    published = (place / "published.duckdb").read_bytes()
    shutil.rmtree(place / "lake" / "raw" / "reviews")
    refused = millrace("rebuild", "--data-dir", str(place))
    assert (refused.code, "millrace rebuild --force" in refused.err) == (2, True)
    (place / "millrace.duckdb").unlink()
    assert millrace("status", "--data-dir", str(place)).code == 3
    built = millrace("build", "--data-dir", str(place))
    assert (built.code, "it was not replaced" in built.err) == (3, True)
    assert (place / "published.duckdb").read_bytes() == published
    forced = millrace("rebuild", "--force", "--data-dir", str(place))
    assert (forced.code, "raw/reviews/" in forced.out) == (1, True)
    assert rows(place)["reviews"] == set()


@pytest.mark.proof  # guarded by readers_behind in tests/status/test_stores.py
def test_status_reports_outdated_or_missing_published_copy(first: Path, tmp_path: Path) -> None:
    place = Path(shutil.copytree(first, tmp_path / "data"))
    assert millrace("build", "--data-dir", str(place)).code == 0
    assert millrace("status", "--data-dir", str(place)).code == 0
    older = (place / "published.duckdb").read_bytes()
    assert millrace("build", "--force", "--data-dir", str(place)).code == 0
    for content in (None, b"", older):
        (place / "published.duckdb").unlink(missing_ok=True)
        if content is not None:
            (place / "published.duckdb").write_bytes(content)
        status = millrace("status", "--data-dir", str(place))
        assert (status.code, "readers have" in status.out) == (1, True)
    assert millrace("build", "--data-dir", str(place)).code == 0
    assert millrace("status", "--data-dir", str(place)).code == 0
    plan = next((place / "lake" / "runs").iterdir()) / "plan.json"
    killed = place / "lake" / "runs" / "20991128T000000Z"
    killed.mkdir()
    (killed / "plan.json").write_text(plan.read_text().replace(plan.parent.name, killed.name))
    (place / "running").write_text("999999999")
    status = millrace("status", "--data-dir", str(place))
    assert (status.code, "20991128T000000Z has not ended" in status.out) == (1, True)
